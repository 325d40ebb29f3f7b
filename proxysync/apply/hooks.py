"""What a caller wants to know or decide while a plan runs."""

import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass


@dataclass(frozen=True)
class Hooks:
    """What the caller wants to know or decide while a plan runs.

    `stop` is asked before each change, but not while domains are on their way from one host to
    another; `uninterrupted` is what a whole run is made in. `progress` hears of each step
    before it starts, `note` of what it has to wait for; `pause` waits for so many seconds.
    """

    stop: Callable[[], bool] = lambda: False
    progress: Callable[[str], object] = lambda _: None
    note: Callable[[str], object] = lambda _: None
    pause: Callable[[float], object] = time.sleep
    uninterrupted: Callable[[], AbstractContextManager[object]] = nullcontext
