"""When to check whom. Pure: times are given, in seconds of one monotonic clock."""

import hashlib
import heapq
from collections.abc import Collection, Mapping

from proxysync.model import Key

PER_SECOND = 20
"""Checks that may begin within a second where all are to be made soon."""

SETTLING = 30.0
"""Seconds within which a target of which nothing is known is checked, however long its interval."""


def phase(key: Key) -> float:
    """Where in its interval a target is checked, from 0 to below 1: the same in every run."""
    digest = hashlib.blake2b(key.qualified.encode(), digest_size=6).digest()
    return int.from_bytes(digest) / 2**48


def next_slot(key: Key, interval: float, now: float) -> float:
    """The first moment after `now` at which this target is due."""
    return now + interval - (now - phase(key) * interval) % interval


class Schedule:
    """Spreads targets over their intervals by a hash of their keys, so that none burst.

    A target that is late is checked once, however many of its moments have passed, and one
    whose check still runs is left out until `finish`.
    """

    def __init__(self) -> None:
        self._intervals: dict[Key, float] = {}
        self._due: dict[Key, float] = {}
        self._heap: list[tuple[float, Key]] = []
        self._running: set[Key] = set()

    def replace(
        self, intervals: Mapping[Key, float], now: float, unknown: Collection[Key] = ()
    ) -> None:
        """From now on these are the targets; whoever was one keeps its next moment.

        Those of which it is `unknown` how they are are checked within SETTLING seconds.
        """
        due = {}
        for key, interval in intervals.items():
            kept = self._intervals.get(key) == interval
            due[key] = self._due[key] if kept else next_slot(key, interval, now)
            if key in unknown:
                due[key] = min(due[key], now + phase(key) * SETTLING)
        self._intervals, self._due = dict(intervals), due
        self._heap = [(when, key) for key, when in due.items()]
        heapq.heapify(self._heap)

    def hurry(self, keys: Collection[Key] | None, now: float) -> None:
        """Makes these due at once; or all, spread over up to SETTLING seconds, so none burst."""
        chosen = set(self._due) if keys is None else set(keys) & self._due.keys()
        spread = 0.0 if keys is not None else min(SETTLING, len(chosen) / PER_SECOND)
        for key in chosen:
            self._due[key] = min(self._due[key], now + phase(key) * spread)
        self._heap = [(when, key) for key, when in self._due.items()]
        heapq.heapify(self._heap)

    @property
    def next_at(self) -> float | None:
        """When the next target is due; None if there is none."""
        return self._heap[0][0] if self._heap else None

    @property
    def rate(self) -> float:
        """Checks a second, on average."""
        return sum(1 / interval for interval in self._intervals.values())

    def take(self, now: float, most: int | None = None) -> list[tuple[Key, float]]:
        """Those to start now, each with the moment it was due; call `finish` for each.

        No more than `most` are started, the most overdue first; the others stay due.
        """
        taken: list[tuple[Key, float]] = []
        while self._heap and self._heap[0][0] <= now and (most is None or len(taken) < most):
            when, key = self._heap[0]
            self._due[key] = after = _following(key, self._intervals[key], when, now)
            heapq.heapreplace(self._heap, (after, key))
            if key not in self._running:
                self._running.add(key)
                taken.append((key, when))
        return taken

    def finish(self, key: Key) -> None:
        """Its check has ended."""
        self._running.discard(key)


def _following(key: Key, interval: float, due: float, now: float) -> float:
    slot = next_slot(key, interval, now)
    # Rounding, or a first check off its slot, must not bring two checks close together.
    return slot if slot - due > interval / 2 else slot + interval
