"""What became of a plan, in lines for a person."""

import sys
from collections import Counter

from proxysync.app.result import APPLIED_ANYWAY, ReconcileResult
from proxysync.apply.report import ChangeResult, Report
from proxysync.cli.terminal import colours, note, safe
from proxysync.model.palette import paint
from proxysync.model.redact import redact
from proxysync.plan.adoption import adopt_command
from proxysync.plan.model import Change
from proxysync.plan.render.values import why_held


def note_unseen(report: Report) -> None:
    """Says on stderr if nobody could look whether nginx serves what was written."""
    if report.unseen:
        note(
            f"Note: nobody could look whether nginx serves what was written: {report.unseen}. "
            "Name NPM's sites in settings.verify, as {url: http://10.0.0.2}, or turn it off."
        )


def print_result(done: ReconcileResult) -> None:
    """Prints each change with how it ended, and what could not be made.

    A plan that was refused at once has said why when it was shown.
    """
    secrets, label = done.secrets, done.plan.label_of
    on = colours(sys.stdout)

    def line(word: str, text: str, hint: str | None = None, colour: str = "red") -> None:
        print(f"{paint(word.ljust(11), colour, on=on)} {safe(redact(text, secrets))}")
        if hint:
            print(f"            hint: {safe(redact(hint, secrets))}")

    if done.plan.refused and (done.verdicts or done.report != Report()):
        line("refused", done.plan.refused)
    for outcome in done.report.outcomes:
        tail = f": {outcome.message}" if outcome.message else ""
        colour = "green" if outcome.result is ChangeResult.DONE else "red"
        line(outcome.result, f"{outcome.action} {label(outcome.key)}{tail}", outcome.hint, colour)
    for verdict in done.warned:
        text = f"{label(verdict.key)}: {APPLIED_ANYWAY}: {verdict.reason}"
        line("warning", text, verdict.hint, "yellow")
    hints = {verdict.key: verdict.hint for verdict in done.verdicts}
    for change in done.unfinished:
        word = _word(change)
        reason = why_held(change.hold, secrets) if change.hold else change.reason
        line(word, f"{label(change.key)}: {reason}", hints.get(change.key))
    for change in done.left:
        if change.hold is not None:
            reason = f"{change.reason}: {why_held(change.hold, secrets)}"
            line(change.hold.kind, f"{label(change.key)}: {reason}", colour="yellow")
    for warning in done.plan.notes:
        line("warning", f"{label(warning.key)}: {warning.message}", colour="yellow")
    if done.report.stopped:
        line("stopped", done.report.stopped)
    if command := adopt_command(done.plan):
        print(f"`{command}` takes over what is in the way; it shows first what it would change.")


def conclusion(done: ReconcileResult) -> str:
    """Whether NPM is now as the file says, in a sentence."""
    if not done.ok:
        return "NPM is not in sync with the file."
    if not done.left:
        return "NPM is in sync with the file."
    names = ", ".join(map(done.plan.label_of, (change.key for change in done.left)))
    return f"NPM is in sync with the file, but for what is left as it is: {names}."


def print_totals(done: ReconcileResult) -> None:
    """How many changes ended in which way: `done: 3, failed: 1, blocked: 2`."""
    words = {change.key: _word(change) for change in (*done.unfinished, *done.left)}
    words |= {outcome.key: str(outcome.result) for outcome in done.report.outcomes}
    counts = Counter(words.values())
    order = [str(result) for result in ChangeResult]
    if counts:
        first = sorted(counts, key=lambda word: order.index(word) if word in order else len(order))
        print(", ".join(f"{word}: {counts[word]}" for word in first))


def _word(change: Change) -> str:
    return str(change.hold.kind if change.hold else change.action)
