// @ts-check
/** The first page: what is wrong, how many are how, and every entry. */
import { cut, fill, h, icon, long, short, visible } from "./dom.js";
import { showDaysUnderPointer } from "./charts.js";
import { feed } from "./feed.js";
import { Filters } from "./filters.js";
import { Row } from "./row.js";
import {
  count,
  isForeign,
  isOutdated,
  KINDS,
  pathOf,
  summary,
  time,
  toneOf,
  troublesOf,
} from "./words.js";

/** @typedef {import("./api.js").Entry} Entry @typedef {import("./store.js").Store} Store */

/** Troubles, and names to one of them, that are shown before one has to ask for the rest. */
const TROUBLES = 12;
const NAMES = 8;

/** @param {URLSearchParams} query @returns {import("./router.js").View} */
export function overview(query) {
  const heading = h("h1", { tabindex: "-1", id: "headline" }, "Status");
  const total = h("p", { class: "summary" });
  const warnings = h("ul", { class: "warnings", "aria-label": "Warnings" });
  const troubles = h("section", { class: "troubles", "aria-label": "What is wrong", hidden: true });
  const list = h("div", { class: "list" });
  const none = h("p", { class: "empty", hidden: true });
  const events = feed();
  const filters = new Filters(query, () => rows.filter());
  const rows = new Rows(list, none, filters);
  const head = h("div", { class: "headline" }, icon("ring"), h("div", null, heading, total));
  const element = h(
    "div",
    { class: "overview" },
    h("div", { class: "column" }, head, warnings, troubles, filters.element, list, none),
    events.element,
  );
  showDaysUnderPointer(list);
  const timer = setInterval(() => rows.tick(), 15000);
  let isAllShown = false;

  /** @param {Store} store */
  function update(store) {
    if (!store.readAt) {
      total.textContent = store.error ? store.error.message : "Reading …";
      return;
    }
    const ours = store.entries.filter((entry) => !isForeign(entry));
    headline(head, heading, ours, store.warnings.length);
    total.textContent =
      summary(store.entries) + (store.commit ? ` · commit ${store.commit.slice(0, 12)}` : "");
    fill(warnings, ...alarms(store, ours));
    warnings.hidden = !warnings.children.length;
    showTroubles(ours);
    filters.offer(ours);
    rows.update(store, ours);
    events.update(store);
    if (!performance.getEntriesByName("listed").length) performance.mark("listed");
  }

  /** @param {Entry[]} ours */
  function showTroubles(ours) {
    const found = groups(ours);
    troubles.hidden = !found.length;
    const shown = isAllShown ? found : found.slice(0, TROUBLES);
    fill(
      troubles,
      h("h2", { class: "sr" }, "Needs attention"),
      h(
        "ul",
        null,
        shown.map((group) => trouble(group, ours)),
      ),
      found.length > shown.length &&
        h("button", { type: "button", class: "link", "data-all": "" }, `show all ${found.length}`),
    );
  }
  troubles.addEventListener("click", (event) => {
    if (!(/** @type {Element} */ (event.target).matches("[data-all]"))) return;
    isAllShown = true;
    showTroubles(rows.entries);
    troubles.querySelector("a")?.focus();
  });

  return { element, title: "Status", update, close: () => clearInterval(timer) };
}

/** @param {Element} head @param {Element} heading @param {Entry[]} ours @param {number} warnings */
function headline(head, heading, ours, warnings) {
  const tones = ours.map(toneOf);
  const [bad, warn] = [
    tones.filter((tone) => tone === "bad").length,
    tones.filter((tone) => tone === "warn").length,
  ];
  const tone = bad || (warnings && !warn) ? "bad" : warn || warnings ? "warn" : "good";
  const all = ours.length ? "All is well" : "No entries yet";
  const text =
    bad + warn
      ? `${count(bad + warn, "entry needs", "entries need")} attention`
      : warnings
        ? "Something is wrong"
        : all;
  head.className = `headline ${tone}`;
  if (heading.textContent !== text) heading.textContent = text;
  const symbol = { good: "check", warn: "clock", bad: "alert" }[tone];
  head.firstElementChild?.replaceWith(icon(symbol));
}

/** Some messages say by themselves since when. */
const isDated = /\bsince \d{4}-/;

/** What threatens more than one entry. @param {Store} store @param {Entry[]} ours */
function alarms(store, ours) {
  const shown = store.warnings.map((warning) =>
    h(
      "li",
      null,
      icon("alert"),
      h(
        "div",
        null,
        long(warning.message),
        warning.since && !isDated.test(warning.message)
          ? h("span", { class: "dim" }, " since ", time(warning.since))
          : null,
      ),
    ),
  );
  const outdated = ours.filter((entry) => isOutdated(entry, Date.now())).length;
  if (outdated && !store.warnings.some((warning) => warning.event === "health.network_down")) {
    const text = `The health of ${count(outdated, "entry", "entries")} (marked ?) is outdated: is the daemon checking?`;
    shown.push(h("li", null, icon("alert"), h("div", null, text)));
  }
  return shown;
}

