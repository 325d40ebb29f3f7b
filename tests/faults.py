"""An HTTP proxy before an NPM that fails on purpose, at the very request that a test chooses."""

import http.client
import re
import socket
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from enum import StrEnum
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

from proxysync.sandbox.server import LISTEN, Handler, Server
from proxysync.sandbox.site_endpoint import open_connection

Hook = Callable[[int, str, str, str], object]
"""Hears of a request: its number from 1, its method, its path without `/api`, and the phase.

The phase is `before` (nothing has been forwarded) or `after` (NPM has acted, and its answer is
not yet sent). Where it returns a true value, the connection is cut at that point.
"""

KEPT_BACK = frozenset({"connection", "keep-alive", "transfer-encoding", "content-length", "host"})
"""Headers that are between two neighbours only."""


class Fault(StrEnum):
    """A way to fail. The text says what the client sees; see `FaultProxy.inject` for options."""

    REFUSE = "the connection is closed before the request is read"
    HANG = "no answer ever comes"
    CUT_BEFORE = "the connection is cut, and NPM never heard of the request"
    CUT_AFTER = "the connection is cut after NPM has acted"
    STATUS_400 = "400, and NPM never heard of the request"
    STATUS_401 = "401"
    ERROR_500_WITHOUT_EFFECT = "500, and NPM never heard of the request"
    ERROR_500_WITH_EFFECT = "500 after NPM has acted"
    SLOW = "the answer is late"
    GARBAGE = "200 with JSON that breaks off"
    HTML = "the HTML page of a proxy in between"


ACTS = frozenset({Fault.CUT_AFTER, Fault.ERROR_500_WITH_EFFECT, Fault.SLOW, Fault.GARBAGE})
"""Faults that, unless told otherwise, happen after NPM has acted."""


@dataclass(frozen=True)
class Seen:
    """One request that came, and the fault that it met."""

    number: int
    method: str
    path: str
    fault: Fault | None = None


@dataclass(frozen=True)
class _Answer:
    status: int
    headers: list[tuple[str, str]]
    body: bytes


@dataclass
class _Rule:
    fault: Fault
    method: str | None
    path: re.Pattern[str] | None
    nth: int
    times: int | None
    seconds: float
    status: int
    forward: bool
    _met: int = field(default=0, init=False)

    @property
    def at_accept(self) -> bool:
        return self.fault is Fault.REFUSE and self.method is None and self.path is None

    def is_due(self, method: str, path: str) -> bool:
        if self.method not in (None, method) or (self.path and not self.path.fullmatch(path)):
            return False
        self._met += 1
        return self.nth <= self._met and (self.times is None or self._met < self.nth + self.times)

    def answer(self, forwarded: _Answer | None) -> _Answer | None:
        """What the client gets; None where the connection is cut instead."""
        if self.fault is Fault.STATUS_400:
            return _json(400, b'{"error":{"code":400,"message":"Bad Request"}}')
        if self.fault is Fault.STATUS_401:
            return _json(401, b'{"error":{"code":401,"message":"Unauthorized"}}')
        if self.fault in (Fault.ERROR_500_WITH_EFFECT, Fault.ERROR_500_WITHOUT_EFFECT):
            return _json(500, b'{"error":{"code":500,"message":"Internal Error"}}')
        if self.fault is Fault.GARBAGE:
            return _json(200, b'{"id":7,"domain_names":["')
        if self.fault is Fault.HTML:
            page = f"<html><body><h1>{self.status}</h1></body></html>".encode()
            return _Answer(self.status, [("Content-Type", "text/html")], page)
        return forwarded if self.fault is Fault.SLOW else None


class _Script:
    """The faults that are set, and the requests that have come."""

    def __init__(self) -> None:
        self.requests: list[Seen] = []
        self.rules: list[_Rule] = []
        self.lock = threading.Lock()

    def refuses_connection(self) -> bool:
        with self.lock:
            due = [rule for rule in self.rules if rule.at_accept and rule.is_due("", "")]
            return bool(due)

    def arrived(self, method: str, path: str) -> tuple[int, _Rule | None]:
        """The number of a request and the fault that it meets: the one set first."""
        with self.lock:
            due = [r for r in self.rules if not r.at_accept and r.is_due(method, path)]
            rule = due[0] if due else None
            seen = Seen(len(self.requests) + 1, method, path, rule.fault if rule else None)
            self.requests.append(seen)
            return seen.number, rule


