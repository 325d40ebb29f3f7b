// @ts-check
/** What the page knows, kept up to date: one refetch for a burst of events, and polls where there are none. */
import { ApiError, followEvents, getHealthOverview, listEvents, listResources } from "./api.js";

/**
 * @typedef {import("./api.js").Entry} Entry
 * @typedef {import("./api.js").LogEvent} LogEvent
 * @typedef {import("./api.js").HealthRow} HealthRow
 * @typedef {import("./api.js").Warning} Warning
 */

/** Milliseconds that a burst of events is let go on before one refetch, and between two of them. */
const GATHER = 250;
const BETWEEN = 1000;

/** Milliseconds between two polls: checks that change nothing are no events, and yet are shown. */
const POLL = 5000;
const POLL_HIDDEN = 60000;

/** The same as a multiple of what a reading takes, so that a long list is read less often. */
const RARE = 40;

/** Milliseconds between two readings of the days, which change slowly. */
const FIGURES = 60000;

/** Events that are kept for the feed. */
const KEEP = 100;

export class Store {
  constructor() {
    /** @type {Entry[]} */
    this.entries = [];
    /** @type {Warning[]} */
    this.warnings = [];
    /** @type {string | null} */
    this.commit = null;
    /** @type {Map<string, HealthRow>} */
    this.figures = new Map();
    this.today = new Date().toISOString().slice(0, 10);
    /** @type {LogEvent[]} the newest first */
    this.events = [];
    /** When the entries were read last, in milliseconds; 0 for never. */
    this.readAt = 0;
    /** Why they cannot be read now. @type {ApiError | null} */
    this.error = null;
    this.isLive = false;
    /** @type {Set<(store: Store) => void>} */
    this.listeners = new Set();
    /** @type {Set<(event: LogEvent) => void>} */
    this.hearers = new Set();
    this.figuresAt = 0;
    this.timer = 0;
    this.isReading = false;
    this.isStale = false;
  }

  /** Begins, and goes on for as long as the page is open. */
  async start() {
    await Promise.all([this.read(), this.readEvents()]);
    this.follow();
    document.addEventListener("visibilitychange", () => document.hidden || this.refresh(0));
    addEventListener("online", () => this.refresh(0));
  }

  /** Reads all anew, soon; what asks meanwhile is served by the same reading. @param {number} [delay] milliseconds */
  refresh(delay = GATHER) {
    if (this.isReading) {
      this.isStale = true;
      return;
    }
    const wait = Math.max(delay, this.readAt + BETWEEN - Date.now());
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.read(), wait);
  }

  async read() {
    clearTimeout(this.timer);
    this.isReading = true;
    this.isStale = false;
    const begin = performance.now();
    try {
      const listing = await listResources({ foreign: true });
      this.entries = listing.entries;
      this.warnings = listing.warnings;
      this.commit = listing.commit;
      this.readAt = Date.now();
      this.error = null;
    } catch (error) {
      this.error = error instanceof ApiError ? error : new ApiError(0, { message: String(error) });
    }
    this.isReading = false;
    const pause = Math.max(
      document.hidden ? POLL_HIDDEN : POLL,
      RARE * (performance.now() - begin),
    );
    this.tell();
    if (this.isStale) this.refresh();
    else this.timer = setTimeout(() => this.read(), pause);
    if (!this.error && Date.now() - this.figuresAt > FIGURES) await this.readFigures();
  }

  async readFigures() {
    this.figuresAt = Date.now();
    try {
      const overview = await getHealthOverview();
      this.today = overview.today;
      this.figures = new Map(overview.entries.map((row) => [`${row.kind}/${row.name}`, row]));
      this.tell();
    } catch {
      this.figuresAt = 0;
    }
  }

  async readEvents() {
    try {
      const { events } = await listEvents({ limit: KEEP });
      const newest = this.events[0]?.id;
      const fresh = events.filter((event) => newest !== undefined && event.id > newest);
      this.events = events;
      for (const event of fresh.reverse()) for (const hearer of this.hearers) hearer(event);
      if (fresh.length) this.refresh();
      this.tell();
    } catch {
      // The entries say what cannot be reached.
    }
  }

  /**
   * Follows events while somebody looks. A browser opens six connections to a server for all tabs together:
   * those that nobody sees must not hold one.
   */
  follow() {
    let timer = 0;
    /** @type {AbortController | null} */
    let following = null;
    const poll = async () => {
      await this.readEvents();
      timer = setTimeout(poll, POLL);
    };
    /** @param {boolean} isLive */
    const show = (isLive) => {
      const isOther = isLive !== this.isLive;
      this.isLive = isLive;
      clearTimeout(timer);
      if (!isLive && !document.hidden) timer = setTimeout(poll, POLL);
      if (isOther) this.refresh(0);
      this.tell();
    };
    const end = () => {
      following?.abort();
      following = null;
    };
    const begin = () => {
      if (following || document.hidden) return;
      following = new AbortController();
      followEvents((event) => this.hear(event), {
        lastId: this.events[0]?.id ?? null,
        signal: following.signal,
        onState: (state) => show(state === "open"),
        onReset: () => {
          this.readEvents();
          this.refresh(0);
        },
      });
    };
    addEventListener("pagehide", end);
    addEventListener("pageshow", begin);
    document.addEventListener("visibilitychange", () => {
      if (!document.hidden) return begin();
      end();
      show(false);
    });
    begin();
  }

  /** @param {LogEvent} event */
  hear(event) {
    if (this.events.some((known) => known.id === event.id)) return;
    this.events = [event, ...this.events].slice(0, KEEP);
    if (event.source === "health")
      this.figuresAt = Math.min(this.figuresAt, Date.now() - FIGURES + 5000);
    for (const hearer of this.hearers) hearer(event);
    this.tell();
    this.refresh();
  }

  tell() {
    for (const listener of this.listeners) listener(this);
  }
}
