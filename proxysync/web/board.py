"""How all is, read once for all who ask in the same moment."""

import threading
import time
from collections.abc import Callable, Hashable, Sequence
from contextlib import suppress
from typing import Any

from proxysync.app.look import LookAside
from proxysync.app.status_view import Status, StatusView
from proxysync.model import Key
from proxysync.model.errors import ProxysyncError
from proxysync.model.event import Event

KEEP = 1.0
"""Seconds after which a reading is made anew, where nothing has happened, for who asks next."""

TOO_OLD = 5.0
"""Seconds after which nobody is answered with a reading."""

ABOUT_NPM = frozenset(("config", "plan", "validation", "apply", "npm", "git", "daemon"))
"""Sources of events after which NPM may be another than it was."""


class Board:
    """The status of everything, kept for a moment. To be closed."""

    def __init__(self, view: StatusView, look: LookAside) -> None:
        self._view = view
        self._look = look
        self._lock = threading.Lock()
        self._status: Status | None = None
        self._read_at = 0.0
        self._heard = 0
        self._known = -1
        self._refreshing = threading.Lock()
        self._made: tuple[Status | None, dict[Hashable, Any]] = (None, {})

    def read(self) -> Status:
        """How all is now, hosts that are not ours included. Raises ProxysyncError."""
        status, age = self._status, time.monotonic() - self._read_at
        if status is None or self._heard != self._known or age > TOO_OLD:
            return self._read(self._read_at)
        if age > KEEP and self._refreshing.acquire(blocking=False):
            threading.Thread(target=self._refresh, name="board", daemon=True).start()
        return status

    def made(self, status: Status, what: Hashable, make: Callable[[], Any]) -> Any:
        """What is made of a reading, once for all who ask for the same."""
        made_of, kept = self._made
        if made_of is not status:
            kept = {}
            self._made = (status, kept)
        if what not in kept:
            kept[what] = make()
        return kept[what]

    def last_events(self, key: Key) -> list[dict[str, Any]]:
        """What last happened to an entry, the newest first, in the shape of `events`."""
        with self._lock:
            return [event.to_json() for event in self._view.last_events(key)]

    def hear(self, events: Sequence[Event]) -> None:
        """Something has happened: what was read before is old."""
        self._heard += 1
        if any(event.source in ABOUT_NPM for event in events):
            self._look.forget()

    def close(self) -> None:
        """Closes the state."""
        with self._lock:
            self._view.close()

    def _read(self, seen: float) -> Status:
        """Reads, unless somebody else did since what was `seen`."""
        with self._lock:
            heard = self._heard
            if self._status is None or self._known != heard or self._read_at == seen:
                self._status = self._view.read(everything=True)
                self._read_at, self._known = time.monotonic(), heard
            return self._status

    def _refresh(self) -> None:
        try:
            with suppress(ProxysyncError):  # who asks next is told
                self._read(self._read_at)
        finally:
            self._refreshing.release()
