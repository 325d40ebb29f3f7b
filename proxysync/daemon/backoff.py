"""Growing pauses between tries."""

import random

FIRST = 1.0
LAST = 60.0
"""Seconds."""


class Backoff:
    """Pauses that double up to a minute, each one off by up to a quarter either way.

    The jitter keeps many daemons from coming back to one NPM at the same moment.
    """

    def __init__(self) -> None:
        self._pause = FIRST

    def next(self) -> float:
        """Seconds to wait before the next try."""
        pause = self._pause
        self._pause = min(pause * 2, LAST)
        return pause * random.uniform(0.75, 1.25)  # noqa: S311

    def reset(self) -> None:
        self._pause = FIRST
