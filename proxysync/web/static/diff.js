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
    edits.map((edit) => [
      h("dt", null, visible(edit.path)),
      isSaid(edit.from) &&
        h("dd", { class: "old" }, h("span", { class: "sr" }, "was: "), long(shown(edit.from))),
      isSaid(edit.to) &&
        h("dd", { class: "new" }, h("span", { class: "sr" }, "is now: "), long(shown(edit.to))),
    ]),
  );
}

/** @param {unknown} value */
function isSaid(value) {
  return value !== null && value !== undefined;
}
