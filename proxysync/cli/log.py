"""The daemon's log: each event, for people on a terminal and as JSON elsewhere."""

import logging
import os
import select
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from proxysync.cli.terminal import colours
from proxysync.model.event import Event
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
        target=_print, args=(subscription, _logger()), name="log", daemon=True
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


def _print(subscription: Subscription, log: Any) -> None:
    for item in subscription:
        with suppress(Exception):  # the reader has gone or the disk is full: work goes on
            if isinstance(item, Gap):
                log.warning(
                    f"{item.missed} events dropped: the log reader is too slow",
                    source="daemon",
                    code="log.gap",
                    hint="`proxysync events` shows them.",
                )
            else:
                _print_event(item, log)


def _print_event(event: Event, log: Any) -> None:
    level = {"info": log.info, "warn": log.warning, "error": log.error}[event.severity]
    fields: dict[str, Any] = {"source": event.source, "code": event.event}
    if event.id >= 0:
        fields["id"] = event.id
    if event.key:
        fields |= {"kind": event.key.kind, "name": clean(event.key.name)}
    if event.data.get("hint"):
        fields["hint"] = clean(str(event.data["hint"]))
    level(without_commands(clean(event.message)), **fields)


def _logger() -> Any:
    import structlog  # noqa: PLC0415 - 0.2 s in which a signal must not kill

    processors: list[Any] = [structlog.processors.add_log_level]
    if sys.stderr.isatty():
        processors += [
            structlog.processors.TimeStamper(fmt="%H:%M:%S", utc=False),
            structlog.dev.ConsoleRenderer(colors=colours(sys.stderr), pad_event_to=60),
        ]
    else:
        processors += [
            structlog.processors.TimeStamper(fmt="iso"),
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ]
    return structlog.wrap_logger(_Lines(sys.stderr.fileno()), processors=processors)


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
