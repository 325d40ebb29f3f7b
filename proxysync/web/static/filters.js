// @ts-check
/** Which entries are shown: by text, kind, sync, tag, or only those that need attention. Kept in the address. */
import { fill, h } from "./dom.js";
import { KINDS, toneOf } from "./words.js";

/** @typedef {import("./api.js").Entry} Entry */

export class Filters {
  /** @param {URLSearchParams} query @param {() => void} onChange */
  constructor(query, onChange) {
    this.onChange = onChange;
    this.search = h("input", {
      type: "search",
      id: "search",
      placeholder: "Search",
      "aria-label": "Search entries",
      autocomplete: "off",
      spellcheck: "false",
      oninput: () => this.changed(),
    });
    this.wrong = h("input", { type: "checkbox", id: "wrong", onchange: () => this.changed() });
    this.kind = this.select("Kind", "All kinds");
    this.sync = this.select("Sync", "Any sync");
    this.tag = this.select("Tag", "Any tag");
    this.shown = h("output", { class: "dim", for: "search" });
    this.search.value = query.get("q") || "";
    this.wrong.checked = query.has("wrong");
    /** What the address asks for; options come with the entries. */
    this.wanted = {
      kind: query.get("kind") || "",
      sync: query.get("sync") || "",
      tag: query.get("tag") || "",
    };
    this.element = h(
      "search",
      { class: "filters" },
      this.search,
      h("label", { class: "toggle" }, this.wrong, h("span", null, "Needs attention")),
      this.kind,
      this.sync,
      this.tag,
      this.shown,
    );
  }

  /** @param {string} label @param {string} all */
  select(label, all) {
    return h(
      "select",
      { "aria-label": label, onchange: () => this.changed() },
      h("option", { value: "" }, all),
    );
  }

  get text() {
    return this.search.value.trim();
  }

  /** Offers what there is to choose from. @param {Entry[]} entries */
  offer(entries) {
    this.options(
      this.kind,
      "kind",
      new Set(entries.map((entry) => entry.kind)),
      (kind) => KINDS[kind] || kind,
    );
    this.options(this.sync, "sync", new Set(entries.map((entry) => entry.sync)), (word) => word);
    this.options(
      this.tag,
      "tag",
      new Set(entries.flatMap((entry) => entry.tags || [])),
      (tag) => tag,
    );
  }

  /**
   * @param {HTMLSelectElement} select @param {"kind" | "sync" | "tag"} name @param {Set<string>} values
   * @param {(value: string) => string} label
   */
  options(select, name, values, label) {
    const chosen = select.value || this.wanted[name];
    const offered = [...values].sort();
    if (chosen && !values.has(chosen)) offered.push(chosen);
    const first = select.options[0].cloneNode(true);
    fill(select, first, ...offered.map((value) => h("option", { value }, label(value))));
    if (select.value !== chosen) select.value = chosen;
    select.hidden = offered.length < 2 && !chosen;
  }

  changed() {
    this.wanted = { kind: this.kind.value, sync: this.sync.value, tag: this.tag.value };
    const query = new URLSearchParams();
    if (this.text) query.set("q", this.text);
    if (this.wrong.checked) query.set("wrong", "1");
    for (const [name, value] of Object.entries(this.wanted)) if (value) query.set(name, value);
    const text = query.toString();
    history.replaceState(null, "", text ? `#/?${text}` : "#/");
    this.onChange();
  }

  /** @returns {(entry: Entry) => boolean} */
  matcher() {
    const words = this.text.toLowerCase().split(/\s+/).filter(Boolean);
    const { kind, sync, tag } = {
      kind: this.kind.value,
      sync: this.sync.value,
      tag: this.tag.value,
    };
    const isWrongOnly = this.wrong.checked;
    return (entry) => {
      if (kind && entry.kind !== kind) return false;
      if (sync && entry.sync !== sync) return false;
      if (tag && !(entry.tags || []).includes(tag)) return false;
      if (isWrongOnly && toneOf(entry) === "good") return false;
      if (!words.length) return true;
      const text = [entry.name, ...entry.domains, entry.upstream, entry.note, ...(entry.tags || [])]
        .join(" ")
        .toLowerCase();
      return words.every((word) => text.includes(word));
    };
  }

  /** @param {number} shown @param {number} all */
  tell(shown, all) {
    const text = shown === all ? "" : `${shown} of ${all}`;
    if (this.shown.textContent !== text) this.shown.textContent = text;
  }
}
