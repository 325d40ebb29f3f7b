"""Strangers who ask for sites all the while, each time over a new connection."""

import threading
import time
from collections.abc import Callable, Container, Iterator, Mapping
from contextlib import contextmanager

EVERY = 0.03
"""Seconds between two visits of one site."""


class Visitors:
    """One visitor a site or port; they note each visit of a steady one that did not get what it
    should, and each one of a guarded site that did.

    `ask` tells what is to be had somewhere, a domain or a port as tcp/25565. `steady` is what
    visitors are to get, by where they ask, and `guarded` is what nobody may get there.
    """

    def __init__(
        self,
        ask: Callable[[str], str],
        steady: Mapping[str, str],
        guarded: Mapping[str, Container[str]],
    ) -> None:
        self.ask = ask
        self.steady = steady
        self._guarded = guarded
        self.failures: list[str] = []
        self.visits = 0

    @contextmanager
    def at_work(self) -> Iterator[None]:
        done = threading.Event()
        threads = [
            threading.Thread(target=self._visit, args=(done, where), daemon=True)
            for where in (*self.steady, *self._guarded)
        ]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            done.set()
            for thread in threads:
                thread.join()

    def _visit(self, done: threading.Event, where: str) -> None:
        while not done.wait(EVERY):
            started = time.time()
            got = self.ask(where)
            self.visits += 1
            if where in self.steady:
                good = got == self.steady[where]
            else:
                good = got not in self._guarded[where]
            if not good:
                moment = time.strftime("%H:%M:%S", time.localtime(started))
                self.failures.append(
                    f"{moment}.{int(started % 1 * 1000):03} {where}: {got[:80]!r} "
                    f"after {time.time() - started:.3f} s"
                )
