// @ts-check
/** Says whether what is shown is live, and since when it is not. */
import { fill, h, icon } from "./dom.js";
import { time } from "./words.js";

/** Milliseconds without an answer before it is told: a restart takes less. */
const PATIENCE = 2500;

/** @param {HTMLElement} place @param {HTMLElement} banner @param {import("./store.js").Store} store */
export function connection(place, banner, store) {
  let failedAt = 0;
  function show() {
    if (!store.error) failedAt = 0;
    else failedAt ||= Date.now();
    const isLost = failedAt > 0 && (Date.now() - failedAt >= PATIENCE || !store.readAt);
    if (failedAt && !isLost) setTimeout(show, PATIENCE);
    const [tone, symbol, word] = isLost
      ? ["bad", "alert", "no connection"]
      : store.isLive
        ? ["good", "dot", "live"]
        : ["calm", "ring", store.readAt ? "polling" : "connecting"];
    fill(place, h("span", { class: `mark ${tone}` }, icon(symbol), h("span", null, word)));
    banner.hidden = !isLost;
    document.body.classList.toggle("is-lost", isLost);
    if (!isLost) return banner.replaceChildren();
    const why =
      store.error && store.error.status
        ? `proxysync answers with an error: ${store.error.message}.`
        : "proxysync does not answer.";
    const since = store.readAt
      ? [" What is shown is from ", time(new Date(store.readAt).toISOString()), "."]
      : null;
    fill(
      banner,
      icon("alert"),
      h(
        "p",
        null,
        h("strong", null, why),
        since,
        store.error?.hint ? ` ${store.error.hint}` : " It is tried again by itself.",
      ),
    );
  }
  store.listeners.add(show);
  show();
}
