"""Live events: what the event log gets, from whatever process, as it gets it."""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from proxysync.app.events import follow
from proxysync.model.event import Event
from proxysync.store.bus import Bus
from proxysync.store.database import StateError
from proxysync.store.query import EventQuery

POLL = 0.5
"""Seconds between two looks for what other processes have written."""

BEGIN = 10.0
"""Seconds that the first look into the log may take."""

Hearer = Callable[[Sequence[Event]], object]


class Feed:
    """Follows the event log on a thread of its own, and tells it to whoever listens."""

    def __init__(self, state_dir: Path, begin: Callable[[int], object], *hearers: Hearer) -> None:
        """`begin` is told the id of the last event that is no news any more."""
        self._state_dir = state_dir
        self._begin = begin
        self._hearers = hearers
        self._begun = threading.Event()
        self._ended = threading.Event()

    @contextmanager
    def fed(self, bus: Bus) -> Iterator[None]:
        """Follows while in here; the bus tells when there is something new of this process."""
        with bus.subscribe(1) as wake:
            thread = threading.Thread(
                target=self._follow, args=(wake.get,), name="feed", daemon=True
            )
            thread.start()
            self._begun.wait(BEGIN)
            try:
                yield
            finally:
                self.end()
                wake.close()
                thread.join(1.0)

    def end(self) -> None:
        """Stops following."""
        self._ended.set()

    def _follow(self, wait: Callable[[float], object]) -> None:
        while not self._ended.is_set():
            with suppress(StateError):  # it cannot be read as yet
                self._follow_log(wait)
            wait(POLL)

    def _follow_log(self, wait: Callable[[float], object]) -> None:
        batches = follow(self._state_dir, EventQuery(limit=1))
        before = next(batches).events
        self._begin(before[-1].id if before else 0)
        self._begun.set()
        while not self._ended.is_set():
            wait(POLL)
            if found := next(batches).events:
                for hear in self._hearers:
                    hear(found)
