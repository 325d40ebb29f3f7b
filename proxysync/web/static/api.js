// @ts-check
/**
 * The HTTP API of proxysync, one function for each endpoint. It needs no page around it: another front end
 * may import it, and give it its address and token by `configure`.
 */
import { readServerSentEvents } from "./stream.js";

/**
 * @typedef {"pass" | "fail" | "warn" | "skipped"} StepStatus
 * @typedef {{name: string, status: StepStatus, detail: string, hint: string | null, duration_ms: number}} ValidationStep
 *   One step of a validation: syntax, dns, tcp or http.
 * @typedef {object} ValidationResult What validation found of one entry.
 * @property {string} kind
 * @property {string} name
 * @property {string | null} upstream
 * @property {boolean} ok
 * @property {boolean} blocks whether it would be kept out of NPM
 * @property {string | null} skipped why nothing was probed
 * @property {ValidationStep[]} steps
 * @property {{path: string, upstream: string, ok: boolean, steps: ValidationStep[]}[]} locations
 * @typedef {{path: string, message: string, hint: string | null, line: number}} Problem what no file could hold
 * @typedef {{results: ValidationResult[], problems?: Problem[], warnings?: {message: string}[]}} ValidationReport
 * @typedef {ValidationStep & {location: string | null, upstream: string}} StepOfUpstream
 * @typedef {"healthy" | "unhealthy" | "unknown"} ProxyHealthStatus
 *
 * @typedef {object} Entry An entry of the file, or a host in NPM that no entry asks for.
 * @property {string} kind
 * @property {string | null} name
 * @property {boolean} managed
 * @property {number | null} npm_id
 * @property {string[]} domains
 * @property {string | null} upstream
 * @property {string | null} holder what it is, where it has no upstream to be known by
 * @property {boolean} enabled
 * @property {string} sync
 * @property {string | null} detail
 * @property {string | null} hint
 * @property {string | null} since
 * @property {string | null} next_try
 * @property {ProxyHealthStatus} health
 * @property {string | null} health_since
 * @property {string | null} health_detail
 * @property {string | null} health_hint
 * @property {string | null} checked_at
 * @property {string | null} health_valid_until after this moment, what is known of its health is outdated
 * @property {number | null} latency_ms
 * @property {boolean} stale
 * @property {"served" | "not_served" | "unknown"} edge what visitors get from NPM's nginx
 * @property {string | null} edge_detail
 * @property {string | null} edge_hint
 * @property {string | null} edge_checked_at
 * @property {boolean} watched
 * @property {Record<string, number | null>} uptime shares by 24h, 7d and 30d
 * @property {string | null} [note]
 * @property {string[]} [tags]
 * @property {LogEvent[]} [changes]
 *
 * @typedef {{event: string, message: string, since: string | null}} Warning
 * @typedef {{entries: Entry[], warnings: Warning[], commit: string | null}} Listing
 *
 * @typedef {object} LogEvent
 * @property {number} id
 * @property {string} ts
 * @property {"info" | "warn" | "error"} severity
 * @property {string} source
 * @property {string} event
 * @property {string | null} kind
 * @property {string | null} name
 * @property {string} message
 * @property {Record<string, unknown>} data
 *
 * @typedef {{events: LogEvent[], next_before: number | null}} EventPage
 * @typedef {{severity?: string, source?: string, kind?: string, name?: string, since?: string, before?: number, limit?: number}} EventFilter
 *
 * @typedef {{path: string, from: unknown, to: unknown}} Edit
 * @typedef {{action: string, kind: string, name: string, npm_id: number | null, outcome: string | null, message: string, edits?: Edit[]}} AppliedChange
 * @typedef {{id: number, started: string, ended: string | null, why: string, outcome: string | null, under_way: boolean, commit: string | null, changes: AppliedChange[]}} AppliedRun
 * @typedef {{action: string, kind: string, name: string, reason: string | null, edits: Edit[]}} PlannedChange
 * @typedef {{summary: Record<string, number>, changes: PlannedChange[], refused: string | null}} Plan
 *
 * @typedef {{kind: string, name: string, days: (number | null)[], latencies: (number | null)[]}} HealthRow
 * @typedef {{today: string, entries: HealthRow[]}} HealthOverview
 * @typedef {{day: string, checks: number, ok: number, p50: number | null, p95: number | null}} HealthDay
 * @typedef {{kind: string, name: string, days: HealthDay[], checks: {at: string, ok: boolean, latency_ms: number | null}[]}} HealthDetails
 *
 * @typedef {{outcome: "applied" | "replaced" | "failed" | "pending" | "unchanged", events: LogEvent[]}} ApplyResult
 * @typedef {{kind: string, name: string, file: string, written: boolean, fingerprint: string, validation: ValidationResult | null, apply?: ApplyResult}} Written
 *
 * @typedef {Record<string, unknown>} EntryFields the fields of an entry, as in the file
 */

