// @ts-check
/** How states, times and numbers are said and marked. */
import { h, icon, visible } from "./dom.js";

/** @typedef {import("./api.js").Entry} Entry @typedef {"good" | "warn" | "bad" | "calm"} Tone */

/** @type {Record<string, [Tone, string]>} */
const SYNC = {
  "in sync": ["good", "check"],
  pending: ["warn", "clock"],
  drift: ["warn", "differ"],
  waiting: ["warn", "clock"],
  leaving: ["warn", "leave"],
  held: ["warn", "pause"],
  prune: ["warn", "leave"],
  orphan: ["warn", "question"],
  contested: ["bad", "differ"],
  blocked: ["bad", "block"],
  failed: ["bad", "cross"],
  conflict: ["bad", "differ"],
  unconfirmed: ["bad", "question"],
  disabled: ["calm", "off"],
  kept: ["calm", "check"],
  unknown: ["calm", "question"],
};

export const KINDS = /** @type {Record<string, string>} */ ({
  proxy: "Proxies",
  redirection: "Redirections",
  not_found_host: "404 hosts",
  stream: "Streams",
  access_list: "Access lists",
  certificate: "Certificates",
});

/** One of a kind. */
export const KIND = /** @type {Record<string, string>} */ ({
  proxy: "proxy",
  redirection: "redirection",
  not_found_host: "404 host",
  stream: "stream",
  access_list: "access list",
  certificate: "certificate",
});

/** @param {Entry} entry */
export function isForeign(entry) {
  return entry.sync.startsWith("foreign");
}

/** @param {Entry} entry @returns {[Tone, string]} */
export function syncLook(entry) {
  return SYNC[entry.sync] || ["calm", "question"];
}

/**
 * What is known of an entry's health now.
 * @param {Entry} entry @param {number} now
 * @returns {{tone: Tone, icon: string, word: string}}
 */
export function healthLook(entry, now) {
  if (!entry.watched) return { tone: "calm", icon: "none", word: "not checked" };
  if (isOutdated(entry, now)) return { tone: "calm", icon: "ring", word: `${entry.health}?` };
  if (entry.health === "healthy") return { tone: "good", icon: "dot", word: "healthy" };
  if (entry.health === "unhealthy")
    return { tone: "bad", icon: "alert", word: entry.stale ? "stale" : "unhealthy" };
  return { tone: "calm", icon: "ring", word: "unknown" };
}

/** @param {Entry} entry @param {number} now */
export function isOutdated(entry, now) {
  return entry.health_valid_until !== null && now > Date.parse(entry.health_valid_until);
}

/** How much an entry wants attention. @param {Entry} entry @returns {Tone} */
export function toneOf(entry) {
  if (isForeign(entry)) return "calm";
  const [sync] = syncLook(entry);
  if (
    sync === "bad" ||
    (entry.watched && entry.health === "unhealthy") ||
    entry.edge === "not_served"
  )
    return "bad";
  return sync === "warn" ? "warn" : "good";
}

/** What keeps an entry from being well, as `status` says it. @param {Entry} entry */
export function troublesOf(entry) {
  /** @type {{detail: string, hint: string | null}[]} */
  const found = [];
  if (entry.detail) found.push({ detail: `${entry.sync}: ${entry.detail}`, hint: entry.hint });
  else if (["warn", "bad"].includes(syncLook(entry)[0]))
    found.push({ detail: entry.sync, hint: entry.hint });
  if (entry.watched && entry.health === "unhealthy") {
    const word = entry.stale ? "stale" : "unhealthy";
    found.push({
      detail: entry.health_detail ? `${word}: ${entry.health_detail}` : word,
      hint: entry.health_hint,
    });
  }
  if (entry.edge === "not_served") {
    const detail = entry.edge_detail ? `not served: ${entry.edge_detail}` : "not served";
    found.push({ detail, hint: entry.edge_hint });
  }
  return found;
}

/** @param {Tone} tone @param {string} symbol @param {string} word */
export function mark(tone, symbol, word) {
  return h("span", { class: `mark ${tone}` }, icon(symbol), h("span", null, visible(word)));
}

/** Seconds in words: `42 s`, `12 min`, `3 h`, `5 d`. @param {number} seconds */
export function duration(seconds) {
  const s = Math.max(0, Math.round(seconds));
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min`;
  if (s < 2 * 86400) return `${Math.floor(s / 3600)} h`;
  return `${Math.floor(s / 86400)} d`;
}

/** @param {string | null} moment @param {number} now */
export function since(moment, now) {
  return moment ? duration((now - Date.parse(moment)) / 1000) : "–";
}

const DAY_TIME = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });
const TIME = new Intl.DateTimeFormat(undefined, { timeStyle: "medium" });
const DAY = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeZone: "UTC" });

/** A moment in the reader's own time; its day too where it is not today. @param {string} moment */
export function time(moment) {
  const date = new Date(moment);
  const isToday = date.toDateString() === new Date().toDateString();
  return h(
    "time",
    { datetime: moment, title: DAY_TIME.format(date) },
    (isToday ? TIME : DAY_TIME).format(date),
  );
}

/** @param {string} day `2026-11-29` */
export function dayText(day) {
  return DAY.format(new Date(`${day}T00:00:00Z`));
}

/** Rounded down, so that 100 % means that nothing failed. @param {number | null | undefined} share */
export function percent(share) {
  return share === null || share === undefined
    ? "–"
    : `${Math.floor(share * 10000 + 1e-6) / 100} %`;
}

/** @param {number} number @param {string} one @param {string} [many] */
export function count(number, one, many = `${one}s`) {
  return `${number.toLocaleString("en")} ${number === 1 ? one : many}`;
}

/** `42 entries: 36 in sync, 4 blocked; 4 unhealthy`, as `status` says it. @param {Entry[]} entries */
export function summary(entries) {
  const ours = entries.filter((entry) => !isForeign(entry));
  /** @type {Map<string, number>} */
  const syncs = new Map();
  for (const { sync } of ours) {
    const word = sync === "disabled" ? "off" : sync;
    syncs.set(word, (syncs.get(word) || 0) + 1);
  }
  const parts = [...syncs].sort((a, b) => b[1] - a[1]).map(([word, number]) => `${number} ${word}`);
  const others = [
    [ours.filter((e) => e.watched && e.health === "unhealthy").length, "unhealthy"],
    [ours.filter((e) => e.edge === "not_served").length, "not served"],
    [entries.length - ours.length, "foreign"],
  ];
  const rest = others.filter(([number]) => number).map(([number, word]) => `${number} ${word}`);
  return [
    count(ours.length, "entry", "entries") + (parts.length ? `: ${parts.join(", ")}` : ""),
    rest.join(", "),
  ]
    .filter(Boolean)
    .join("; ");
}

/** Where an entry has its page. @param {{kind: string, name: string | null}} entry */
export function pathOf(entry) {
  return `#/${encodeURIComponent(entry.kind)}/${encodeURIComponent(entry.name || "")}`;
}
