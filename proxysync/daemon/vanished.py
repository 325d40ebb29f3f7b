"""Files of a folder that are gone: for a moment, as in a checkout, or for good."""

import time
from collections.abc import Callable
from pathlib import Path

from proxysync.config.models import Config
from proxysync.kinds.entry import Resource

GIVE_UP_AFTER = 30.0
"""Seconds for which a file that is gone is waited for before what it said counts as removed."""


class Vanished:
    """Which files are waited for, by a clock that is never set back."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._since: dict[Path, float] = {}

    @property
    def left(self) -> float | None:
        """Seconds until waiting is over; None if nothing is waited for."""
        if not self._since:
            return None
        return max(0.0, max(self._since.values()) + GIVE_UP_AFTER - self._clock())

    def waits(self, old: Config | None, new: Config) -> tuple[Path, ...]:
        """The files for which `new` must not replace `old` yet, as it lacks what they said."""
        gone = frozenset(old.files) - frozenset(new.files) if old else frozenset()
        if old is None or not gone or not _is_less(old, new, gone):
            self._since = {}
            return ()
        self._since = {file: self._since.get(file, self._clock()) for file in gone}
        if not self.left:
            self._since = {}
        return tuple(sorted(self._since))


def _is_less(old: Config, new: Config, gone: frozenset[Path]) -> bool:
    """Whether anything changed that the files which are gone may have said.

    Their entries may stand in other files by now, as after a renaming; settings and defaults
    that stood in them show where they are missing.
    """
    there = {proxy.key: proxy for proxy in new.resources}
    return old.settings != new.settings or any(
        proxy.key not in there
        or (Path(proxy.source.file) not in gone and not _same(proxy, there[proxy.key]))
        for proxy in old.resources
    )


def _same(one: Resource, other: Resource) -> bool:
    return (one.key, one.entry) == (other.key, other.entry)
