// @ts-check
/** Uptime bars and latency lines: a few paths each, so that a thousand of them cost little. */
import { h, svg } from "./dom.js";
import { count, dayText, percent } from "./words.js";

/** Days that a row of bars shows. */
export const DAYS = 90;

const BAR = 2;
const STEP = 3;
const HEIGHT = 24;

/** @param {number | null} share @returns {"none" | "good" | "warn" | "bad"} */
export function toneOfDay(share) {
  if (share === null) return "none";
  if (share >= 1) return "good";
  return share >= 0.95 ? "warn" : "bad";
}

/**
 * A bar for each of the last days; what is not good stands out above, so that nobody needs the colours.
 * @param {(number | null)[]} days shares of good checks, the last one today's
 * @param {string} today
 */
export function uptimeBars(days, today) {
  const shown = [...Array(Math.max(0, DAYS - days.length)).fill(null), ...days.slice(-DAYS)];
  /** @type {Record<string, string>} */
  const paths = { none: "", good: "", warn: "", bad: "" };
  const tops = { none: 21, good: 7, warn: 3, bad: 0 };
  shown.forEach((share, index) => {
    const tone = toneOfDay(share);
    const top = tops[tone];
    paths[tone] += `M${index * STEP} ${top}h${BAR}V${HEIGHT}h-${BAR}z`;
  });
  const drawn = Object.entries(paths).filter(([, path]) => path);
  return svg(
    "svg",
    {
      class: "bars",
      role: "img",
      viewBox: `0 0 ${DAYS * STEP - (STEP - BAR)} ${HEIGHT}`,
      preserveAspectRatio: "none",
      "aria-label": describeDays(shown, today),
      "data-days": JSON.stringify(shown),
      "data-today": today,
    },
    ...drawn.map(([tone, path]) => svg("path", { class: `day-${tone}`, d: path })),
  );
}

/** @param {(number | null)[]} shown @param {string} today */
function describeDays(shown, today) {
  const known = shown.filter((share) => share !== null);
  if (!known.length) return "No checks in the last 90 days";
  const failed = shown
    .map((share, index) => ({ share, index }))
    .filter(({ share }) => share !== null && share < 1);
  const text = `${count(known.length, "day")} with checks, ${failed.length ? count(failed.length, "day") : "none"} with failures`;
  const last = failed.at(-1);
  return last ? `${text}, the last on ${dayText(dayAt(last.index, today))}` : text;
}

/** @param {number} index of a bar @param {string} today */
export function dayAt(index, today) {
  const date = new Date(`${today}T00:00:00Z`);
  date.setUTCDate(date.getUTCDate() - (DAYS - 1 - index));
  return date.toISOString().slice(0, 10);
}

/** What the pointer is over, of bars that may have been drawn anew meanwhile. @param {Element} bars @param {number} x */
export function describeDayAt(bars, x) {
  const box = bars.getBoundingClientRect();
  const days = JSON.parse(bars.getAttribute("data-days") || "[]");
  const index = Math.min(DAYS - 1, Math.max(0, Math.floor(((x - box.left) / box.width) * DAYS)));
  const share = days[index] ?? null;
  const day = dayText(dayAt(index, bars.getAttribute("data-today") || ""));
  return share === null ? `${day}: no checks` : `${day}: ${percent(share)} of checks good`;
}

/**
 * The latencies of the last checks as a line with gaps where one failed.
 * @param {(number | null)[]} latencies milliseconds
 * @param {{width?: number, height?: number, label?: string}} [size]
 */
export function sparkline(latencies, { width = 96, height = 24, label } = {}) {
  const known = /** @type {number[]} */ (latencies.filter((value) => value !== null));
  const most = Math.max(1, ...known) * 1.1;
  const step = width / Math.max(1, latencies.length - 1);
  let line = "";
  let failed = "";
  let isOpen = false;
  latencies.forEach((value, index) => {
    const x = (index * step).toFixed(1);
    if (value === null) {
      failed += `M${x} ${height}v-5`;
      isOpen = false;
      return;
    }
    const y = (height - 1 - (value / most) * (height - 2)).toFixed(1);
    const isAlone = !isOpen && (latencies[index + 1] ?? null) === null;
    line += isAlone ? `M${x} ${y}h.5` : `${isOpen ? "L" : "M"}${x} ${y}`;
    isOpen = true;
  });
  const text = label || describeLatencies(latencies, known);
  return svg(
    "svg",
    {
      class: "spark",
      role: "img",
      viewBox: `0 0 ${width} ${height}`,
      preserveAspectRatio: "none",
      "aria-label": text,
    },
    line && svg("path", { class: "spark-line", d: line }),
    failed && svg("path", { class: "spark-failed", d: failed }),
  );
}

/** @param {(number | null)[]} latencies @param {number[]} known */
function describeLatencies(latencies, known) {
  if (!latencies.length) return "No checks yet";
  const failed = latencies.length - known.length;
  const range = known.length ? `${Math.min(...known)} to ${Math.max(...known)} ms` : "no answer";
  return `Last ${count(latencies.length, "check")}: ${range}${failed ? `, ${failed} failed` : ""}`;
}

/** One for all views, of which only one is shown. */
const tip = h("div", { class: "tip", hidden: true, "aria-hidden": "true" });

/** One line that follows the pointer over bars: what the day under it was like. @param {HTMLElement} root */
export function showDaysUnderPointer(root) {
  tip.hidden = true;
  document.body.append(tip);
  root.addEventListener("pointermove", (event) => {
    const bars = /** @type {Element} */ (event.target).closest?.(".bars");
    tip.hidden = !bars;
    if (!bars) return;
    tip.textContent = describeDayAt(bars, event.clientX);
    const left = Math.min(
      event.clientX + 12,
      document.documentElement.clientWidth - tip.offsetWidth - 8,
    );
    tip.style.transform = `translate(${Math.max(8, left)}px, ${event.clientY - 36}px)`;
  });
  root.addEventListener("pointerleave", () => (tip.hidden = true));
}
