// @ts-check
/** Events: the newest ones beside the list, and all of them on a page of their own. */
import { ApiError, listEvents } from "./api.js";
import { fill, h, icon, long, short } from "./dom.js";
import { pathOf, time } from "./words.js";

/** @typedef {import("./api.js").LogEvent} LogEvent @typedef {import("./store.js").Store} Store */

const SHOWN = 30;

const SYMBOL = { info: "dot", warn: "clock", error: "alert" };
const TONE = { info: "calm", warn: "warn", error: "bad" };

/** @param {LogEvent} event @param {{brief?: boolean}} [how] */
export function eventItem(event, { brief = false } = {}) {
  const message = brief ? short(event.message, 180) : long(event.message);
  const about =
    event.kind && event.name
      ? h("a", { href: pathOf({ kind: event.kind, name: event.name }) }, message)
      : message;
  return h(
    "li",
    { class: TONE[event.severity], "data-id": String(event.id) },
    icon(SYMBOL[event.severity]),
    h(
      "div",
      null,
      h("p", null, h("span", { class: "sr" }, `${event.severity}: `), about),
      h("p", { class: "dim" }, time(event.ts), brief ? null : ` · ${event.event}`),
    ),
  );
}

/** The newest events, which scroll by silently: what matters of them is announced elsewhere. */
export function feed() {
  const list = h("ol", { class: "events", "aria-label": "Newest events" });
  const element = h(
    "aside",
    { class: "feed", "aria-labelledby": "feed" },
    h("h2", { id: "feed" }, "Events"),
    list,
    h("p", null, h("a", { href: "#/events" }, "All events")),
  );
  let newest = -1;
  /** @param {Store} store */
  function update(store) {
    const id = store.events[0]?.id ?? 0;
    if (id === newest) return;
    newest = id;
    fill(list, ...store.events.slice(0, SHOWN).map((event) => eventItem(event, { brief: true })));
  }
  return { element, update };
}

/** @returns {import("./router.js").View} */
export function eventsPage() {
  const list = h("ol", { class: "events wide" });
  const severity = h(
    "select",
    { "aria-label": "Least severity", onchange: () => read(null) },
    ["info", "warn", "error"].map((s) =>
      h(
        "option",
        { value: s },
        s === "info" ? "All severities" : s === "warn" ? "Warnings and errors" : "Errors",
      ),
    ),
  );
  const more = h(
    "button",
    { type: "button", hidden: true, onclick: () => read(before) },
    "Older events",
  );
  const trouble = h("p", { class: "empty", role: "alert" });
  const element = h(
    "div",
    { class: "page" },
    h("h1", { tabindex: "-1" }, "Events"),
    h("div", { class: "filters" }, severity),
    list,
    trouble,
    more,
  );
  /** @type {number | null} */
  let before = null;
  const order = { info: 0, warn: 1, error: 2 };

  /** @param {number | null} from */
  async function read(from) {
    trouble.textContent = "";
    try {
      const page = await listEvents({
        severity: severity.value,
        limit: 100,
        ...(from ? { before: from } : {}),
      });
      if (!from) list.replaceChildren();
      const first = page.events[0]?.id;
      list.append(...page.events.map((event) => eventItem(event)));
      before = page.next_before;
      more.hidden = before === null;
      if (from)
        /** @type {HTMLElement | null} */ (list.querySelector(`[data-id="${first}"] a`))?.focus();
      if (!list.children.length) trouble.textContent = "Nothing has happened yet.";
    } catch (error) {
      trouble.textContent = error instanceof ApiError ? error.message : String(error);
    }
  }

  /** @param {Store} store */
  function update(store) {
    const newest = Number(
      /** @type {HTMLElement | null} */ (list.firstElementChild)?.dataset.id ?? 0,
    );
    if (!newest) return;
    const least = order[/** @type {"info"} */ (severity.value)];
    const fresh = store.events.filter(
      (event) => event.id > newest && order[event.severity] >= least,
    );
    list.prepend(...fresh.map((event) => eventItem(event)));
  }

  read(null);
  return { element, title: "Events", update };
}
