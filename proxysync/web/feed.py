"""Live events: what the event log gets, from whatever process, as it gets it."""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from proxysync.app.events import follow
from proxysync.model.event import Event
from proxysync.store.bus import Bus
from proxysync.store.query import EventQuery

POLL = 0.5
"""Seconds between two looks for what other processes have written."""

Hearer = Callable[[Sequence[Event]], object]


class Feed:
    """Follows the event log on a thread of its own, and tells it to whoever listens."""

    def __init__(self, state_dir: Path, hear: Hearer) -> None:
        self._state_dir = state_dir
        self._hear = hear
        self._ended = threading.Event()

    @contextmanager
    def fed(self, bus: Bus) -> Iterator[None]:
        """Follows while in here; the bus tells when there is something new of this process."""
        with bus.subscribe(1) as wake:
            thread = threading.Thread(
                target=self._follow, args=(wake.get,), name="feed", daemon=True
            )
            thread.start()
            try:
                yield
            finally:
                self.end()
                wake.close()
                thread.join(1.0)

    def end(self) -> None:
        """Lets all listeners go."""
        self._ended.set()

    def _follow(self, wait: Callable[[float], object]) -> None:
        batches = follow(self._state_dir, EventQuery(limit=1))
        with suppress(StopIteration):
            next(batches)  # what was before is no news
            while not self._ended.is_set():
                wait(POLL)
                if found := next(batches).events:
                    self._hear(found)
