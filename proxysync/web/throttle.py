"""A bound on how often, and how many at a time, something may be asked for."""

import math
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from proxysync.web.answers import RequestError


class BusyError(RequestError):
    """It was asked for too often; `wait` is in seconds."""

    code = "request.too_many"
    status = 429

    def __init__(self, wait: float) -> None:
        seconds = max(1, math.ceil(wait))
        super().__init__("this is asked for too often", hint=f"Try again in {seconds} s.")
        self.headers = {"Retry-After": str(seconds)}


class Throttle:
    """Lets `burst` pass, then `rate` a second, and `at_once` at a time. For any thread."""

    def __init__(self, *, burst: int, rate: float, at_once: int) -> None:
        self._burst = burst
        self._rate = rate
        self._at_once = at_once
        self._left = float(burst)
        self._read_at = time.monotonic()
        self._lock = threading.Lock()

    def take(self, count: int = 1) -> None:
        """Raises BusyError where there are not as many left."""
        with self._lock:
            now = time.monotonic()
            self._left = min(self._burst, self._left + (now - self._read_at) * self._rate)
            self._read_at = now
            if self._left < count:
                raise BusyError((count - self._left) / self._rate)
            self._left -= count

    @contextmanager
    def place(self) -> Iterator[None]:
        """One of those at a time. Raises BusyError where all are taken."""
        with self._lock:
            if self._at_once == 0:
                raise BusyError(1)
            self._at_once -= 1
        try:
            yield
        finally:
            with self._lock:
                self._at_once += 1
