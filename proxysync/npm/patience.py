"""How long an NPM that does not answer is waited for, and who hears that it takes long."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass(frozen=True)
class Patience:
    """For whoever asks NPM.

    A reading is given up once NPM has answered nothing for `give_up_after` seconds, over all tries
    and whatever they are for; None leaves each try its own time. `tell` is called, once, when an
    answer is late by `tell_after` seconds.
    """

    give_up_after: float | None = None
    tell_after: float = 3.0
    tell: Callable[[], object] | None = None


ENDLESS = Patience()


class Silence:
    """Since when NPM has not answered."""

    def __init__(self, patience: Patience) -> None:
        self._patience = patience
        self._since: float | None = None
        self._told = False

    def limit(self, most: float) -> float:
        """Seconds that a reading may take now that could take `most`."""
        if self.is_over:
            self.end()  # that was told; this is another question
        patience = self._patience.give_up_after
        return most if patience is None else min(most, patience - self._lasted())

    @property
    def is_over(self) -> bool:
        """Whether NPM was waited for long enough."""
        patience = self._patience.give_up_after
        return patience is not None and self._lasted() >= patience

    def end(self) -> None:
        """NPM has answered, or nobody waits any more."""
        self._since = None

    @contextmanager
    def watched(self) -> Iterator[None]:
        """A request, during which somebody is told if there is no answer for long."""
        if self._patience.tell is None or self._told:
            yield
            return
        late = threading.Timer(max(0.0, self._patience.tell_after - self._lasted()), self._tell)
        late.daemon = True
        late.start()
        try:
            yield
        finally:
            late.cancel()

    def _lasted(self) -> float:
        if self._since is None:
            self._since = time.monotonic()
        return time.monotonic() - self._since

    def _tell(self) -> None:
        self._told = True
        if self._patience.tell is not None:
            self._patience.tell()
