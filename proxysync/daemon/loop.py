"""The daemon's main loop: waits for a reason to work, and works on one thing at a time."""

import time
from collections.abc import Callable, Collection
from pathlib import Path
from queue import Empty
from typing import Protocol

from proxysync.daemon import notify
from proxysync.daemon.inbox import Inbox, Trigger
from proxysync.daemon.scheduler import SteadyScheduler
from proxysync.daemon.signals import Stop
from proxysync.daemon.watch import FileWatcher

DEBOUNCE = 0.25
"""Seconds without a further change after which a file counts as written."""

LONGEST_DEBOUNCE = 3.0
"""Seconds after which a file that keeps changing is looked at all the same."""

POLL = 2
"""Seconds between two looks at a file on a file system that reports no changes."""

TICK = 60
"""Seconds between two calls of `Work.tick` while there is nothing else to do."""

AFTER_FAULT = 30.0
"""Seconds before the next try after an error that nobody has foreseen."""


class Work(Protocol):
    """What the loop drives. Times are in seconds."""

    @property
    def resync_interval(self) -> float: ...

    @property
    def attachments(self) -> Collection[Path]:
        """The files that entries of the file name, as it was when it was last looked at."""

    def load(self, *, asked: bool = False) -> bool:
        """Looks at the file; True if there is something new to bring NPM in sync with.

        With `asked`, a person wants to hear what came of it, whatever that is.
        """

    def reconcile(self) -> float | None:
        """Brings NPM in sync; returns when to try again, None if the next resync is enough."""

    def tick(self) -> None:
        """Has what is live watched, and looked into if it is time to; never takes long."""

    def tend(self) -> None:
        """Sees to what the work stands on: the state folder and the file; never takes long."""

    def failed(self, error: Exception) -> None:
        """Hears of an error that nobody has foreseen. Never raises."""


class Loop:
    """Runs until `stop`; a reconciliation is never interrupted, only ended early.

    Whatever is raised in here is told to `work.failed`, and the loop goes on.
    """

    def __init__(self, work: Work, watcher: FileWatcher, stop: Stop, inbox: Inbox) -> None:
        self._work = work
        self._watcher = watcher
        self._stop = stop
        self._inbox = inbox
        self._scheduler = SteadyScheduler()
        self._retry_at: float | None = None

    def run(self) -> None:
        """Works until it is to stop."""
        self._try(self._watcher.arm)
        self._try(self._load)
        self._scheduler.every(POLL).seconds.do(self._try, self._poll)
        self._scheduler.every(TICK).seconds.do(self._try, self._work.tick)
        notify.ready("watching")
        self._reconcile()
        try:
            while not self._stop():
                self._try(self._run_once)
        finally:
            notify.stopping()
            self._try(self._watcher.close)

    def _run_once(self) -> None:
        trigger = self._next()
        if trigger is Trigger.FILE:
            self._debounce()
            self._arm()
            if self._load():
                self._reconcile()
        elif trigger is Trigger.RELOAD:
            notify.reloading()
            self._try(lambda: self._load(asked=True))
            notify.ready("watching")
            self._reconcile()
        elif trigger is Trigger.RESYNC:
            self._reconcile()

    def _load(self, *, asked: bool = False) -> bool:
        """Whether there is something new; from then on what it names is watched, too."""
        try:
            return self._work.load(asked=asked)
        finally:
            self._arm()

    def _arm(self) -> None:
        self._watcher.arm(self._work.attachments)

    def _poll(self) -> None:
        self._work.tend()
        self._watcher.poll()

    def _reconcile(self) -> None:
        self._retry_at = None
        if not self._try(self._reconcile_once):
            self._retry_at = time.monotonic() + AFTER_FAULT
        self._try(self._work.tick)
        self._scheduler.clear("resync")
        seconds = max(1, round(self._work.resync_interval))
        self._scheduler.every(seconds).seconds.do(self._inbox.put, Trigger.RESYNC).tag("resync")

    def _reconcile_once(self) -> None:
        pause = self._work.reconcile()
        self._retry_at = None if pause is None else time.monotonic() + pause

    def _try(self, work: Callable[[], object]) -> bool:
        """Whether it did not fail."""
        try:
            work()
        except Exception as error:  # noqa: BLE001 - whatever it is must not end the daemon
            self._work.failed(error)
            return False
        return True

    def _next(self) -> Trigger | None:
        """The next reason to work; None if there is none yet."""
        self._scheduler.run_pending()
        if self._retry_at is not None and time.monotonic() >= self._retry_at:
            self._retry_at = None
            return Trigger.RESYNC
        pause = self._scheduler.pause
        if self._retry_at is not None:
            pause = max(0.0, min(pause, self._retry_at - time.monotonic()))
        try:
            return self._inbox.get(timeout=pause)
        except Empty:
            return None

    def _debounce(self) -> None:
        """Waits until the file has been quiet for a moment: it may still be being written."""
        end = time.monotonic() + LONGEST_DEBOUNCE
        others: list[Trigger] = []
        while not self._stop() and time.monotonic() < end:
            try:
                trigger = self._inbox.get(timeout=DEBOUNCE)
            except Empty:
                break
            if trigger is not Trigger.FILE:
                others.append(trigger)
        for trigger in others:
            self._inbox.put(trigger)
