"""What the daemon is told by signals, from its first moment to its last."""

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any


class Stop:
    """Whether the daemon was told to end; waits that end when it was.

    It is asked again and again, wherever work or waiting takes its time: whoever wants to know
    that the daemon goes on hears of it.
    """

    def __init__(self) -> None:
        self.requested = False
        self._hearers: list[Callable[[], object]] = []

    def tell(self, hearer: Callable[[], object]) -> None:
        """Has `hearer` called each time."""
        self._hearers.append(hearer)

    def __call__(self) -> bool:
        for hearer in self._hearers:
            hearer()
        return self.requested

    def wait(self, seconds: float) -> None:
        """Sleeps, but no longer than until the daemon is told to end."""
        end = time.monotonic() + seconds
        while not self() and (left := end - time.monotonic()) > 0:
            time.sleep(min(left, 0.1))


@contextmanager
def handled(
    stop: Stop, on_stop: Callable[[], object], on_reload: Callable[[], object]
) -> Iterator[None]:
    """In here SIGTERM and SIGINT request a stop, and SIGHUP a look at the file; none of them kills.

    Both functions are called from a signal handler.
    """

    def handle(number: int, _frame: FrameType | None) -> None:
        if number == signal.SIGHUP:
            on_reload()
        else:
            stop.requested = True
            on_stop()

    watched = (signal.SIGHUP, signal.SIGTERM, signal.SIGINT)
    before: dict[int, Any] = {number: signal.signal(number, handle) for number in watched}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
