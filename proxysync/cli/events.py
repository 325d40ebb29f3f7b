"""Shows what happened, newest first; with --follow also what happens from now on.

The next page begins where one ends: --before takes the id of its last event (--format json).
"""

import argparse
import sys
from typing import TYPE_CHECKING, NoReturn

from proxysync.cli.flags import add_format
from proxysync.model.event import SEVERITIES, SOURCES

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from pathlib import Path

    from proxysync.model.event import Event
    from proxysync.store.query import EventQuery, Follower


POLL = 0.25
"""Seconds between two looks for what is new."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--severity",
        choices=SEVERITIES,
        default=SEVERITIES[0],
        help="only these and graver ones (default: info)",
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
    from proxysync.cli import context
    from proxysync.model.errors import ProxysyncError
    from proxysync.store.query import EventQuery

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
    path = context.environment(arguments).state_dir / "state.db"
    if not arguments.follow:
        return _page(path, query, arguments.format)
    try:
        _follow(path, query, arguments.format)
    except KeyboardInterrupt:
        return 0


def _page(path: "Path", query: "EventQuery", style: str) -> int:
    from proxysync.cli import terminal
    from proxysync.store.database import open_for_reading
    from proxysync.store.query import select

    database = open_for_reading(path)
    if database is None and path.exists():
        terminal.note(
            f"Warning: {path} is of an older release, so no events can be shown\n"
            "  hint: The next `proxysync run` or `proxysync apply` brings it up to date."
        )
    try:
        events = select(database, query) if database else []
    finally:
        if database:
            database.close()
    if style == "json":
        terminal.print_json({"events": [event.to_json() for event in events]})
        return 0
    _print(events, style)
    if sys.stdout.isatty() and events and len(events) == query.limit:
        terminal.note(f"There may be more: --before {events[-1].id}")
    return 0


def _follow(path: "Path", query: "EventQuery", style: str) -> NoReturn:
    """Prints until interrupted. Raises BrokenPipeError when nobody reads it any more."""
    from contextlib import closing

    from proxysync.store.query import Follower

    said: str | None = None
    with closing(Follower(path, query)) as follower:
        _print(follower.begin(), style)
        while True:
            said = _print_new(follower, style, said)
            _wait()


def _print_new(follower: "Follower", style: str, said: str | None) -> str | None:
    """Prints what is new; returns the trouble that a person was told of, for it may last."""
    from proxysync.cli.terminal import note
    from proxysync.store.database import StateError

    try:
        while events := follower.new():
            _print(events, style)
    except StateError as error:
        if str(error) != said:
            note(f"Warning: {error}")
        return str(error)
    return None


def _wait() -> None:
    """Waits a moment; ends at once if the reader of a pipe has gone."""
    import select

    reader = select.poll()
    reader.register(sys.stdout.fileno(), 0)
    if reader.poll(POLL * 1000):
        raise BrokenPipeError


def _print(events: "Sequence[Event]", style: str) -> None:
    """One line for each event."""
    import json

    from proxysync.cli.terminal import colours

    on = colours(sys.stdout)
    for event in events:
        if style == "json":
            print(json.dumps(event.to_json(), ensure_ascii=False))
        else:
            print(_text(event, on=on))
    sys.stdout.flush()


def _text(event: "Event", *, on: bool) -> str:
    from proxysync.cli.terminal import safe
    from proxysync.model.clock import from_text
    from proxysync.model.palette import SEVERITIES as COLOURS
    from proxysync.model.palette import paint

    local = from_text(event.ts).astimezone()
    colour = COLOURS[event.severity]
    return "  ".join(
        (
            paint(f"{local:%Y-%m-%d %H:%M:%S}", "dim", on=on),
            paint(event.severity.ljust(5), colour, on=on),
            event.source.ljust(10),
            safe(event.key.name if event.key else "-").ljust(16),
            safe(event.message),
        )
    )


def _count(text: str) -> int:
    from proxysync.store.query import LARGEST_ID

    if not (text.isascii() and text.isdigit()) or int(text[:20]) > LARGEST_ID:
        raise argparse.ArgumentTypeError(f'"{text}" is no whole number (e.g. 50)')
    return int(text)


def _moment(text: str) -> "datetime":
    """The time that an age or a time in ISO 8601 means; without a zone it is local."""
    from datetime import datetime, timedelta

    from proxysync.model.clock import now
    from proxysync.model.errors import ProxysyncError
    from proxysync.values.scalars import parse_duration

    try:
        age = parse_duration(text)
        if age is not None:
            return now() - timedelta(seconds=age)
        return datetime.fromisoformat(text).astimezone()
    except (ValueError, OverflowError) as error:
        raise ProxysyncError(
            f'--since "{text}" is neither an age nor a time',
            hint="Write it as 30m, 2h, 1h30m, 7d, 2026-01-31 or 2026-01-31T12:00.",
        ) from error
