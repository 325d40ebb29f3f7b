"""When to try again what failed for now: NPM that is away, a state that is locked."""

import random

from proxysync.model.backoff import Backoff

RETRY = Backoff(first=1.0, longest=60.0)
JITTER = 0.25
"""The share of a pause by which it may be off, either way: many daemons may wait for one NPM."""


class Retries:
    """Counts the tries in a row that failed."""

    def __init__(self, backoff: Backoff = RETRY) -> None:
        self._backoff = backoff
        self._failed = 0

    def next(self) -> float:
        """Seconds to wait before the next try."""
        pause = self._backoff.pause(self._failed)
        self._failed += 1
        return pause * random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311

    def reset(self) -> None:
        """It worked: the next pause is the first again."""
        self._failed = 0
