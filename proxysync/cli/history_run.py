"""One run of the history, for a person: what each of its changes was."""

import sys
from pathlib import Path

from proxysync.app.history_run import RunDetails, run_details
from proxysync.cli import terminal
from proxysync.cli.terminal import safe
from proxysync.model import label_among
from proxysync.model.clock import from_text, local
from proxysync.model.palette import paint


def show(state_dir: Path, run_id: int, style: str) -> int:
    """Prints it. Raises ProxysyncError if there is no such run."""
    found = run_details(state_dir, run_id)
    if style == "json":
        terminal.print_json(found.to_json())
    else:
        print(_text(found))
    return 0


def _text(found: RunDetails) -> str:
    run, on = found.run, terminal.colours(sys.stdout)
    label = label_among(change.key for change in run.changes)
    began, outcome = local(from_text(run.started)), run.state
    head = f"run {run.id}, {began}, {run.trigger}: {outcome}"
    lines = [safe(head), *([f"commit {run.commit}"] if run.commit else [])]
    for index, change in enumerate(run.changes):
        ended = "" if change.outcome == "done" else f" ({change.outcome or run.state})"
        why = f": {change.message}" if change.message else ""
        what = f"{change.action} {label(change.key)}"
        lines += ["", f"{paint(safe(what), 'bold', on=on)}{safe(ended + why)}"]
        lines += found.lines(index, colour=on)
    return "\n".join(lines)