/** An answer that is an error, or none at all: then `status` is 0. */
export class ApiError extends Error {
  /**
   * @param {number} status
   * @param {{code?: string, message?: string, hint?: string | null}} error
   * @param {unknown} [body] the whole answer
   */
  constructor(status, error, body) {
    super(error.message || `HTTP ${status}`);
    this.status = status;
    this.code = error.code || "unknown";
    this.hint = error.hint || null;
    this.body = body;
  }
}

/** @type {{base: string, token: () => string | null, onUnauthorized: (() => Promise<boolean>) | null}} */
const settings = { base: "", token: () => null, onUnauthorized: null };

/**
 * Where the API is, and what to do where it wants a token.
 * @param {Partial<typeof settings>} given `onUnauthorized` gets another token, and says whether there is one
 */
export function configure(given) {
  Object.assign(settings, given);
}

/**
 * @param {string} path
 * @param {RequestInit} [options]
 * @returns {Promise<Response>}
 */
async function send(path, options = {}) {
  const headers = new Headers(options.headers);
  const token = settings.token();
  if (token) headers.set("Authorization", `Bearer ${token}`);
  let response;
  try {
    response = await fetch(settings.base + path, { ...options, headers });
  } catch (error) {
    if (options.signal?.aborted) throw error;
    throw new ApiError(0, { code: "unreachable", message: "proxysync does not answer" });
  }
  if (response.status === 401 && settings.onUnauthorized) {
    // Another request may have got a new token meanwhile.
    const isOther = settings.token() !== token;
    if (isOther || (await settings.onUnauthorized())) return send(path, options);
  }
  return response;
}

/**
 * @param {string} path
 * @param {RequestInit} [options]
 * @returns {Promise<any>}
 */
async function ask(path, options) {
  return answerOf(await send(path, options));
}

/** @param {Response} response */
async function answerOf(response) {
  if (response.status === 204) return null;
  let body;
  try {
    body = await response.json();
  } catch {
    throw new ApiError(response.status, {
      code: "no.json",
      message: `the answer is no JSON (HTTP ${response.status})`,
    });
  }
  if (!response.ok) throw new ApiError(response.status, body?.error || {}, body);
  return body;
}

/** @param {Record<string, unknown>} values */
function query(values) {
  const given = Object.entries(values).filter(
    ([, value]) => value !== undefined && value !== null && value !== "",
  );
  const text = new URLSearchParams(given.map(([name, value]) => [name, String(value)])).toString();
  return text && `?${text}`;
}

/** @param {unknown} value @param {RequestInit} [more] */
function json(value, more = {}) {
  const headers = {
    "Content-Type": "application/json",
    .../** @type {Record<string, string>} */ (more.headers),
  };
  return { ...more, headers, body: JSON.stringify(value) };
}

const part = encodeURIComponent;

/**
 * What this server lets its clients do.
 * @returns {Promise<{version: string, write: {allowed: boolean, reason: string | null}}>}
 */
export function getAbout() {
  return ask("api/about");
}

/** Proxies of the file. @returns {Promise<Listing>} */
export async function listProxies() {
  return listing(await ask("api/proxies"), "proxies");
}

/** The same with the proxy hosts in NPM that are not ours. @returns {Promise<Listing>} */
export async function listAllProxies() {
  return listing(await ask("api/proxies/all"), "proxies");
}

/** Entries of every kind; with `foreign` also what is in NPM and not ours. @returns {Promise<Listing>} */
export async function listResources({ foreign = false } = {}) {
  return listing(await ask(foreign ? "api/resources/all" : "api/resources"), "resources");
}

/** @param {any} value @param {string} key @returns {Listing} */
function listing(value, key) {
  return { entries: value[key], warnings: value.warnings, commit: value.commit };
}

/** @param {string} name @returns {Promise<Entry>} */
export function getProxy(name) {
  return ask(`api/resources/proxy/${part(name)}`);
}

/** @param {string} kind @param {string} name @returns {Promise<Entry>} */
export function getResource(kind, name) {
  return ask(`api/resources/${part(kind)}/${part(name)}`);
}

/** 90 days and the last latencies of all that is watched. @returns {Promise<HealthOverview>} */
export function getHealthOverview() {
  return ask("api/health");
}

/** @param {string} kind @param {string} name @returns {Promise<HealthDetails>} */
export function getHealth(kind, name) {
  return ask(`api/resources/${part(kind)}/${part(name)}/health`);
}

/** What would change in NPM. @returns {Promise<Plan>} */
export function getPlan() {
  return ask("api/plan");
}

