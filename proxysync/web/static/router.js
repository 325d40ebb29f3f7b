// @ts-check
/** Which view an address means. The part behind `#` is the path, so that each view has an address of its own. */

/**
 * @typedef {object} View
 * @property {HTMLElement} element
 * @property {string} title
 * @property {(store: import("./store.js").Store) => void} [update] called whenever something is new
 * @property {() => void} [close]
 */

/** @typedef {{parts: string[], query: URLSearchParams}} Address */

/** @returns {Address} */
export function address() {
  const [path, query = ""] = location.hash.replace(/^#\/?/, "").split("?", 2);
  return { parts: path.split("/").filter(Boolean).map(decoded), query: new URLSearchParams(query) };
}

/** @param {string} text */
function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/**
 * Shows the view of the address, and the next one when it changes. A new view gets the focus on its heading, so
 * that a screen reader says where it is; back on the list, the entry that was left gets it.
 * @param {HTMLElement} main
 * @param {(address: Address) => View} viewOf
 * @param {import("./store.js").Store} store
 */
export function route(main, viewOf, store) {
  /** @type {View | null} */
  let view = null;
  let shown = "";
  /** @type {Map<string, {scroll: number, focus: string | null}>} */
  const left = new Map();

  function show() {
    const { parts } = address();
    const path = parts.join("/");
    const isFirst = view === null;
    if (view)
      left.set(shown, {
        scroll: scrollY,
        focus: document.activeElement?.getAttribute("href") ?? null,
      });
    view?.close?.();
    view = viewOf(address());
    shown = path;
    document.title = `${view.title} · proxysync`;
    main.replaceChildren(view.element);
    view.update?.(store);
    for (const link of document.querySelectorAll("nav a")) {
      const isHere = link.getAttribute("href") === `#/${parts[0] ?? ""}`;
      if (isHere) link.setAttribute("aria-current", "page");
      else link.removeAttribute("aria-current");
    }
    if (!isFirst) arrive(left.get(path));
  }

  /** @param {{scroll: number, focus: string | null} | undefined} before */
  function arrive(before) {
    const links = before?.focus ? [...main.querySelectorAll("a")] : [];
    const known = links.find((link) => link.getAttribute("href") === before?.focus);
    const target = /** @type {HTMLElement | null} */ (known || main.querySelector("h1"));
    scrollTo(0, before?.scroll ?? 0);
    target?.focus({ preventScroll: true });
  }

  addEventListener("hashchange", show);
  store.listeners.add(() => view?.update?.(store));
  show();
}
