"""Lists what was applied: when, why, what, and how it ended."""

import argparse
import shutil
import sys
from collections.abc import Sequence

from proxysync.app.history import AppliedChange, AppliedRun, history
from proxysync.cli import context, terminal
from proxysync.cli.flags import add_format
from proxysync.cli.table import Cell, table

HEADS = ("ID", "STARTED", "WHY", "OUTCOME", "CHANGES")
SHRINK = {"OUTCOME": 16, "CHANGES": 16}
"""Free texts, and the characters that are left of them on the narrowest terminal."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--limit", type=int, default=20, help="how many, newest first (default: 20)"
    )
    add_format(parser)


def run(arguments: argparse.Namespace) -> int:
    found = history(context.environment(arguments).state_dir, arguments.limit)
    terminal.print_notes(found.notes)
    if arguments.format == "json":
        terminal.print_json(found.to_json())
        return 0
    rows = [_row(run) for run in found.runs]
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    print(table(HEADS, rows, width=width, shrink=SHRINK, on=terminal.colours(sys.stdout)))
    return 0


def _row(run: AppliedRun) -> list[Cell]:
    outcome = run.outcome or "interrupted"
    return [Cell(t) for t in (str(run.id), run.started, run.trigger, outcome, _what(run.changes))]


def _what(changes: Sequence[AppliedChange], most: int = 4) -> str:
    texts = [
        f"{change.action} {change.name}"
        + ("" if change.outcome == "done" else f" ({change.outcome or 'interrupted'})")
        for change in changes
    ]
    more = f" and {len(texts) - most} more" if len(texts) > most else ""
    return ", ".join(texts[:most]) + more
