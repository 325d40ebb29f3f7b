// @ts-check
/** The page of one entry. */
import { getHealth, getPlan, listEvents, listHistory } from "./api.js";
import { DAYS, dayAt, showDaysUnderPointer, sparkline, toneOfDay, uptimeBars } from "./charts.js";
import { diff } from "./diff.js";
import { fill, h, icon, long, short, table } from "./dom.js";
import { eventItem } from "./feed.js";
import { runItem } from "./history.js";
import {
  count,
  dayText,
  healthLook,
  isForeign,
  KIND,
  mark,
  percent,
  since,
  syncLook,
  time,
  toneOf,
  troublesOf,
} from "./words.js";

/** @typedef {import("./api.js").Entry} Entry @typedef {import("./api.js").HealthDetails} HealthDetails @typedef {import("./store.js").Store} Store */

/** @param {string} kind @param {string} name @returns {import("./router.js").View} */
export function entryPage(kind, name) {
  const parts = {
    marks: h("p", { class: "marks" }),
    about: h("div", { class: "about" }),
    troubles: h("ul", { class: "troubles-list", "aria-label": "What is wrong", hidden: true }),
    facts: h("dl", { class: "facts" }),
    pending: h("section", { hidden: true, "aria-labelledby": "pending" }),
    health: h("section", { hidden: true, "aria-labelledby": "health" }),
    history: h(
      "section",
      { "aria-labelledby": "history" },
      h("h2", { id: "history" }, "Applied"),
      h("p", { class: "dim" }, "Reading …"),
    ),
    events: h(
      "section",
      { "aria-labelledby": "events" },
      h("h2", { id: "events" }, "Events"),
      h("p", { class: "dim" }, "Reading …"),
    ),
  };
  const element = h(
    "div",
    { class: "page entry" },
    h("p", { class: "back" }, h("a", { href: "#/" }, icon("back"), " All entries")),
    h("p", { class: "kind dim" }, KIND[kind] || kind),
    h("h1", { tabindex: "-1" }, short(name, 100)),
    ...Object.values(parts),
  );
  showDaysUnderPointer(parts.health);
  let known = "";
  /** @type {Entry | undefined} */
  let entry;
  let lastEvent = -1;

  /** @param {Store} store */
  function update(store) {
    if (!store.readAt) return;
    entry = store.entries.find((e) => e.kind === kind && e.name === name && !isForeign(e));
    showMarks();
    const text =
      JSON.stringify(entry) +
      (store.events.find((event) => event.kind === kind && event.name === name)?.id ?? 0);
    if (text === known) return;
    known = text;
    if (entry) showEntry(entry);
    readMore(store);
  }

  function showMarks() {
    if (!entry) {
      fill(
        parts.marks,
        h("span", { class: "mark calm" }, icon("question"), "There is no such entry now."),
      );
      return;
    }
    const [tone, symbol] = syncLook(entry);
    const health = healthLook(entry, Date.now());
    const edge = {
      served: /** @type {const} */ (["good", "check"]),
      not_served: /** @type {const} */ (["bad", "block"]),
      unknown: null,
    }[entry.edge];
    fill(
      parts.marks,
      mark(tone, symbol, entry.sync),
      mark(health.tone, health.icon, health.word),
      edge && mark(edge[0], edge[1], entry.edge.replace("_", " ")),
      entry.health_since && entry.watched
        ? h(
            "span",
            { class: "dim" },
            `${entry.health} for ${since(entry.health_since, Date.now())}`,
          )
        : null,
    );
  }

  /** @param {Entry} shown */
  function showEntry(shown) {
    fill(
      parts.about,
      shown.note ? h("p", { class: "note" }, long(shown.note)) : null,
      shown.tags?.length
        ? h(
            "p",
            { class: "tags" },
            shown.tags.map((tag) =>
              h("a", { class: "tag", href: `#/?tag=${encodeURIComponent(tag)}` }, short(tag, 40)),
            ),
          )
        : null,
    );
    const troubles = troublesOf(shown);
    parts.troubles.hidden = !troubles.length;
    const bad = toneOf(shown) === "bad";
    fill(
      parts.troubles,
      ...troubles.map(({ detail, hint }) =>
        h(
          "li",
          { class: bad ? "bad" : "warn" },
          icon(bad ? "alert" : "clock"),
          h(
            "div",
            null,
            h("p", null, long(detail)),
            hint ? h("p", { class: "hint" }, long(hint)) : null,
          ),
        ),
      ),
    );
    fill(parts.facts, ...facts(shown));
  }

  /** @param {Store} store */
  async function readMore(store) {
    const isPlanned = entry && entry.sync !== "in sync" && entry.sync !== "disabled";
    const newest =
      store.events.find((event) => event.kind === kind && event.name === name)?.id ?? 0;
    const isNews = newest !== lastEvent;
    lastEvent = newest;
    await Promise.all([
      isPlanned
        ? getPlan().then(showPlan, () => (parts.pending.hidden = true))
        : (parts.pending.hidden = true),
      entry?.watched || !entry
        ? getHealth(kind, name).then(
            (details) => showHealth(parts.health, details, entry),
            () => {},
          )
        : null,
      isNews ? listHistory(200).then(showHistory, (error) => failed(parts.history, error)) : null,
      isNews
        ? listEvents({ kind, name, limit: 30 }).then(showEvents, (error) =>
            failed(parts.events, error),
          )
        : null,
    ]);
  }

  /** @param {import("./api.js").Plan} plan */
  function showPlan(plan) {
    const change = plan.changes.find((c) => c.kind === kind && c.name === name);
    parts.pending.hidden = !change;
    if (!change) return;
    const title = entry?.sync === "drift" ? "What differs in NPM" : "What is to change";
    fill(
      parts.pending,
      h("h2", { id: "pending" }, title),
      plan.refused ? h("p", { class: "bad" }, "The plan is refused: ", long(plan.refused)) : null,
      change.reason ? h("p", null, `${change.action}: `, long(change.reason)) : null,
      diff(change.edits),
    );
  }

  /** @param {import("./api.js").AppliedRun[]} runs */
  function showHistory(runs) {
    /** @param {import("./api.js").AppliedChange} change */
    const isOurs = (change) => change.kind === kind && change.name === name;
    const found = runs.filter((run) => run.changes.some(isOurs));
    parts.history.replaceChildren(
      h("h2", { id: "history" }, "Applied"),
      ...found.map((run, index) => runItem(run, isOurs, index === 0)),
    );
    if (!found.length) parts.history.append(h("p", { class: "dim" }, "Nothing was applied yet."));
  }

  /** @param {import("./api.js").EventPage} page */
  function showEvents(page) {
    const list = h(
      "ol",
      { class: "events wide" },
      page.events.map((event) => eventItem(event)),
    );
    parts.events.replaceChildren(
      h("h2", { id: "events" }, "Events"),
      page.events.length ? list : h("p", { class: "dim" }, "Nothing has happened yet."),
    );
  }

  return { element, title: name, update };
}

