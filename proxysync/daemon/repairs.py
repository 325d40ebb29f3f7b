"""When a host that nginx does not serve is written again: at once, then after growing pauses."""

import threading
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from proxysync.model import Key
from proxysync.model.backoff import Backoff
from proxysync.model.health import EdgeStatus

RETRY = Backoff(first=5.0, longest=3600.0, factor=4.0)
"""Between two writes of one host: seldom soon, for somebody may just be saving in NPM."""


@dataclass(frozen=True)
class _Try:
    count: int
    next_at: float


class Repairs:
    """What has been tried so far; callable from any thread. `clock` is monotonic, in seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._tries: dict[Key, _Try] = {}
        self._lock = threading.Lock()

    def waiting(self) -> frozenset[Key]:
        """Those that are not to be written again yet."""
        now = self._clock()
        with self._lock:
            return frozenset(key for key, one in self._tries.items() if one.next_at > now)

    def take(self, seen: Mapping[Key, EdgeStatus]) -> bool:
        """Takes in what visitors got; whether any of these is to be written again now."""
        with self._lock:
            for key, status in seen.items():
                if status == "served":
                    self._tries.pop(key, None)
        lost = {key for key, status in seen.items() if status == "not_served"}
        return bool(lost - self.waiting())

    def tried(self, keys: Collection[Key]) -> None:
        """These have just been written again."""
        with self._lock:
            for key in keys:
                count = self._tries[key].count if key in self._tries else 0
                self._tries[key] = _Try(count + 1, self._clock() + RETRY.pause(count))
