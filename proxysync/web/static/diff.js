// @ts-check
/** Edits in the words of the file: the old in red with a minus, the new in green with a plus. */
import { h, long, visible } from "./dom.js";

/** @param {unknown} value */
function shown(value) {
  if (typeof value === "string") return value;
  return JSON.stringify(value, null, Array.isArray(value) && value.length < 8 ? 0 : 1) ?? "";
}

/** @param {import("./api.js").Edit[]} edits */
export function diff(edits) {
  if (!edits.length) return h("p", { class: "dim" }, "No field changes.");
  return h(
    "dl",
    { class: "diff" },
    edits.map((edit) => {
      const [gone, come] = sides(edit);
      return [
        h("dt", null, visible(edit.path)),
        gone.map((value) => line("old", "was: ", value)),
        come.map((value) => line("new", "is now: ", value)),
      ];
    }),
  );
}

/** @param {string} side @param {string} said @param {unknown} value */
function line(side, said, value) {
  return h("dd", { class: side }, h("span", { class: "sr" }, said), long(shown(value)));
}

/**
 * What was and what is; of two lists only what is not in the other.
 * @param {import("./api.js").Edit} edit
 * @returns {[unknown[], unknown[]]}
 */
function sides({ from, to }) {
  if (Array.isArray(from) && Array.isArray(to)) {
    const [was, is] = [from, to].map((list) => new Set(list.map(shown)));
    const gone = from.filter((item) => !is.has(shown(item)));
    const come = to.filter((item) => !was.has(shown(item)));
    if (gone.length + come.length) return [gone, come];
  }
  return [[from].filter(isSaid), [to].filter(isSaid)];
}

/** @param {unknown} value */
function isSaid(value) {
  return value !== null && value !== undefined;
}
