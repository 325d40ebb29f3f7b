// @ts-check
/** What was applied, run by run, each change with its edits. */
import { ApiError, getRun, listHistory } from "./api.js";
import { diff } from "./diff.js";
import { fill, h, long, short } from "./dom.js";
import { count, pathOf, time } from "./words.js";

/** @typedef {import("./api.js").AppliedRun} AppliedRun @typedef {import("./api.js").AppliedChange} AppliedChange */

/** @param {AppliedChange} change */
function outcomeTone(change) {
  return change.outcome === "done" ? "good" : change.outcome === null ? "warn" : "bad";
}

/**
 * A run to unfold; its edits are read when somebody looks.
 * @param {AppliedRun} run
 * @param {(change: AppliedChange) => boolean} [isMeant] which changes of it are shown
 * @param {boolean} [open]
 */
export function runItem(run, isMeant = () => true, open = false) {
  const changes = run.changes.filter(isMeant);
  const names = changes
    .slice(0, 4)
    .map((change, index) => [index ? ", " : "", `${change.action} `, short(change.name, 40)]);
  const body = h("div", { class: "changes" });
  let isRead = false;
  async function read() {
    if (isRead) return;
    isRead = true;
    fill(body, h("p", { class: "dim" }, "Reading …"));
    try {
      const whole = await getRun(run.id);
      fill(body, ...whole.changes.filter(isMeant).map(changeItem));
    } catch (error) {
      isRead = false;
      fill(
        body,
        h("p", { class: "bad" }, error instanceof ApiError ? error.message : String(error)),
      );
    }
  }
  const item = h(
    "details",
    { class: "run", open, ontoggle: () => item.open && read() },
    h(
      "summary",
      null,
      h(
        "span",
        { class: "run-what" },
        names,
        changes.length > 4 ? ` and ${changes.length - 4} more` : "",
        changes.length ? "" : "no changes",
      ),
      h(
        "span",
        { class: `mark ${changes.every((c) => outcomeTone(c) === "good") ? "good" : "bad"}` },
        run.outcome ? short(run.outcome, 40) : run.under_way ? "under way" : "interrupted",
      ),
      h(
        "span",
        { class: "dim" },
        `run ${run.id} · `,
        short(run.why, 80),
        " · ",
        time(run.started),
        run.commit ? ` · ${run.commit.slice(0, 12)}` : "",
      ),
    ),
    body,
  );
  return item;
}

/** @param {AppliedChange} change */
function changeItem(change) {
  return h(
    "section",
    { class: "change" },
    h(
      "h3",
      null,
      `${change.action} `,
      h("a", { href: pathOf(change) }, short(change.name, 60)),
      " ",
      h("span", { class: `mark ${outcomeTone(change)}` }, change.outcome || "unknown"),
    ),
    change.message ? h("p", null, long(change.message)) : null,
    diff(change.edits || []),
  );
}

/** @param {string} [only] the number of the run that is opened @returns {import("./router.js").View} */
export function historyPage(only) {
  const list = h("div", { class: "runs" }, h("p", { class: "dim" }, "Reading …"));
  const element = h(
    "div",
    { class: "page" },
    h("h1", { tabindex: "-1" }, "History"),
    h(
      "p",
      { class: "summary" },
      "What was applied to NPM, the newest first. ",
      h("code", null, "proxysync rollback"),
      " is the way back.",
    ),
    list,
  );
  listHistory(200).then(
    (runs) => {
      const shown = runs.filter((run) => run.changes.length);
      list.replaceChildren(...shown.map((run) => runItem(run, undefined, String(run.id) === only)));
      if (!shown.length) list.append(h("p", { class: "empty" }, "Nothing was applied yet."));
      else
        element.querySelector(".summary")?.append(` ${count(shown.length, "run")} with changes.`);
    },
    (error) => list.replaceChildren(h("p", { class: "bad" }, error.message)),
  );
  return { element, title: "History" };
}
