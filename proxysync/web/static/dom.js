// @ts-check
/** Elements of the page. Whatever comes from outside becomes text, never markup. */

/** Characters of a text that are shown until the rest is asked for. */
const LONGEST = 400;

/** What turns the direction of text or cannot be seen: shown as its number. */
const UNSEEN =
  /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g;

/** @typedef {Node | string | number | null | undefined | false | Child[]} Child */

/**
 * An element. Properties that begin with `on` are listeners; all others are attributes, left out where they are
 * null or false.
 * @template {keyof HTMLElementTagNameMap} T
 * @param {T} tag
 * @param {Record<string, any> | null} [properties]
 * @param {...Child} children
 * @returns {HTMLElementTagNameMap[T]}
 */
export function h(tag, properties, ...children) {
  const element = document.createElement(tag);
  set(element, properties || {});
  append(element, children);
  return element;
}

const SVG = "http://www.w3.org/2000/svg";

/**
 * @param {string} tag
 * @param {Record<string, any> | null} [properties]
 * @param {...Child} children
 * @returns {SVGElement}
 */
export function svg(tag, properties, ...children) {
  const element = document.createElementNS(SVG, tag);
  set(element, properties || {});
  append(element, children);
  return element;
}

/** @param {Element} element @param {Record<string, any>} properties */
function set(element, properties) {
  for (const [name, value] of Object.entries(properties)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : String(value));
  }
}

/** @param {Element} element @param {Child[]} children */
function append(element, children) {
  for (const child of children) {
    if (child === null || child === undefined || child === false) continue;
    if (Array.isArray(child)) append(element, child);
    else element.append(child instanceof Node ? child : String(child));
  }
}

/** Puts other children into an element, and leaves it alone where they look the same.
 * @param {Element} element @param {...Child} children */
export function fill(element, ...children) {
  if (!element.hasChildNodes()) return append(element, children);
  const fresh = /** @type {Element} */ (element.cloneNode(false));
  append(fresh, children);
  if (element.childNodes.length && element.isEqualNode(fresh)) return;
  element.replaceChildren(...fresh.childNodes);
}

/** A symbol of the page's own set. @param {string} name */
export function icon(name) {
  return svg(
    "svg",
    { class: `icon icon-${name}`, "aria-hidden": "true", focusable: "false" },
    svg("use", { href: `#i-${name}` }),
  );
}

/** A table; on a phone each cell has its heading beside it. @param {string[]} heads @param {Child[][]} rows */
export function table(heads, rows) {
  return h(
    "table",
    { class: "table" },
    h(
      "thead",
      null,
      h(
        "tr",
        null,
        heads.map((head) => h("th", { scope: "col" }, head)),
      ),
    ),
    h(
      "tbody",
      null,
      rows.map((cells) =>
        h(
          "tr",
          null,
          cells.map((cell, index) => h("td", { "data-head": heads[index] }, cell)),
        ),
      ),
    ),
  );
}

/** What is behind control characters, made visible. @param {unknown} value */
export function visible(value) {
  return String(value).replace(
    UNSEEN,
    (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

/** A short text from outside, apart from the direction of the text around it. @param {unknown} value @param {number} [longest] */
export function short(value, longest = 120) {
  const text = visible(value);
  return h(
    "bdi",
    text.length > longest ? { title: text.slice(0, 2000) } : null,
    cut(text, longest),
  );
}

/** @param {string} text @param {number} longest */
export function cut(text, longest) {
  return text.length > longest ? `${text.slice(0, longest - 1)}…` : text;
}

/** A text from outside, cut where it is very long, with a button for the rest. @param {unknown} value @param {number} [longest] */
export function long(value, longest = LONGEST) {
  const text = visible(value);
  if (text.length <= longest) return h("bdi", null, text);
  const shown = h("bdi", null, cut(text, longest));
  const more = h(
    "button",
    { type: "button", class: "link", onclick: reveal },
    `show all ${text.length.toLocaleString("en")} characters`,
  );
  function reveal() {
    shown.textContent = text;
    shown.tabIndex = -1;
    shown.focus();
    more.remove();
  }
  return h("span", null, shown, " ", more);
}

/** @template {HTMLElement} T @param {string} id @returns {T} */
export function byId(id) {
  const found = document.getElementById(id);
  if (!found) throw new Error(`the page has no #${id}`);
  return /** @type {T} */ (found);
}
