"""Parts of proxysync that die inside of a living process, as if it were killed."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from proxysync.npm.transport import Reply, Transport
from proxysync.store.database import Database


class Killed(BaseException):
    """The process is no more; nothing that still runs in it has any effect."""


@dataclass
class Life:
    """What is left of a process's life: so many requests and commits, None for no end."""

    requests: int | None = None
    commits: int | None = None
    answered: bool = True
    over: bool = False

    def end(self) -> None:
        self.over = True
        raise Killed

    def request(self) -> bool:
        """Whether this is the last request; raises Killed where none is left."""
        if self.over:
            raise Killed
        if self.requests is None:
            return False
        self.requests -= 1
        return self.requests < 0

    def commit(self) -> None:
        if self.over:
            raise Killed
        if self.commits is not None:
            self.commits -= 1
            if self.commits < 0:
                self.end()


class CrashingTransport(Transport):
    """Dies before its last request, or after NPM has acted upon it."""

    def __init__(self, url: str, life: Life) -> None:
        super().__init__(url)
        self._life = life
        self._session.trust_env = False

    def exchange(self, method: str, path: str, **more: Any) -> Reply:
        last = self._life.request()
        if last and not self._life.answered:
            self._life.end()
        reply = super().exchange(method, path, **more)
        if last:
            self._life.end()
        return reply


class CrashingDatabase(Database):
    """Dies before its last commit."""

    def __init__(self, whole: Database, life: Life) -> None:
        super().__init__(whole._connection)
        self._life = life

    @contextmanager
    def transaction(self) -> Iterator[Any]:
        if self._life.over:
            raise Killed
        with super().transaction() as connection:
            yield connection
            self._life.commit()
