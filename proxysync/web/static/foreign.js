// @ts-check
/** What is in NPM and not ours. */
import { fill, h, short, table } from "./dom.js";
import { count, isForeign, KIND } from "./words.js";

/** @returns {import("./router.js").View} */
export function foreignPage() {
  const note = h(
    "p",
    { class: "summary" },
    "No entry of the file stands for them, so that proxysync never touches them. ",
    h("code", null, "proxysync adopt NAME"),
    " takes over the one that holds the domains of an entry.",
  );
  const summary = h("p", { class: "summary" });
  const place = h("div", null);
  const element = h(
    "div",
    { class: "page" },
    h("h1", { tabindex: "-1" }, "Foreign hosts"),
    summary,
    note,
    place,
  );
  /** @param {import("./store.js").Store} store */
  function update(store) {
    if (!store.readAt) return;
    const found = store.entries.filter(isForeign);
    note.hidden = !found.length;
    summary.textContent = found.length
      ? `${count(found.length, "object")} in NPM ${found.length === 1 ? "is" : "are"} not ours.`
      : "Everything in NPM is ours, as far as the account sees it.";
    const heads = ["Kind", "Number", "Domains", "Leads to", "Enabled", "Whose"];
    fill(place, found.length > 0 && table(heads, found.map(row)));
  }
  return { element, title: "Foreign hosts", update };
}

/** @param {import("./api.js").Entry} entry */
function row(entry) {
  const owner = /^foreign \((.*)\)$/s.exec(entry.sync)?.[1];
  return [
    KIND[entry.kind] || entry.kind,
    `#${entry.npm_id}`,
    entry.domains.length
      ? entry.domains.map((domain, index) => [index ? ", " : "", short(domain, 80)])
      : "–",
    short(entry.upstream || entry.holder || "–", 80),
    entry.enabled ? "yes" : "no",
    owner ? ["another proxysync: ", short(owner, 60)] : "nobody's",
  ];
}