/**
 * What is wrong with several entries in the same way is told once.
 * @param {Entry[]} entries
 * @returns {{detail: string, hint: string | null, bad: boolean, entries: Entry[]}[]}
 */
function groups(entries) {
  /** @type {Map<string, {detail: string, hint: string | null, bad: boolean, entries: Entry[]}>} */
  const found = new Map();
  for (const entry of entries) {
    for (const { detail, hint } of troublesOf(entry)) {
      const key = `${detail}\n${hint}`;
      const group = found.get(key) || { detail, hint, bad: false, entries: [] };
      group.entries.push(entry);
      group.bad ||= toneOf(entry) === "bad";
      found.set(key, group);
    }
  }
  return [...found.values()].sort((a, b) => Number(b.bad) - Number(a.bad));
}

/** @param {ReturnType<typeof groups>[number]} group @param {Entry[]} all */
function trouble(group, all) {
  const names = group.entries
    .slice(0, NAMES)
    .map((entry, index) => [index ? ", " : "", nameLink(entry, all)]);
  const more = group.entries.length - NAMES;
  return h(
    "li",
    { class: group.bad ? "bad" : "warn" },
    icon(group.bad ? "alert" : "clock"),
    h(
      "div",
      null,
      h(
        "p",
        null,
        names,
        more > 0 && ` and ${more} more`,
        " ",
        h("span", { class: "detail" }, long(group.detail)),
      ),
      group.hint && h("p", { class: "hint" }, long(group.hint)),
    ),
  );
}

/** By its name, or with its kind where another has the same. @param {Entry} entry @param {Entry[]} all */
function nameLink(entry, all) {
  const isShared = all.some((other) => other !== entry && other.name === entry.name);
  return h(
    "a",
    { href: pathOf(entry) },
    short(isShared ? `${entry.kind}/${entry.name}` : entry.name, 60),
  );
}

/** The rows of all entries, by kind, each changed in its place. */
class Rows {
  /** @param {HTMLElement} root @param {HTMLElement} none @param {Filters} filters */
  constructor(root, none, filters) {
    this.root = root;
    this.none = none;
    this.filters = filters;
    /** @type {Map<string, Row>} */
    this.rows = new Map();
    /** @type {Map<string, {section: HTMLElement, heading: HTMLElement, list: HTMLElement}>} */
    this.sections = new Map();
    /** @type {Entry[]} */
    this.entries = [];
  }

  /** @param {Store} store @param {Entry[]} entries */
  update(store, entries) {
    this.entries = entries;
    const present = new Set();
    const places = new Map();
    for (const entry of entries) {
      const key = `${entry.kind}/${entry.name}`;
      present.add(key);
      let row = this.rows.get(key);
      if (!row) this.rows.set(key, (row = new Row()));
      row.update(entry, store.figures.get(key), store.today);
      const { list } = this.section(entry.kind);
      const place = places.get(list) || 0;
      if (list.children[place] !== row.element)
        list.insertBefore(row.element, list.children[place] || null);
      places.set(list, place + 1);
    }
    for (const [key, row] of this.rows) {
      if (present.has(key)) continue;
      row.element.remove();
      this.rows.delete(key);
    }
    this.filter();
  }

  /** @param {string} kind */
  section(kind) {
    const known = this.sections.get(kind);
    if (known) return known;
    const heading = h("h2", { id: `kind-${kind}` }, KINDS[kind] || kind);
    const list = h("ul", { class: "rows", "aria-labelledby": `kind-${kind}` });
    const made = { section: h("section", null, heading, list), heading, list };
    this.sections.set(kind, made);
    this.root.append(made.section);
    return made;
  }

  filter() {
    let shown = 0;
    const matches = this.filters.matcher();
    for (const row of this.rows.values()) {
      const isShown = row.entry !== null && matches(row.entry);
      if (row.element.hidden === isShown) row.element.hidden = !isShown;
      shown += Number(isShown);
    }
    for (const [kind, { section, heading, list }] of this.sections) {
      const rows = [...list.children].filter((row) => !(/** @type {HTMLElement} */ (row).hidden));
      section.hidden = !rows.length;
      const text = `${KINDS[kind] || kind} ${rows.length}`;
      if (heading.textContent !== text)
        heading.replaceChildren(
          KINDS[kind] || kind,
          " ",
          h("span", { class: "dim" }, String(rows.length)),
        );
    }
    this.none.hidden = shown > 0;
    const asked = this.filters.text;
    this.none.textContent = this.rows.size
      ? `Nothing matches${asked ? ` “${cut(visible(asked), 60)}”` : ""}.`
      : "The file has no entries.";
    this.filters.tell(shown, this.rows.size);
  }

  /** Time goes on, though nothing happens. */
  tick() {
    for (const row of this.rows.values()) row.tick();
  }
}