class FaultProxy:
    """Stands before the NPM at `npm_url`, on loopback, and passes on what no fault is set for.

    Faults can be set and lifted, and the hook changed, at any time from any thread. An NPM that
    does not answer is a 502 with a page, as from any proxy.
    """

    def __init__(self, npm_url: str, on_request: Hook | None = None) -> None:
        self.npm_url = npm_url
        self.on_request = on_request
        self._script = _Script()
        self._server = _Server(self, self._script)

    def __enter__(self) -> Self:
        self._server.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Ends all connections, those that hang too; nothing is left running."""
        self._server.stop()

    @property
    def url(self) -> str:
        """Where the NPM behind it is found."""
        return f"http://{LISTEN}:{self._server.port}"

    @property
    def requests(self) -> list[Seen]:
        """What has come so far, in order."""
        with self._script.lock:
            return list(self._script.requests)

    def inject(
        self,
        fault: Fault,
        *,
        method: str | None = None,
        path: str | None = None,
        nth: int = 1,
        times: int | None = 1,
        seconds: float = 0.1,
        status: int = 200,
        forward: bool | None = None,
    ) -> None:
        """Sets a fault for the nth request from now on that matches, and `times` - 1 after it.

        `path` is a pattern for the whole path without `/api` and query; `times` None lasts
        until `lift`. `seconds` is how late SLOW is, `status` that of HTML. `forward` tells
        whether NPM acts, for HANG, GARBAGE and HTML, which may be either. A REFUSE without
        method and path counts connections, ends those that are open and closes new ones at
        accept.
        """
        acts = fault in ACTS if forward is None else forward
        pattern = re.compile(path) if path else None
        rule = _Rule(fault, method, pattern, nth, times, seconds, status, acts)
        with self._script.lock:
            self._script.rules.append(rule)
        if rule.at_accept:
            self._server.hang_up()

    def lift(self) -> None:
        """Takes all faults away; a request that already hangs goes on hanging."""
        with self._script.lock:
            self._script.rules.clear()

    def forget(self) -> None:
        """Empties the log, and counts from 1 again."""
        with self._script.lock:
            self._script.requests.clear()


class _Server(Server):
    def __init__(self, proxy: FaultProxy, script: _Script) -> None:
        super().__init__(0, _Relay)
        self.proxy = proxy
        self.script = script

    def verify_request(self, request: Any, client_address: Any) -> bool:
        return not self.script.refuses_connection()

    def hang_up(self) -> None:
        """Ends the connections that are open."""
        with self._open_lock:
            for connection in self._open:
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)


class _Relay(Handler):
    """One connection of a client, and its own connection to NPM."""

    server: _Server

    def setup(self) -> None:
        super().setup()
        npm = urlsplit(self.server.proxy.npm_url)
        port = npm.port or (443 if npm.scheme == "https" else 80)
        self._npm = open_connection(npm.scheme, npm.hostname or "", port)

    def finish(self) -> None:
        self._npm.close()
        super().finish()

    def _relay(self) -> None:
        path = urlsplit(self.path).path.removeprefix("/api")
        number, rule = self.server.script.arrived(self.command, path)
        answer = None
        if rule is None or rule.fault is not Fault.REFUSE:
            answer = self._answer(number, path, rule)
        if answer is None:
            self.close_connection = True
        else:
            self.send(answer.status, answer.headers, answer.body)

    do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = do_OPTIONS = _relay  # noqa: N815

    def _answer(self, number: int, path: str, rule: _Rule | None) -> _Answer | None:
        """What the client gets; None where the connection is cut instead."""
        body = self.body()
        if self._is_cut(number, path, "before"):
            return None
        if rule and rule.fault is Fault.SLOW:
            self.server.stopping.wait(rule.seconds)
        answer = None
        if rule is None or rule.forward:
            answer = self._forward(body)
            if self._is_cut(number, path, "after"):
                return None
        if rule and rule.fault is Fault.HANG:
            self.server.stopping.wait()
        return rule.answer(answer) if rule else answer

    def _is_cut(self, number: int, path: str, phase: str) -> bool:
        hook = self.server.proxy.on_request
        return bool(hook and hook(number, self.command, path, phase))

    def _forward(self, body: bytes) -> _Answer:
        headers = {**dict(_kept(self.headers.items())), "Connection": "keep-alive"}
        try:
            self._npm.request(self.command, self.path, body or None, headers)
            reply = self._npm.getresponse()
            return _Answer(reply.status, _kept(reply.getheaders()), reply.read())
        except (OSError, http.client.HTTPException):
            self._npm.close()
            return _Answer(502, [("Content-Type", "text/html")], b"<h1>502 Bad Gateway</h1>")


def _kept(headers: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    return [pair for pair in headers if pair[0].lower() not in KEPT_BACK]


def _json(status: int, body: bytes) -> _Answer:
    return _Answer(status, [("Content-Type", "application/json; charset=utf-8")], body)