/** @param {HTMLElement} section @param {Error} error */
function failed(section, error) {
  section.replaceChildren(
    /** @type {Element} */ (section.querySelector("h2")),
    h("p", { class: "bad" }, error.message),
  );
}

/** @param {Entry} entry */
function facts(entry) {
  const isWeb = entry.kind !== "stream" && entry.kind !== "access_list";
  const domains = entry.domains.map((domain) => {
    const isLink = isWeb && /^[a-z0-9.-]+$/i.test(domain);
    return h(
      "li",
      null,
      isLink
        ? h("a", { href: `http://${domain}/`, rel: "noreferrer noopener" }, short(domain, 100))
        : short(domain, 100),
    );
  });
  /** @type {[string, import("./dom.js").Child][]} */
  const rows = [
    ["Domains", entry.domains.length ? h("ul", { class: "plain" }, domains) : null],
    ["Leads to", entry.upstream ? short(entry.upstream, 120) : null],
    ["In NPM", entry.npm_id === null ? "not yet" : `#${entry.npm_id}`],
    ["Enabled", entry.enabled ? null : "no"],
    ["Blocked since", entry.since ? time(entry.since) : null],
    ["Next try", entry.next_try ? time(entry.next_try) : null],
    [
      "Last check",
      entry.checked_at
        ? [time(entry.checked_at), entry.latency_ms === null ? "" : `, ${entry.latency_ms} ms`]
        : null,
    ],
    ["Edge asked", entry.edge_checked_at ? time(entry.edge_checked_at) : null],
    [
      "Uptime",
      entry.uptime["24h"] === null
        ? null
        : `${percent(entry.uptime["24h"])} in 24 h, ${percent(entry.uptime["7d"])} in 7 days, ${percent(entry.uptime["30d"])} in 30 days`,
    ],
  ];
  return rows
    .filter(([, value]) => value !== null)
    .map(([head, value]) => h("div", null, h("dt", null, head), h("dd", null, value)));
}

/** @param {HTMLElement} section @param {HealthDetails} details @param {Entry | undefined} entry */
function showHealth(section, details, entry) {
  section.hidden = !details.days.length && !details.checks.length;
  if (section.hidden) return;
  const today = new Date().toISOString().slice(0, 10);
  const byDay = new Map(details.days.map((day) => [day.day, day]));
  const shares = Array.from({ length: DAYS }, (_, index) => {
    const day = byDay.get(dayAt(index, today));
    return day?.checks ? day.ok / day.checks : null;
  });
  const latencies = details.checks.map((check) => (check.ok ? check.latency_ms : null));
  const known = /** @type {number[]} */ (latencies.filter((value) => value !== null)).sort(
    (a, b) => a - b,
  );
  const failures = details.days.filter((day) => day.ok < day.checks).reverse();
  const range = known.length
    ? `${known[0]} to ${known[known.length - 1]} ms, half of them within ${known[Math.floor((known.length - 1) / 2)]} ms`
    : "no answer";
  const isOpen = section.querySelector("details")?.open;
  fill(
    section,
    h("h2", { id: "health" }, "Health"),
    h(
      "figure",
      null,
      uptimeBars(shares, today),
      h(
        "figcaption",
        { class: "axis dim" },
        h("span", null, "90 days ago"),
        h("span", null, entry ? `${percent(entry.uptime["30d"])} in 30 days` : ""),
        h("span", null, "today"),
      ),
    ),
    details.checks.length
      ? h(
          "figure",
          null,
          sparkline(latencies, { width: 600, height: 80 }),
          h(
            "figcaption",
            { class: "dim" },
            `Latency of the last ${count(details.checks.length, "check")}: ${range}`,
          ),
        )
      : null,
    failures.length
      ? h(
          "details",
          { open: isOpen },
          h("summary", null, `${count(failures.length, "day")} with failed checks`),
          table(["Day (UTC)", "Good checks", "Median latency", "95 %"], failures.map(dayRow)),
        )
      : null,
  );
}

/** @param {import("./api.js").HealthDay} day */
function dayRow(day) {
  const tone = toneOfDay(day.ok / day.checks);
  return [
    dayText(day.day),
    h("span", { class: `mark ${tone}` }, `${day.ok} of ${day.checks}`),
    day.p50 === null ? "–" : `${day.p50} ms`,
    day.p95 === null ? "–" : `${day.p95} ms`,
  ];
}
