// @ts-check
/** A form that checks an address while it is typed, and adds it to the file where that is allowed. */
import { ApiError, createProxy, getAbout, validateProxy } from "./api.js";
import { fill, h, icon, long, short } from "./dom.js";
import { pathOf } from "./words.js";

/** @typedef {import("./api.js").ValidationStep} ValidationStep @typedef {import("./api.js").ValidationReport} ValidationReport */

/** Milliseconds after the last key before it is checked. */
const QUIET = 700;

/** Stands in for a domain as long as there is none. */
const NO_DOMAIN = "address-check.invalid";

const STEPS = /** @type {const} */ (["syntax", "dns", "tcp", "http"]);
const WORDS = {
  syntax: "Is it an address?",
  dns: "Does its name resolve?",
  tcp: "Does its port accept connections?",
  http: "Does it answer HTTP?",
};
const LOOK = /** @type {const} */ ({
  pass: ["good", "check"],
  warn: ["warn", "question"],
  fail: ["bad", "cross"],
  skipped: ["calm", "off"],
});

/** @returns {import("./router.js").View} */
export function checkPage() {
  const form = new CheckForm();
  return { element: form.element, title: "Check", close: () => form.close() };
}

class CheckForm {
  constructor() {
    this.upstream = field("upstream", "http://10.0.0.5:8096", "url");
    this.domains = field("domains", "media.example.com", "text");
    this.name = field("name", "media", "text");
    this.steps = h("ol", { class: "steps" });
    this.problems = h("div", { class: "problems" });
    this.verdict = h("p", { class: "verdict", role: "status" });
    this.add = h(
      "button",
      { type: "button", class: "primary", "aria-disabled": "true" },
      "Add to the file",
    );
    this.addTitle = h("h2", null);
    this.addHelp = h("p", { class: "dim" });
    this.text = h("pre", { class: "card", tabindex: "0", "aria-label": "Entry for the file" });
    this.adding = h(
      "div",
      { class: "adding", hidden: true },
      this.addTitle,
      this.addHelp,
      this.text,
      this.add,
    );
    this.added = h("p", { class: "verdict", role: "status" });
    this.timer = 0;
    this.checked = "";
    this.isGood = false;
    this.canAdd = false;
    /** @type {AbortController | null} */
    this.running = null;
    /** @type {{allowed: boolean, reason: string | null} | null} */
    this.write = null;
    const form = h(
      "form",
      { class: "check card", novalidate: true },
      labelled(this.upstream, "Address", "Where NPM is to forward to: scheme, host and port."),
      labelled(
        this.domains,
        "Domains",
        "What visitors type, apart by spaces. Not needed to check an address.",
      ),
      labelled(
        this.name,
        "Name",
        "What it is called in the file. Left out, it is made of the domain.",
      ),
      h("p", null, h("button", { type: "submit" }, "Check now")),
    );
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.check(true);
    });
    form.addEventListener("input", () => {
      clearTimeout(this.timer);
      this.timer = setTimeout(() => this.check(), QUIET);
      this.offer();
    });
    this.add.addEventListener("click", () => this.create());
    this.element = h(
      "div",
      { class: "page" },
      h("h1", { tabindex: "-1" }, "Check an address"),
      h(
        "p",
        { class: "summary" },
        "Can it work as a proxy? Nothing is written, and NPM is not asked.",
      ),
      h(
        "div",
        { class: "halves" },
        form,
        h("div", { class: "card outcome" }, this.verdict, this.steps, this.problems),
      ),
      this.adding,
      this.added,
    );
    this.show({});
    getAbout().then(
      ({ write }) => {
        this.write = write;
        this.offer();
      },
      () => {},
    );
  }

  close() {
    clearTimeout(this.timer);
    this.running?.abort();
  }

  /** The entry as it would stand in the file. */
  entry() {
    const domains = this.domains.value.split(/[\s,]+/).filter(Boolean);
    const name = this.name.value.trim();
    return { ...(name ? { name } : {}), domains, upstream: this.upstream.value.trim() };
  }

  /** @param {boolean} [isAsked] whether somebody wants it, though nothing has changed */
  async check(isAsked = false) {
    clearTimeout(this.timer);
    const entry = this.entry();
    const text = JSON.stringify(entry);
    if (!entry.upstream || (text === this.checked && !isAsked)) return;
    this.checked = text;
    this.running?.abort();
    const running = new AbortController();
    this.running = running;
    this.isGood = false;
    /** @type {Record<string, ValidationStep>} */
    const steps = {};
    fill(this.problems);
    this.say("calm", "Checking …");
    this.show(steps, true);
    try {
      const sent = { ...entry, domains: entry.domains.length ? entry.domains : [NO_DOMAIN] };
      const report = await validateProxy(
        sent,
        (step) => {
          if (step.location !== null) return;
          steps[step.name] = step;
          this.show(steps, true);
        },
        running.signal,
      );
      this.report(report, steps);
    } catch (error) {
      if (running.signal.aborted) return;
      const found = error instanceof ApiError ? error : new ApiError(0, { message: String(error) });
      this.show(steps);
      this.say("bad", found.message, found.hint);
      if (found.status === 429 || found.code === "request.too_many") this.checked = "";
    }
    this.offer();
  }

  /** @param {ValidationReport} report @param {Record<string, ValidationStep>} steps */
  report(report, steps) {
    const [result] = report.results;
    for (const step of result?.steps || []) steps[step.name] = step;
    this.show(steps);
    this.isGood = !!result && !result.blocks && !report.problems?.length;
    const notes = [
      ...(report.problems || []),
      ...(report.warnings || []).map((warning) => ({ ...warning, path: "", hint: null })),
    ];
    fill(
      this.problems,
      notes.length > 0 &&
        h(
          "ul",
          null,
          notes.map((problem) =>
            h(
              "li",
              null,
              problem.path && [h("code", null, short(problem.path)), ": "],
              long(problem.message),
              problem.hint && h("p", { class: "hint" }, long(problem.hint)),
            ),
          ),
        ),
    );
    if (report.problems?.length) this.say("bad", "No file could hold this.");
    else if (result?.skipped) this.say("calm", `Not checked: ${result.skipped}`);
    else if (result?.ok) this.say("good", "This can work.");
    else if (result?.blocks) this.say("bad", "This would be kept out of NPM.");
    else this.say("warn", "It failed, and would be applied all the same.");
  }

  /** @param {"good" | "warn" | "bad" | "calm"} tone @param {string} text @param {string | null} [hint] */
  say(tone, text, hint) {
    this.verdict.className = `verdict ${tone}`;
    const symbol = { good: "check", warn: "question", bad: "alert", calm: "ring" }[tone];
    fill(this.verdict, icon(symbol), h("span", null, long(text), hint ? [" ", long(hint)] : null));
  }

  /** @param {Record<string, ValidationStep>} steps @param {boolean} [isRunning] */
  show(steps, isRunning = false) {
    const next = isRunning ? STEPS.find((name) => !steps[name]) : null;
    fill(this.steps, ...STEPS.map((name) => stepItem(name, steps[name], name === next)));
    if (!Object.keys(steps).length && !isRunning) this.say("calm", "Type an address to begin.");
  }

  /** What can be done with what was checked. */
  offer() {
    const entry = this.entry();
    this.adding.hidden = !entry.domains.length || !entry.upstream || !this.write;
    if (this.adding.hidden || !this.write) return;
    const isCurrent = this.isGood && JSON.stringify(entry) === this.checked;
    const { allowed, reason } = this.write;
    this.allow(isCurrent);
    this.add.hidden = !allowed;
    this.text.hidden = allowed;
    this.text.textContent = yaml(entry);
    this.addTitle.textContent = allowed ? "Add it" : "Add it yourself";
    const ready = isCurrent
      ? "It is checked once more, and written."
      : "Only what can work is added.";
    this.addHelp.textContent = allowed
      ? ready
      : `From here nothing can be written: ${reason}. This goes into the file:`;
  }

  async create() {
    if (!this.canAdd) return;
    this.allow(false);
    fill(this.added, "Writing …");
    try {
      const { name, apply } = await createProxy(this.entry(), "20s");
      const link = h("a", { href: pathOf({ kind: "proxy", name }) }, short(name, 60));
      const said = {
        applied: "and live",
        replaced: "but another edit has changed it since",
        failed: "but not live",
        pending: "and on its way",
        unchanged: "already",
      };
      fill(
        this.added,
        icon("check"),
        h("span", null, link, ` is in the file, ${said[apply?.outcome ?? "pending"]}.`),
      );
    } catch (error) {
      const found = error instanceof ApiError ? error : new ApiError(0, { message: String(error) });
      if (found.status === 422) this.report(/** @type {ValidationReport} */ (found.body), {});
      const hint = found.hint ? [" ", long(found.hint)] : null;
      fill(this.added, icon("alert"), h("span", { class: "bad" }, long(found.message), hint));
      this.offer();
    }
  }

  /** It keeps the focus where it may not be pressed. @param {boolean} can */
  allow(can) {
    this.canAdd = can;
    this.add.setAttribute("aria-disabled", String(!can));
  }
}

