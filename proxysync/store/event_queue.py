"""Events that cannot be recorded now, because the disk is full, say, and are recorded later."""

import threading
from collections import deque
from collections.abc import Callable, Mapping

from proxysync.model.event import Event, NewEvent
from proxysync.store.database import StateError
from proxysync.store.events import EventLog, LateLineError

MOST_KEPT = 10_000
"""Events that wait; of more, the oldest are lost, and it is said how many."""


class EventQueue:
    """An event log for those whose work must go on: `emit` fails only where it has to.

    Listeners hear of an event at once, without an id if it has to wait; `flush` records what
    waits, in order and with its own time. For any thread.
    """

    def __init__(self, log: EventLog) -> None:
        self._log = log
        self._waiting: deque[Event] = deque()
        self._lost = 0
        self._lock = threading.Lock()
        self.late_lines: StateError | None = None
        """Why the file of events is behind, if it is."""

    def mask(self, secrets: Mapping[str, str]) -> None:
        self._log.mask(secrets)

    def emit(self, event: NewEvent, /, *, also: Callable[[], object] | None = None) -> None:
        """Records an event, now or later.

        What `also` writes is committed with it or not at all, so such an event cannot wait:
        raises StateError if it cannot be recorded now.
        """
        if also is not None:
            self.flush()
        with self._lock:
            made = self._log.make(event)
            if also is not None:
                self._record(made, announced=False, also=also)
                return
            if not self._waiting:
                try:
                    self._record(made, announced=False)
                except StateError:
                    pass
                else:
                    return
            self._waiting.append(made)
            if len(self._waiting) > MOST_KEPT:
                self._waiting.popleft()
                self._lost += 1
            self._log.announce(made)

    def flush(self) -> None:
        """Records what waits. Raises StateError if that is still impossible."""
        with self._lock:
            while self._waiting:
                self._record(self._waiting[0], announced=True)
                self._waiting.popleft()
            if self._lost:
                message = (
                    f"{self._lost} events are lost: the state could not be written for too long"
                )
                event = NewEvent("events.lost", message, data={"lost": self._lost})
                self._record(self._log.make(event), announced=False)
                self._lost = 0

    def _record(
        self, event: Event, *, announced: bool, also: Callable[[], object] | None = None
    ) -> None:
        try:
            self._log.record(event, also, announced=announced)
        except LateLineError as error:
            self.late_lines = error
        else:
            self.late_lines = None
