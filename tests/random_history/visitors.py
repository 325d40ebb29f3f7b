"""Strangers who ask for sites all the while, each time over a new connection."""

import http.client
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from urllib.parse import urlsplit

EVERY = 0.03
"""Seconds between two visits of one site."""


class Visitors:
    """One visitor a site; they note each visit of a steady site that did not get its page, and
    each one of a guarded site that did.
    """

    def __init__(self, url: str, steady: Mapping[str, str], guarded: Mapping[str, str]) -> None:
        self._address = urlsplit(url)
        self._sites = [(name, text, True) for name, text in steady.items()]
        self._sites += [(name, text, False) for name, text in guarded.items()]
        self.failures: list[str] = []
        self.visits = 0

    @contextmanager
    def at_work(self) -> Iterator[None]:
        done = threading.Event()
        threads = [
            threading.Thread(target=self._visit, args=(done, *site), daemon=True)
            for site in self._sites
        ]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            done.set()
            for thread in threads:
                thread.join()

    def _visit(self, done: threading.Event, name: str, text: str, welcome: bool) -> None:
        while not done.wait(EVERY):
            started = time.time()
            try:
                status, body = self.ask(name)
            except (OSError, http.client.HTTPException) as error:
                status, body = 0, f"{type(error).__name__}: {error}"
            self.visits += 1
            served = body.strip() in text.split()
            if served is not welcome:
                moment = time.strftime("%H:%M:%S", time.localtime(started))
                self.failures.append(
                    f"{moment}.{int(started % 1 * 1000):03} {name}: {status} {body[:80]!r} "
                    f"after {time.time() - started:.3f} s"
                )

    def ask(self, name: str) -> tuple[int, str]:
        """Status and text that a stranger gets."""
        address = self._address
        connection = http.client.HTTPConnection(
            address.hostname or "", address.port or 80, timeout=10
        )
        try:
            connection.request("GET", "/", headers={"Host": name, "Connection": "close"})
            answer = connection.getresponse()
            return answer.status, answer.read().decode(errors="replace")
        finally:
            connection.close()
