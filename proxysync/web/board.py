"""How all is, read once for all who ask in the same moment."""

import threading
import time
from collections.abc import Sequence
from typing import Any

from proxysync.app.look import LookAside
from proxysync.app.status_view import Status, StatusView
from proxysync.model import Key
from proxysync.model.event import Event

KEEP = 1.0
"""Seconds for which a reading answers all who ask, if nothing happens meanwhile."""

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

    def read(self) -> Status:
        """How all is now, hosts that are not ours included. Raises ProxysyncError."""
        with self._lock:
            heard = self._heard
            old = time.monotonic() - self._read_at > KEEP
            if self._status is None or old or heard != self._known:
                self._status = self._view.read(everything=True)
                self._read_at, self._known = time.monotonic(), heard
            return self._status

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
