"""NPM as it was when it was last looked at, for those who show it again and again."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from proxysync.model import Snapshot
from proxysync.model.errors import ProxysyncError
from proxysync.npm.client import NpmClient
from proxysync.npm.errors import NpmUnavailableError

KEEP = 10.0
"""Seconds for which NPM is taken as it was."""


@dataclass(frozen=True)
class Seen:
    """NPM at one moment, or in `trouble` why it could not be asked.

    `unseen` is what the account may not see of it.
    """

    snapshot: Snapshot | None = None
    trouble: ProxysyncError | None = None
    unseen: str | None = None


Look = Callable[[], Seen]
"""How a view sees NPM: as it is shown now."""


class LookNow:
    """Asks NPM, and waits for its answer, where the last look is too long ago."""

    def __init__(self, connect: Callable[[], NpmClient]) -> None:
        self._connect = connect
        self._npm: NpmClient | None = None
        self._seen = Seen()
        self._asked = 0.0

    def __call__(self) -> Seen:
        if self._seen.snapshot is None or time.monotonic() - self._asked > KEEP:
            self._seen = self.ask()
            self._asked = time.monotonic()
        return self._seen

    def ask(self) -> Seen:
        """NPM as it is at this moment."""
        try:
            self._npm = self._npm or self._connect()
            snapshot = self._npm.snapshot()
            return Seen(snapshot, unseen=self._npm.visibility_warning())
        except ProxysyncError as error:
            return Seen(trouble=error)


class LookAside:
    """Asks NPM on a thread of its own, so that one that hangs holds up nobody for long.

    A look that is `patience` seconds late is not waited for: until it comes, what was seen before
    is shown.
    """

    def __init__(self, connect: Callable[[], NpmClient], patience: float = 2.0) -> None:
        self._look = LookNow(connect)
        self._patience = patience
        self._changed = threading.Condition()
        self._seen = Seen(trouble=NpmUnavailableError("NPM has not answered yet"))
        self._begun = self._asked = float("-inf")
        self._wanted = 0
        self._done = 0
        self._is_asking = False

    def __call__(self) -> Seen:
        with self._changed:
            if not self._is_asking and (
                self._done < self._wanted or time.monotonic() - self._asked > KEEP
            ):
                self._is_asking, self._begun = True, time.monotonic()
                threading.Thread(target=self._ask, name="npm-look", daemon=True).start()
            left = self._begun + self._patience - time.monotonic()
            self._changed.wait_for(lambda: not self._is_asking, max(0.0, left))
            return self._seen

    def forget(self) -> None:
        """What was seen is old by now: the next look asks NPM again."""
        with self._changed:
            self._wanted += 1

    def _ask(self) -> None:
        with self._changed:
            wanted = self._wanted
        seen = Seen(trouble=NpmUnavailableError("the look at NPM failed"))
        try:
            seen = self._look.ask()
        finally:
            with self._changed:
                self._seen, self._done, self._asked = seen, wanted, time.monotonic()
                self._is_asking = False
                self._changed.notify_all()
