"""A deadline for the whole of an HTTP exchange: a socket's timeout begins anew with each byte."""

import io
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, cast

from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

TICK = 0.2
"""Seconds after which a wait for the next byte looks again whether it still makes sense."""

STOP_GRACE = 5.0
"""Seconds that an answer may still take once the process was told to end."""


class Deadline:
    """When an exchange has to be over: `seconds` from now, or sooner once `stop` says so."""

    def __init__(self, seconds: float, stop: Callable[[], bool] = lambda: False) -> None:
        self._end = time.monotonic() + seconds
        self._stop = stop
        self.stopped = False
        """Whether the time was cut short because the process is to end."""

    def left(self) -> float:
        """Seconds, negative once it is over."""
        if not self.stopped and self._stop():
            self.stopped = True
            self._end = min(self._end, time.monotonic() + STOP_GRACE)
        return self._end - time.monotonic()


_current: ContextVar[Deadline | None] = ContextVar("deadline", default=None)


@contextmanager
def within(deadline: Deadline) -> Iterator[None]:
    """What is read in here over a `DeadlineAdapter` raises TimeoutError after the deadline."""
    token = _current.set(deadline)
    try:
        yield
    finally:
        _current.reset(token)


class DeadlineAdapter(HTTPAdapter):
    """Connections of `requests` whose reads heed the deadline that `within` has set."""

    def init_poolmanager(self, *args: Any, **more: Any) -> None:
        super().init_poolmanager(*args, **more)
        self.poolmanager.pool_classes_by_scheme = {"http": _Pool, "https": _TlsPool}


class _Connection(HTTPConnection):
    def connect(self) -> None:
        super().connect()
        self.sock = _timed(self.sock)


class _TlsConnection(HTTPSConnection):
    def connect(self) -> None:
        super().connect()
        self.sock = _timed(self.sock)


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = _TlsConnection


class _TimedSocket:
    """A connected socket, but that what it is read by heeds the deadline."""

    def __init__(self, inner: socket.socket) -> None:
        self._inner = inner

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def makefile(self, *_args: Any, **_more: Any) -> io.BufferedReader:
        return io.BufferedReader(_TimedReader(self._inner))


class _TimedReader(io.RawIOBase):
    def __init__(self, inner: socket.socket) -> None:
        self._inner = inner
        # The socket stays open for as long as somebody has a file of it.
        self._file = inner.makefile("rb", buffering=0)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "WriteableBuffer", /) -> int:
        deadline = _current.get()
        if deadline is None:
            return self._inner.recv_into(buffer)
        while (left := deadline.left()) > 0:
            self._inner.settimeout(min(left, TICK))
            try:
                return self._inner.recv_into(buffer)
            except TimeoutError:
                continue
        raise TimeoutError("the deadline is over")

    def close(self) -> None:
        if not self.closed:
            self._file.close()
        super().close()


def _timed(connected: socket.socket | None) -> socket.socket | None:
    return cast("socket.socket", _TimedSocket(connected)) if connected else None