/** What was applied, the newest first. @returns {Promise<AppliedRun[]>} */
export async function listHistory(limit = 50) {
  return (await ask(`api/history${query({ limit })}`)).runs;
}

/** One run with the edits of each change. @param {number} id @returns {Promise<AppliedRun>} */
export function getRun(id) {
  return ask(`api/history/${id}`);
}

/** Events, the newest first. @param {EventFilter} [filter] @returns {Promise<EventPage>} */
export function listEvents(filter = {}) {
  return ask(`api/events${query(filter)}`);
}

/**
 * Calls `onEvent` for each event from now on, through breaks of the connection, until `signal` ends it.
 * @param {(event: LogEvent) => void} onEvent
 * @param {object} [options]
 * @param {EventFilter} [options.filter]
 * @param {number | null} [options.lastId] the newest event that is known
 * @param {AbortSignal} [options.signal]
 * @param {(state: "open" | "lost" | "absent") => void} [options.onState] absent: this server has no live events
 * @param {() => void} [options.onReset] what was known is to be read anew: the event log is another one
 */
export async function followEvents(
  onEvent,
  { filter = {}, lastId = null, signal, onState, onReset } = {},
) {
  let usual = 1000;
  let pause = usual;
  while (!signal?.aborted) {
    try {
      const headers = {
        Accept: "text/event-stream",
        ...(lastId === null ? {} : { "Last-Event-ID": String(lastId) }),
      };
      const response = await send(`api/events/stream${query(filter)}`, {
        headers,
        signal,
        cache: "no-store",
      });
      if (response.status === 404) return onState?.("absent");
      if (!response.ok || !response.body) throw new ApiError(response.status, {});
      onState?.("open");
      for await (const message of readServerSentEvents(response.body)) {
        usual = message.retry ?? usual;
        pause = usual;
        if (message.id) lastId = Number(message.id);
        if (message.event === "reset") onReset?.();
        else if (message.event === "message" && message.data) onEvent(JSON.parse(message.data));
      }
    } catch {
      // It is told as lost, whatever broke it.
    }
    if (signal?.aborted) return;
    onState?.("lost");
    await new Promise((resolve) => setTimeout(resolve, pause * (0.75 + Math.random() / 2)));
    pause = Math.min(pause * 2, 15000);
  }
}

/**
 * Whether an entry can work, without any side effect.
 * @param {EntryFields} entry its `name` may be left out
 * @param {(step: StepOfUpstream) => void} [onStep] called as each step ends
 * @param {AbortSignal} [signal]
 * @returns {Promise<ValidationReport>}
 */
export async function validateProxy(entry, onStep, signal) {
  const headers = { Accept: onStep ? "text/event-stream" : "application/json" };
  const request = json(entry, { method: "POST", headers, signal });
  const response = await send("api/proxies/validate", request);
  const isStream = response.headers.get("Content-Type")?.startsWith("text/event-stream");
  if (!isStream || !response.body || !onStep) return answerOf(response);
  for await (const message of readServerSentEvents(response.body)) {
    if (!message.data) continue;
    const value = JSON.parse(message.data);
    if (message.event === "step") onStep(value);
    if (message.event === "result") return value;
    if (message.event === "error") throw new ApiError(response.status, value.error, value);
  }
  throw new ApiError(0, { code: "cut", message: "the answer broke off" });
}

/**
 * Adds an entry to the file; a validation that fails is an ApiError of status 422.
 * @param {EntryFields} entry with its `name`
 * @param {string} [wait] how long to wait for the apply, such as 30s
 * @returns {Promise<Written>}
 */
export function createProxy(entry, wait) {
  return ask(`api/proxies${query({ wait })}`, json(entry, { method: "POST" }));
}

/**
 * Changes an entry of the file.
 * @param {string} name
 * @param {EntryFields} entry
 * @param {{wait?: string, ifMatch?: string}} [options] `ifMatch` is the fingerprint of the file that was read
 */
export function updateProxy(name, entry, { wait, ifMatch } = {}) {
  const headers = /** @type {HeadersInit} */ (ifMatch ? { "If-Match": ifMatch } : {});
  return ask(
    `api/proxies/${part(name)}${query({ wait })}`,
    json(entry, { method: "PUT", headers }),
  );
}

/**
 * Removes an entry from the file.
 * @param {string} name
 * @param {{wait?: string, ifMatch?: string}} [options]
 */
export function deleteProxy(name, { wait, ifMatch } = {}) {
  const headers = /** @type {HeadersInit} */ (ifMatch ? { "If-Match": ifMatch } : {});
  return ask(`api/proxies/${part(name)}${query({ wait })}`, { method: "DELETE", headers });
}
