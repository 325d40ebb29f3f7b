"""Lists what was applied: when, why, what, and how it ended."""

import argparse
import shutil
import sys
from typing import TYPE_CHECKING, Any

from proxysync.cli.flags import add_format
from proxysync.model.redact import redact

if TYPE_CHECKING:
    from proxysync.store.journal import Journal

HEADS = ("ID", "STARTED", "WHY", "OUTCOME", "CHANGES")
SHRINK = {"OUTCOME": 16, "CHANGES": 16}
"""Free texts, and the characters that are left of them on the narrowest terminal."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--limit", type=int, default=20, help="how many, newest first (default: 20)"
    )
    add_format(parser)


def run(arguments: argparse.Namespace) -> int:
    from proxysync.cli import context, terminal
    from proxysync.cli.table import Cell, table

    env = context.environment(arguments)
    journal = context.read_journal(env)
    # Masked before the table cuts a text short.
    runs = redact(_runs(journal, arguments.limit) if journal else [], context.earlier_secrets(env))
    if arguments.format == "json":
        terminal.print_json({"runs": runs})
        return 0
    texts = [
        [str(r["id"]), r["started"], r["why"], r["outcome"] or "interrupted", _what(r["changes"])]
        for r in runs
    ]
    rows = [[Cell(text) for text in row] for row in texts]
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    print(table(HEADS, rows, width=width, shrink=SHRINK, on=terminal.colours(sys.stdout)))
    return 0


def _runs(journal: "Journal", limit: int) -> list[dict[str, Any]]:
    return [
        {
            "id": run.id,
            "started": run.started,
            "ended": run.ended,
            "why": run.why,
            "outcome": run.outcome,
            "changes": [
                {
                    "action": entry.action,
                    "name": entry.name,
                    "npm_id": entry.npm_id,
                    "outcome": entry.outcome,
                    "message": entry.message,
                }
                for entry in journal.entries(since=run.id, until=run.id)
                if entry.outcome != "released"
            ],
        }
        for run in journal.runs(max(1, limit))
    ]


def _what(changes: list[dict[str, Any]], most: int = 4) -> str:
    texts = [
        f"{change['action']} {change['name']}"
        + ("" if change["outcome"] == "done" else f" ({change['outcome'] or 'interrupted'})")
        for change in changes
    ]
    more = f" and {len(texts) - most} more" if len(texts) > most else ""
    return ", ".join(texts[:most]) + more
