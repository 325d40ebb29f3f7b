"""What SIGINT, SIGTERM and a closed terminal mean to a command that writes: stop, but cleanly."""

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from proxysync.apply.hooks import Hooks
from proxysync.cli.terminal import note

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupt:
    """Whether a signal came while it was deferred; outside of that, each does what it always does.

    Signals reach the main thread only, so that nothing is deferred in any other.
    """

    def __init__(self) -> None:
        self._requested = False

    def __call__(self) -> bool:
        return self._requested

    @contextmanager
    def deferred(self) -> Iterator[None]:
        """In here no signal ends the process, however often it comes."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before: dict[int, Any] = {number: signal.signal(number, self._note) for number in SIGNALS}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _note(self, _number: int, _frame: FrameType | None) -> None:
        if not self._requested:
            # Unlike print, this may be done while anything else is being printed.
            os.write(2, b"stopping as soon as no domain is on its way to another host\n")
        self._requested = True


def hooks(progress: Callable[[str], object] = lambda _: None) -> Hooks:
    """Hooks of a run that a signal ends between two changes."""
    interrupt = Interrupt()
    return Hooks(stop=interrupt, progress=progress, note=note, uninterrupted=interrupt.deferred)