/** @param {string} id @param {string} placeholder @param {string} mode */
function field(id, placeholder, mode) {
  return h("input", {
    id: `check-${id}`,
    type: "text",
    inputmode: mode,
    placeholder,
    autocomplete: "off",
    autocapitalize: "off",
    spellcheck: "false",
    "aria-describedby": `check-${id}-help`,
  });
}

/** @param {HTMLInputElement} input @param {string} label @param {string} help */
function labelled(input, label, help) {
  return h(
    "div",
    { class: "field" },
    h("label", { for: input.id }, label),
    input,
    h("p", { class: "dim", id: `${input.id}-help` }, help),
  );
}

/** @param {keyof typeof WORDS} name @param {ValidationStep | undefined} step @param {boolean} isNext */
function stepItem(name, step, isNext) {
  const [tone, symbol] = step ? LOOK[step.status] : ["calm", isNext ? "busy" : "ring"];
  const said = step
    ? { pass: "passed", warn: "warning", fail: "failed", skipped: "skipped" }[step.status]
    : isNext
      ? "checking"
      : "not yet";
  return h(
    "li",
    {
      class: `step ${tone}`,
      "data-step": name,
      "data-status": step?.status || (isNext ? "running" : "waiting"),
    },
    icon(symbol),
    h(
      "div",
      null,
      h(
        "p",
        null,
        h("strong", null, WORDS[name]),
        " ",
        h(
          "span",
          { class: "dim" },
          said,
          step && step.status !== "skipped" ? `, ${step.duration_ms} ms` : "",
        ),
      ),
      step?.detail ? h("p", null, long(step.detail)) : null,
      step?.hint ? h("p", { class: "hint" }, long(step.hint)) : null,
    ),
  );
}

/** A text in quotes is the same in YAML as in JSON. @param {{name?: string, domains: string[], upstream: string}} entry */
function yaml(entry) {
  const name = entry.name || entry.domains[0].split(".")[0];
  const key = /^[a-z][a-z0-9-]*$/.test(name) ? name : JSON.stringify(name);
  const domains = entry.domains.map((domain) => JSON.stringify(domain)).join(", ");
  return `proxies:\n  ${key}:\n    domains: [${domains}]\n    upstream: ${JSON.stringify(entry.upstream)}\n`;
}
