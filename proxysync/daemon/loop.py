"""The daemon's main loop: waits for a reason to work, and works on one thing at a time."""

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum, auto
from queue import Empty, SimpleQueue
from types import FrameType
from typing import Any, Protocol

from schedule import Scheduler

from proxysync.daemon import notify
from proxysync.daemon.watch import FileWatcher

QUIET = 0.3
"""Seconds without a further change after which a file counts as written."""

LONGEST_DEBOUNCE = 3.0
"""Seconds after which a file that keeps changing is looked at all the same."""

POLL = 2
"""Seconds between two looks at a file on a file system that reports no changes."""

OVERSEE = 60
"""Seconds between two calls of `Work.oversee` while there is nothing else to do."""


class Wake(Enum):
    """Why the loop wakes up."""

    FILE = auto()
    RELOAD = auto()
    RESYNC = auto()
    STOP = auto()


class Stop:
    """Whether the daemon was told to end; waits that end when it was."""

    def __init__(self) -> None:
        self.requested = False

    def __call__(self) -> bool:
        return self.requested

    def wait(self, seconds: float) -> None:
        """Sleeps, but no longer than until the daemon is told to end."""
        end = time.monotonic() + seconds
        while not self.requested and (left := end - time.monotonic()) > 0:
            time.sleep(min(left, 0.1))


class Work(Protocol):
    """What the loop drives. Times are in seconds."""

    @property
    def resync_interval(self) -> float: ...

    def load(self, *, asked: bool = False) -> bool:
        """Looks at the file; True if there is something new to bring NPM in line with.

        With `asked`, a person wants to hear what came of it, whatever that is.
        """

    def reconcile(self) -> float | None:
        """Brings NPM in line; returns when to try again, None if the next resync is enough."""

    def oversee(self) -> None:
        """Has what is live watched, and looked into if it is time to; never takes long."""


class Loop:
    """Runs until SIGTERM or SIGINT; a reconciliation is never interrupted, only ended early."""

    def __init__(self, work: Work, watcher: FileWatcher, stop: Stop) -> None:
        self._work = work
        self._watcher = watcher
        self._stop = stop
        # Its `put` may be called from a signal handler, which that of an Event may not.
        self._queue: SimpleQueue[Wake] = SimpleQueue()
        self._scheduler = Scheduler()
        self._retry_at: float | None = None

    def wake(self, why: Wake) -> None:
        """Asks for work; callable from any thread."""
        self._queue.put(why)

    def run(self) -> None:
        """Works until told to stop."""
        with self._signals():
            self._watcher.arm()
            self._work.load()
            self._scheduler.every(POLL).seconds.do(self._watcher.poll)
            self._scheduler.every(OVERSEE).seconds.do(self._work.oversee)
            notify.ready("watching")
            self._reconcile()
            try:
                while not self._stop():
                    self._turn()
            finally:
                notify.stopping()
                self._watcher.close()

    def _turn(self) -> None:
        why = self._next()
        if why is Wake.FILE:
            self._settle()
            self._watcher.arm()
            if self._work.load():
                self._reconcile()
        elif why is Wake.RELOAD:
            notify.reloading()
            self._work.load(asked=True)
            notify.ready("watching")
            self._reconcile()
        elif why is Wake.RESYNC:
            self._reconcile()

    def _reconcile(self) -> None:
        pause = self._work.reconcile()
        self._work.oversee()
        self._retry_at = None if pause is None else time.monotonic() + pause
        self._scheduler.clear("resync")
        seconds = max(1, round(self._work.resync_interval))
        self._scheduler.every(seconds).seconds.do(self.wake, Wake.RESYNC).tag("resync")

    def _next(self) -> Wake | None:
        """The next reason to work; None if there is none yet."""
        self._scheduler.run_pending()
        if self._retry_at is not None and time.monotonic() >= self._retry_at:
            self._retry_at = None
            return Wake.RESYNC
        pauses = [self._scheduler.idle_seconds or 0.0]
        if self._retry_at is not None:
            pauses.append(self._retry_at - time.monotonic())
        try:
            return self._queue.get(timeout=max(0.0, min(pauses)))
        except Empty:
            return None

    def _settle(self) -> None:
        """Waits until the file has been quiet for a moment: it may still be being written."""
        end = time.monotonic() + LONGEST_DEBOUNCE
        others: list[Wake] = []
        while not self._stop() and time.monotonic() < end:
            try:
                why = self._queue.get(timeout=QUIET)
            except Empty:
                break
            if why is not Wake.FILE:
                others.append(why)
        for why in others:
            self._queue.put(why)

    @contextmanager
    def _signals(self) -> Iterator[None]:
        def handle(number: int, _frame: FrameType | None) -> None:
            if number == signal.SIGHUP:
                self.wake(Wake.RELOAD)
            else:
                self._stop.requested = True
                self.wake(Wake.STOP)

        watched = (signal.SIGHUP, signal.SIGTERM, signal.SIGINT)
        before: dict[int, Any] = {number: signal.signal(number, handle) for number in watched}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
