"""Lists what was applied: when, why, what, and how it ended.

With the ID of a run it shows what each of its changes was: old and new, in the words of the file.
"""

import argparse
import shutil
import sys
from collections.abc import Callable
from importlib import import_module

from proxysync.app.history import AppliedRun, history
from proxysync.cli import context, terminal
from proxysync.cli.flags import add_format, whole_number
from proxysync.cli.table import Cell, table
from proxysync.model import Key, label_among
from proxysync.model.clock import from_text, local

HEADS = ("ID", "STARTED", "WHY", "OUTCOME", "CHANGES")
SHRINK = {"OUTCOME": 16, "CHANGES": 16}
"""Free texts, and the characters that are left of them on the narrowest terminal."""


NO_COMMIT = "–"
SHOWN = 12
"""Characters of a commit's id; JSON has all of them."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "id", metavar="ID", nargs="?", type=whole_number, help="only this run, in detail"
    )
    parser.add_argument(
        "--limit",
        metavar="N",
        type=whole_number,
        default=20,
        help="how many, newest first (default: 20)",
    )
    add_format(parser)


def run(arguments: argparse.Namespace) -> int:
    folder = context.environment(arguments).state_dir
    if arguments.id is not None:
        # The words of the file need pydantic, and the list is to come at once.
        return int(
            import_module("proxysync.cli.history_run").show(folder, arguments.id, arguments.format)
        )
    found = history(folder, arguments.limit)
    terminal.print_notes(found.notes)
    if arguments.format == "json":
        terminal.print_json(found.to_json())
        return 0
    label = label_among(change.key for run in found.runs for change in run.changes)
    with_commit = any(run.commit for run in found.runs)
    heads = (*HEADS[:2], "COMMIT", *HEADS[2:]) if with_commit else HEADS
    rows = [_row(run, label, with_commit=with_commit) for run in found.runs]
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    print(table(heads, rows, width=width, shrink=SHRINK, on=terminal.colours(sys.stdout)))
    return 0


def _row(run: AppliedRun, label: Callable[[Key], str], *, with_commit: bool) -> list[Cell]:
    """`with_commit` where a run has one: then there is a column for it."""
    outcome, what = run.state, _what(run, label)
    commit = [(run.commit or NO_COMMIT)[:SHOWN]] if with_commit else []
    return [
        Cell(text)
        for text in (
            str(run.id),
            local(from_text(run.started)),
            *commit,
            run.trigger,
            outcome,
            what,
        )
    ]


def _what(run: AppliedRun, label: Callable[[Key], str], most: int = 4) -> str:
    texts = [
        f"{change.action} {label(change.key)}"
        + ("" if change.outcome == "done" else f" ({change.outcome or run.state})")
        for change in run.changes
    ]
    more = f" and {len(texts) - most} more" if len(texts) > most else ""
    return ", ".join(texts[:most]) + more
