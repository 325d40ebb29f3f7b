"""Shows what happened, newest first; with --follow also what happens from now on.

The next page begins where one ends: --before takes what --format json calls `next_before`.
"""

import argparse
import json
import select
import sys
from collections.abc import Sequence
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import NoReturn

from proxysync.app.events import events, follow, parse_since
from proxysync.cli import context, terminal
from proxysync.cli.flags import add_format
from proxysync.cli.terminal import safe
from proxysync.model.clock import from_text, local
from proxysync.model.errors import ProxysyncError
from proxysync.model.event import SEVERITIES, SOURCES, Event
from proxysync.model.palette import SEVERITIES as COLOURS
from proxysync.model.palette import paint
from proxysync.store.query import LARGEST_ID, EventQuery

POLL = 0.25
"""Seconds between two looks for what is new."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--severity",
        choices=SEVERITIES,
        default=SEVERITIES[0],
        help="minimum severity (default: info)",
    )
    parser.add_argument(
        "--source",
        choices=SOURCES,
        help="only what this part of proxysync says",
    )
    parser.add_argument("--kind", metavar="KIND", help="only what is about entries of this kind")
    parser.add_argument("--name", metavar="NAME", help="only what is about entries of this name")
    parser.add_argument("--proxy", metavar="NAME", help="short for --kind proxy --name NAME")
    parser.add_argument(
        "--since", metavar="TIME", help="from then on: an age (30m, 1h30m, 2w) or 2026-01-31T12:00"
    )
    parser.add_argument(
        "--limit", metavar="N", type=_count, default=50, help="at most so many (default: 50)"
    )
    parser.add_argument("--before", metavar="ID", type=_count, help="only those before this one")
    parser.add_argument("--follow", action="store_true", help="then wait for new ones, until ^C")
    add_format(parser)


def run(arguments: argparse.Namespace) -> int:
    if arguments.follow and arguments.before is not None:
        raise ProxysyncError(
            "--follow shows what is new and --before what is old", hint="Give one of them."
        )
    if arguments.proxy is not None and (arguments.kind, arguments.name) != (None, None):
        raise ProxysyncError(
            "--proxy says the kind and the name already", hint="Leave --kind and --name out."
        )
    query = EventQuery(
        severity=arguments.severity,
        source=arguments.source,
        kind=arguments.kind if arguments.proxy is None else "proxy",
        name=arguments.name if arguments.proxy is None else arguments.proxy,
        since=None if arguments.since is None else _moment(arguments.since),
        before=arguments.before,
        limit=arguments.limit,
    )
    folder = context.environment(arguments).state_dir
    if not arguments.follow:
        return _page(folder, query, arguments.format)
    try:
        _follow(folder, query, arguments.format)
    except KeyboardInterrupt:
        return 0


def _page(folder: Path, query: EventQuery, style: str) -> int:
    page = events(folder, query)
    terminal.print_notes(page.notes)
    if style == "json":
        terminal.print_json(page.to_json())
        return 0
    _print(page.events, style)
    if not page.events and not page.notes:
        terminal.note("No such events.")
    if sys.stdout.isatty() and page.next_before is not None:
        terminal.note(f"There may be more: --before {page.next_before}")
    return 0


def _follow(folder: Path, query: EventQuery, style: str) -> NoReturn:
    """Prints until interrupted. Raises BrokenPipeError when nobody reads it any more."""
    told: str | None = None
    with closing(follow(folder, query)) as batches:
        while True:
            batch = next(batches)
            # A person is told of a trouble once, for it may last.
            if batch.error and batch.error != told:
                terminal.note(f"Warning: {batch.error}")
            told = batch.error
            _print(batch.events, style)
            if not batch.events:
                _wait()


def _wait() -> None:
    """Waits a moment; ends at once if the reader of a pipe has gone."""
    reader = select.poll()
    reader.register(sys.stdout.fileno(), 0)
    if reader.poll(POLL * 1000):
        raise BrokenPipeError


def _print(found: Sequence[Event], style: str) -> None:
    """One line for each event."""
    on = terminal.colours(sys.stdout)
    for event in found:
        if style == "json":
            print(json.dumps(event.to_json(), ensure_ascii=False))
        else:
            print(_text(event, on=on))
    sys.stdout.flush()


def _text(event: Event, *, on: bool) -> str:
    colour = COLOURS[event.severity]
    return "  ".join(
        (
            paint(local(from_text(event.ts)), "dim", on=on),
            paint(event.severity.ljust(5), colour, on=on),
            event.source.ljust(10),
            safe(event.key.name if event.key else "-").ljust(16),
            safe(" ".join(line.strip() for line in event.message.splitlines())),
        )
    )


def _count(text: str) -> int:
    if not (text.isascii() and text.isdigit()) or int(text[:20]) > LARGEST_ID:
        raise argparse.ArgumentTypeError(f'"{text}" is not a whole number (e.g. 50)')
    return int(text)


def _moment(text: str) -> datetime:
    try:
        return parse_since(text)
    except ValueError as error:
        raise ProxysyncError(
            f'--since "{text}" is neither an age nor a time',
            hint="Write it as 30m, 2h, 1h30m, 7d, 2026-01-31 or 2026-01-31T12:00.",
        ) from error
