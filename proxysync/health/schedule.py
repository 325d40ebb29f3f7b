"""When to check whom. Pure: times are given, in seconds of one monotonic clock."""

import hashlib
import heapq
from collections.abc import Collection, Mapping

PER_SECOND = 20
"""Checks that may begin within a second where all are to be made soon."""

SETTLING = 30.0
"""Seconds within which a target of which nothing is known is checked, however long its interval."""


def phase(name: str) -> float:
    """Where in its interval a target is checked, from 0 to below 1: the same in every run."""
    digest = hashlib.blake2b(name.encode(), digest_size=6).digest()
    return int.from_bytes(digest) / 2**48


def next_slot(name: str, interval: float, now: float) -> float:
    """The first moment after `now` at which this target is due."""
    return now + interval - (now - phase(name) * interval) % interval


class Schedule:
    """Spreads targets over their intervals by a hash of their names, so that none burst.

    A target that is late is checked once, however many of its moments have passed, and one
    whose check still runs is left out until `finish`.
    """

    def __init__(self) -> None:
        self._intervals: dict[str, float] = {}
        self._due: dict[str, float] = {}
        self._heap: list[tuple[float, str]] = []
        self._running: set[str] = set()

    def replace(
        self, intervals: Mapping[str, float], now: float, unknown: Collection[str] = ()
    ) -> None:
        """From now on these are the targets; whoever was one keeps its next moment.

        Those of which it is `unknown` how they are are checked within SETTLING seconds.
        """
        due = {}
        for name, interval in intervals.items():
            kept = self._intervals.get(name) == interval
            due[name] = self._due[name] if kept else next_slot(name, interval, now)
            if name in unknown:
                due[name] = min(due[name], now + phase(name) * SETTLING)
        self._intervals, self._due = dict(intervals), due
        self._heap = [(when, name) for name, when in due.items()]
        heapq.heapify(self._heap)

    def hurry(self, names: Collection[str] | None, now: float) -> None:
        """Makes these due at once; or all, spread over up to SETTLING seconds, so none burst."""
        chosen = set(self._due) if names is None else set(names) & self._due.keys()
        spread = 0.0 if names is not None else min(SETTLING, len(chosen) / PER_SECOND)
        for name in chosen:
            self._due[name] = min(self._due[name], now + phase(name) * spread)
        self._heap = [(when, name) for name, when in self._due.items()]
        heapq.heapify(self._heap)

    @property
    def next_at(self) -> float | None:
        """When the next target is due; None if there is none."""
        return self._heap[0][0] if self._heap else None

    @property
    def rate(self) -> float:
        """Checks a second, on average."""
        return sum(1 / interval for interval in self._intervals.values())

    def take(self, now: float, most: int | None = None) -> list[tuple[str, float]]:
        """Those to start now, each with the moment it was due; call `finish` for each.

        No more than `most` are started, the most overdue first; the others stay due.
        """
        taken: list[tuple[str, float]] = []
        while self._heap and self._heap[0][0] <= now and (most is None or len(taken) < most):
            when, name = self._heap[0]
            self._due[name] = after = _following(name, self._intervals[name], when, now)
            heapq.heapreplace(self._heap, (after, name))
            if name not in self._running:
                self._running.add(name)
                taken.append((name, when))
        return taken

    def finish(self, name: str) -> None:
        """Its check has ended."""
        self._running.discard(name)


def _following(name: str, interval: float, due: float, now: float) -> float:
    slot = next_slot(name, interval, now)
    # Rounding, or a first check off its slot, must not bring two checks close together.
    return slot if slot - due > interval / 2 else slot + interval
