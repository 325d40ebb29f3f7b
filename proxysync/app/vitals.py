"""What a running daemon shows of itself while it works, for whoever serves that to others."""

import math
import time
from datetime import datetime
from typing import Protocol

from proxysync.config.models import Config
from proxysync.model import Key, clock

STUCK = 300.0
"""Seconds without a sign of life after which the daemon is stuck: the longest write takes 120."""


class Gauges(Protocol):
    """Hears how long things take, in seconds; called from any thread, must not take long."""

    def checked(self, kind: str, seconds: float, *, ok: bool) -> object:
        """A health check of an upstream has ended."""

    def exchanged(self, method: str, status: int | None, seconds: float) -> object:
        """NPM has answered a request; `status` is None where it has not."""


class Vitals:
    """Signs of life, and when the daemon last got something done.

    `loaded_at` is when the file was last loaded, `synced_at` when NPM was last brought in sync
    with it as far as it could be; None if that has not happened yet. `config` is the file that
    counts, found at the last look that ended well and began at `looked_at` (monotonic seconds), and
    `in_sync` whether NPM was brought in sync since that was loaded, but for what is `not_made`.
    """

    def __init__(self) -> None:
        self.loaded_at: datetime | None = None
        self.synced_at: datetime | None = None
        self.config: Config | None = None
        self.looked_at = -math.inf
        self.in_sync = False
        self.not_made: frozenset[Key] = frozenset()
        self.gauges: Gauges | None = None
        self._alive_at = time.monotonic()

    def show_life(self) -> None:
        """The daemon's main loop comes by here again and again."""
        self._alive_at = time.monotonic()

    @property
    def silent_for(self) -> float:
        """Seconds since the last sign of life."""
        return time.monotonic() - self._alive_at

    def loaded(self, config: Config, looked_at: float) -> None:
        """Another file counts."""
        self.loaded_at = clock.now()
        # In this order, for whoever reads it in another thread.
        self.in_sync = False
        self.config = config
        self.looked_at = looked_at

    def found_same(self, looked_at: float) -> None:
        """The file is still the one that counts."""
        self.looked_at = looked_at

    def synced(self, not_made: frozenset[Key] = frozenset()) -> None:
        self.synced_at = clock.now()
        self.not_made = not_made
        self.in_sync = True

    def checked(self, kind: str, seconds: float, *, ok: bool) -> None:
        """Passes on how long a health check took, if somebody wants to know."""
        if self.gauges is not None:
            self.gauges.checked(kind, seconds, ok=ok)

    def exchanged(self, method: str, status: int | None, seconds: float) -> None:
        """Passes on how long a request to NPM took, if somebody wants to know."""
        if self.gauges is not None:
            self.gauges.exchanged(method, status, seconds)
