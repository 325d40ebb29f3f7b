"""Streams: ports that are listened on, and what comes in passed on byte by byte."""

import socket
import socketserver
import ssl
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from threading import Thread

from proxysync.sandbox.server import Server

CONNECT_TIMEOUT = 10
"""Seconds until an upstream that does not accept counts as gone."""

NPMS_OWN_PORTS = frozenset({80, 81, 443})


@dataclass(frozen=True)
class Forward:
    """One stream as it is served: a port here, and where its connections go.

    `certificate` is the id of what its visitors are shown, 0 for plain TCP.
    """

    port: int
    host: str
    to_port: int
    certificate: int = 0


class Forwarding:
    """The ports of all streams of one NPM."""

    def __init__(self) -> None:
        self._wanted: frozenset[Forward] = frozenset()
        self._contexts: Mapping[int, ssl.SSLContext | None] = {}
        self._servers: dict[Forward, Server] | None = None

    def start(self) -> None:
        """Listens, as far as ports are free."""
        self._servers = {}
        for forward in self._wanted:
            self._listen(forward)

    def stop(self) -> None:
        """Ends all servers and their connections."""
        servers, self._servers = self._servers or {}, None
        for server in servers.values():
            server.stop()

    def change(
        self, forwards: Iterable[Forward], contexts: Mapping[int, ssl.SSLContext | None]
    ) -> bool:
        """From now on these; False, with all as it was, if one of the ports is taken."""
        wanted = frozenset(forwards)
        if any(one.port in NPMS_OWN_PORTS for one in wanted):
            return False
        before, self._contexts = self._contexts, contexts
        if self._servers is not None and not self._moved(self._servers, wanted):
            self._contexts = before
            return False
        self._wanted = wanted
        return True

    def _moved(self, servers: dict[Forward, Server], wanted: frozenset[Forward]) -> bool:
        held = {one.port: one for one in servers}
        free = [one for one in wanted - servers.keys() if one.port not in held]
        opened = [one for one in free if self._listen(one)]
        if len(opened) < len(free):
            for one in opened:
                servers.pop(one).stop()
            return False
        for one in servers.keys() - wanted:
            servers.pop(one).stop()
        for one in wanted - servers.keys():
            self._listen(one)
        return True

    def _listen(self, forward: Forward) -> bool:
        context = self._contexts.get(forward.certificate) if forward.certificate else None
        try:
            server = Server(forward.port, _handler(forward), context)
        except OSError:
            return False
        assert self._servers is not None
        self._servers[forward] = server
        server.start()
        return True


def _handler(forward: Forward) -> type[socketserver.BaseRequestHandler]:
    class Tunnel(socketserver.BaseRequestHandler):
        server: Server
        request: socket.socket

        def handle(self) -> None:
            address = (forward.host.strip("[]"), forward.to_port)
            try:
                upstream = socket.create_connection(address, CONNECT_TIMEOUT)
            except OSError:
                return
            with upstream:
                upstream.settimeout(None)
                self.server.track(upstream)
                back = Thread(target=_pump, args=(upstream, self.request))
                back.start()
                _pump(self.request, upstream)
                back.join()
                self.server.forget(upstream)

    return Tunnel


def _pump(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
    with suppress(OSError):
        target.shutdown(socket.SHUT_WR)
