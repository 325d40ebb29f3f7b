"""The daemon's log: each event, for people on a terminal, elsewhere as a line of events.jsonl."""

import json
import logging
import os
import select
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any

from proxysync.cli.terminal import colours
from proxysync.model import clock
from proxysync.model.event import UNRECORDED, Event
from proxysync.model.text import clean, without_commands
from proxysync.store.bus import Bus, Gap, Subscription

WAITING = 1000
"""Events that wait while nobody reads stderr; of more, the oldest are dropped."""

DRAIN = 2.0
"""Seconds that the last events have to be read before the process ends without them."""


@contextmanager
def printed(bus: Bus) -> Iterator[None]:
    """Prints on stderr what comes over the bus, and what still waits when it is left.

    A thread of its own does so: a stderr that nobody reads (a stopped pipe) holds up neither
    those who emit nor, for more than DRAIN seconds, the end.
    """
    # What it has to say while it ends is no news, and would come unformatted, past the thread.
    logging.getLogger("watchdog").addHandler(logging.NullHandler())
    subscription = bus.subscribe(WAITING)
    thread = threading.Thread(
        target=_print, args=(subscription, _teller()), name="log", daemon=True
    )
    thread.start()
    try:
        yield
    finally:
        subscription.close()
        thread.join(DRAIN)
        if thread.is_alive():
            # Whatever is still to be said would wait for that reader, too.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())


def _print(subscription: Subscription, tell: Callable[[Event], object]) -> None:
    for item in subscription:
        with suppress(Exception):  # the reader has gone or the disk is full: work goes on
            tell(_of_gap(item) if isinstance(item, Gap) else item)


def _of_gap(gap: Gap) -> Event:
    message = f"{gap.missed} events dropped: the log reader is too slow"
    hint = {"hint": "`proxysync events` shows them."}
    ts = clock.to_text(clock.now())
    return Event(UNRECORDED, ts, "warn", "daemon", "log.gap", None, message, hint)


def _teller() -> Callable[[Event], object]:
    """What prints an event on stderr."""
    lines = _Lines(sys.stderr.fileno())
    return _for_people(lines) if sys.stderr.isatty() else partial(_as_json, lines)


def _as_json(lines: "_Lines", event: Event) -> None:
    """As a line of events.jsonl, and of `events --follow --format json`."""
    line = json.dumps(event.to_json(), ensure_ascii=False)
    lines.info(line if clean(line) == line else json.dumps(event.to_json()))


def _for_people(lines: "_Lines") -> Callable[[Event], object]:
    import structlog  # noqa: PLC0415 - 0.2 s in which a signal must not kill

    processors: list[Any] = [
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="%H:%M:%S", utc=False),
        structlog.dev.ConsoleRenderer(colors=colours(sys.stderr), pad_event_to=60),
    ]
    log = structlog.wrap_logger(lines, processors=processors)

    def tell(event: Event) -> None:
        level = {"info": log.info, "warn": log.warning, "error": log.error}[event.severity]
        fields: dict[str, Any] = {"source": event.source, "code": event.event}
        if event.id >= 0:
            fields["id"] = event.id
        if event.key:
            fields |= {"kind": event.key.kind, "name": clean(event.key.name)}
        if event.data.get("hint"):
            fields["hint"] = clean(str(event.data["hint"]))
        level(without_commands(clean(event.message)), **fields)

    return tell


class _Lines:
    """Writes lines to a file descriptor.

    Not through `sys.stderr`: Python takes that one's lock when it ends, and dies of it if a
    thread that is stuck in a write holds it.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def _write(self, line: str) -> None:
        rest = f"{line}\n".encode(errors="replace")
        while rest:
            try:
                rest = rest[os.write(self._descriptor, rest) :]
            except BlockingIOError:  # whoever started us made it so
                select.select((), (self._descriptor,), ())

    info = warning = error = _write
