"""The one thread that writes what checks found: in batches, so that thousands cost little."""

import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from queue import Empty, SimpleQueue

from proxysync.model import Key, clock
from proxysync.model.event import NewEvent
from proxysync.model.health import Check, EdgeStatus, HealthState
from proxysync.store.alerts import ActiveAlert
from proxysync.store.database import StateError
from proxysync.store.events import EventLog, LateLineError
from proxysync.store.health import HealthStore, Record

PAUSE = 1.0
"""Seconds between two batches; one that holds an event is not waited for."""

HOUSEKEEPING = 3600.0
"""Seconds between two looks at what history and events may leave out by now."""

MOST_KEPT = 50_000
"""Results that wait while the disk takes none; the oldest are dropped."""

MOST_FAULTS = 100
"""Unforeseen errors that are told; a text that is another each time must not fill the log."""

DISK = (OSError, StateError)
"""What is tried again: the disk may take it later."""


@dataclass(frozen=True)
class Finding:
    """Where a target stands now, the check behind it, and the event that this raises."""

    key: Key
    standing: HealthState
    check: Check
    event: NewEvent | None = None


OnEdge = Callable[[Mapping[Key, EdgeStatus]], object]
"""Hears what visitors got of some targets, once it is written down."""

Job = Callable[["Writer"], object]


class Writer:
    """Takes findings, and other work on the same tables, from any thread.

    An event is committed with the rows that say it was raised, so that a kill at any moment
    makes none be raised twice. What cannot be written now is tried again.
    """

    def __init__(self, store: HealthStore, events: EventLog) -> None:
        self._store = store
        self._events = events
        self._queue: SimpleQueue[Finding | Job | None] = SimpleQueue()
        self._todo: deque[Finding | Job] = deque()
        self._records: deque[Record] = deque(maxlen=MOST_KEPT)
        self._faults: set[str] = set()
        self._ending = False
        self._thread = threading.Thread(target=self._run, name="health writer", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Writes what is there, and ends."""
        self._ending = True
        self._queue.put(None)
        self._thread.join()

    def put(self, item: Finding | Job) -> None:
        self._queue.put(item)

    def emit(self, event: NewEvent, also: Callable[[], object] | None = None) -> None:
        """Raises the event now, and writes with it what `also` writes; for jobs."""
        with suppress(LateLineError):
            self._events.emit(event, also=also)

    def fault(self, error: Exception) -> None:
        """Tells of an error that nobody has foreseen, once for each text; for any thread."""
        event = NewEvent(
            "health.failed",
            f"a part of the health checks failed: {type(error).__name__}: {error}",
            data={"hint": "This is a bug; the checks go on. Please report it."},
        )
        if event.message not in self._faults and len(self._faults) < MOST_FAULTS:
            self._faults.add(event.message)
            self.put(lambda writer: writer.emit(event))

    def active_alerts(self) -> dict[str, ActiveAlert]:
        """Those that were fired and not resolved; for jobs."""
        return self._store.alerts.active()

    def fire(self, event: NewEvent, *keys: str) -> None:
        """Raises the event unless the alerts of all of `keys` are active; for jobs."""
        self._store.alerts.fire(self._events.emit, event, *keys)

    def resolve(self, event: NewEvent, key: str) -> None:
        """Raises the event that ends the alert of `key`, if that is active; for jobs."""
        self._store.alerts.resolve(self._events.emit, event, key)

    def end_alerts(self, *keys: str) -> None:
        """These may fire again, and no event tells of it; for jobs."""
        self._store.alerts.end(keys)

    def edge(
        self,
        found: Mapping[Key, tuple[EdgeStatus, str | None]],
        on_edge: OnEdge,
    ) -> None:
        """Remembers what visitors get, and says what is news; for jobs."""
        self._store.edges.tell(self._events.emit, found)
        on_edge({key: status for key, (status, _) in found.items()})

    def edge_unseen(self, why: str | None) -> None:
        """Says once that the edge cannot be seen from here, or that it can again; for jobs."""
        self._store.edges.tell_unseen(self._events.emit, why)

    def edge_proven(self, address: str) -> None:
        """NPM's sites were seen at this address; for jobs."""
        self._store.edges.prove([address])

    def keep_edges(self, keys: list[Key]) -> None:
        """Only these are looked at from now on; for jobs."""
        self._store.edges.keep_only(keys)

    def forget(self, keys: list[Key]) -> None:
        """These are not watched any more; for jobs."""
        self._write_records()
        self._store.forget(keys)

    def _run(self) -> None:
        housekeeping_at = time.monotonic()
        while True:
            self._collect()
            self._write()
            if self._ending and self._queue.empty():
                return
            if time.monotonic() >= housekeeping_at:
                housekeeping_at = time.monotonic() + HOUSEKEEPING
                self._attempt(lambda: self._store.roll_up(clock.now(), lambda: self._ending))
                self._attempt(self._events.prune)

    def _collect(self) -> None:
        """Waits for a batch, no longer than until an event is to be raised."""
        end = time.monotonic() + PAUSE
        while True:
            try:
                item = self._queue.get(timeout=max(0.0, end - time.monotonic()))
            except Empty:
                return
            if item is not None:
                self._todo.append(item)
            if not isinstance(item, Finding) or item.event is not None:
                end = 0.0

    def _write(self) -> None:
        self._attempt(self._work_off)
        while len(self._todo) > MOST_KEPT:
            self._todo.popleft()

    def _work_off(self) -> None:
        while self._todo:
            item = self._todo[0]
            try:
                if isinstance(item, Finding):
                    self._take(item)
                else:
                    item(self)
            except DISK:
                raise
            except Exception as error:  # noqa: BLE001 - one bad item must not stop the others
                self.fault(error)
            self._todo.popleft()
        self._write_records()

    def _take(self, finding: Finding) -> None:
        record = Record(finding.key, finding.standing, finding.check)
        if finding.event is None:
            self._records.append(record)
        else:
            self._write_records()  # those before it come first
            self.emit(finding.event, lambda: self._store.save([record]))

    def _write_records(self) -> None:
        if not self._records:
            return
        try:
            self._store.save(list(self._records))
        except DISK:
            raise
        except Exception as error:  # noqa: BLE001 - one bad record must not stop the others
            self.fault(error)
        self._records.clear()

    def _attempt(self, work: Callable[[], object]) -> None:
        """A disk that takes nothing now is told of where the daemon itself writes to it."""
        try:
            work()
        except DISK:
            return
        except Exception as error:  # noqa: BLE001 - the thread must go on
            self.fault(error)
