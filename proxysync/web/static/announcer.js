// @ts-check
/** Tells a screen reader what matters of the events, gathered, so that it is not talked to all the time. */
import { cut, visible } from "./dom.js";
import { count } from "./words.js";

const GATHER = 1500;
const MOST = 3;

export class Announcer {
  /** @param {HTMLElement} place @param {import("./store.js").Store} store */
  constructor(place, store) {
    this.place = place;
    /** @type {string[]} */
    this.waiting = [];
    this.timer = 0;
    store.hearers.add((event) => this.hear(event));
  }

  /** @param {import("./api.js").LogEvent} event */
  hear(event) {
    if (event.severity === "info" && event.event !== "health.changed") return;
    this.waiting.push(cut(visible(event.message.split("\n")[0]), 200));
    this.timer ||= setTimeout(() => this.tell(), GATHER);
  }

  tell() {
    this.timer = 0;
    const said =
      this.waiting.length > MOST ? count(this.waiting.length, "change") : this.waiting.join(". ");
    this.waiting = [];
    this.place.textContent = said;
  }
}
