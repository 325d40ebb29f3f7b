// @ts-check
/** One entry in the list. */
import { fill, h, icon, short } from "./dom.js";
import { sparkline, uptimeBars } from "./charts.js";
import { healthLook, mark, pathOf, percent, since, syncLook, toneOf } from "./words.js";

/** @typedef {import("./api.js").Entry} Entry @typedef {import("./api.js").HealthRow} HealthRow */

export class Row {
  constructor() {
    /** @type {Entry | null} */
    this.entry = null;
    this.known = "";
    this.drawn = "";
    this.figures = /** @type {HealthRow | undefined} */ (undefined);
    this.link = h("a", { class: "name" });
    this.where = h("p", { class: "where" });
    this.tags = h("p", { class: "tags" });
    this.sync = h("div", { class: "cell sync" });
    this.health = h("div", { class: "cell health" });
    this.days = h("div", { class: "cell days" });
    this.share = h("span", { class: "share", title: "uptime of the last 30 days" });
    this.latency = h("div", { class: "cell latency" });
    this.element = h(
      "li",
      { class: "row" },
      h("div", { class: "cell who" }, this.link, this.tags, this.where),
      this.sync,
      this.health,
      this.days,
      this.latency,
    );
  }

  /** @param {Entry} entry @param {HealthRow | undefined} figures @param {string} today */
  update(entry, figures, today) {
    const text = JSON.stringify(entry);
    const isNew = text !== this.known;
    const drawn = figures === this.figures ? this.drawn : JSON.stringify([figures, today]);
    const isOther = drawn !== this.drawn;
    Object.assign(this, { entry, known: text, figures, drawn });
    if (isNew) this.showEntry(entry);
    if (isOther || !this.days.hasChildNodes()) this.showDays(entry, today);
    if (isNew || isOther) this.showFigures(entry);
  }

  /** @param {Entry} entry */
  showEntry(entry) {
    this.element.className = `row ${toneOf(entry)}`;
    this.link.setAttribute("href", pathOf(entry));
    fill(this.link, short(entry.name, 60));
    fill(this.where, where(entry));
    const tags = (entry.tags || []).slice(0, 6);
    fill(
      this.tags,
      tags.map((tag) => h("span", { class: "tag" }, short(tag, 30))),
      entry.note ? h("span", { class: "note" }, short(entry.note, 80)) : null,
    );
    const [tone, symbol] = syncLook(entry);
    fill(this.sync, mark(tone, symbol, entry.sync));
    this.tick();
  }

  /** @param {Entry} entry @param {string} today */
  showDays(entry, today) {
    const days = this.figures?.days || [];
    fill(this.days, entry.watched || days.length ? [uptimeBars(days, today), this.share] : null);
  }

  /** @param {Entry} entry */
  showFigures(entry) {
    const share = percent(entry.uptime["30d"]);
    if (this.share.textContent !== share) this.share.textContent = share;
    const latencies = this.figures?.latencies || [];
    const isKnown = entry.watched && entry.latency_ms !== null;
    fill(
      this.latency,
      latencies.length ? sparkline(latencies) : null,
      isKnown ? h("span", { class: "ms" }, `${entry.latency_ms} ms`) : null,
    );
  }

  tick() {
    const entry = this.entry;
    if (!entry) return;
    const now = Date.now();
    const { tone, icon: symbol, word } = healthLook(entry, now);
    const began = entry.watched ? entry.health_since : null;
    const edge = entry.edge === "not_served" ? mark("bad", "block", "not served") : null;
    fill(
      this.health,
      mark(tone, symbol, word),
      edge,
      began ? h("span", { class: "dim" }, `for ${since(began, now)}`) : null,
    );
  }
}

/** Domains, and where they lead. @param {Entry} entry */
export function where(entry) {
  const domains = entry.domains
    .slice(0, 3)
    .map((domain, index) => [index ? ", " : "", short(domain, 80)]);
  const more = entry.domains.length > 3 ? ` +${entry.domains.length - 3}` : "";
  const target = entry.upstream || entry.holder;
  return [
    domains,
    more,
    target ? [entry.domains.length ? [" ", icon("arrow"), " "] : null, short(target, 80)] : null,
  ];
}
