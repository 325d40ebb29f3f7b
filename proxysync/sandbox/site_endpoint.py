"""The sites over HTTP: from the bytes of a visit to those of its page."""

import http.client
import ssl

from proxysync.sandbox.nginx import Nginx
from proxysync.sandbox.server import Handler
from proxysync.sandbox.sites import Sites, Visit

UPSTREAM_TIMEOUT = 10
"""Seconds until an upstream that says nothing becomes a 504."""


def open_connection(scheme: str, host: str, port: int) -> http.client.HTTPConnection:
    """A connection to an upstream; as in nginx, nobody looks at its certificate."""
    if scheme == "http":
        return http.client.HTTPConnection(host, port, timeout=UPSTREAM_TIMEOUT)
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return http.client.HTTPSConnection(host, port, timeout=UPSTREAM_TIMEOUT, context=context)


def sites_handler(nginx: Nginx, scheme: str = "http") -> type[Handler]:
    """The handler class for one sandbox's sites by this scheme."""

    class SitesHandler(Handler):
        def _visit(self) -> None:
            headers = {name.lower(): value for name, value in self.headers.items()}
            visit = Visit(
                self.command, self.path, headers, self.body(), str(self.client_address[0]), scheme
            )
            page = Sites(nginx, self._connect).visit(visit)
            self.send(page.status, list(page.headers), page.body)

        def _connect(self, scheme: str, host: str, port: int) -> http.client.HTTPConnection:
            connection = open_connection(scheme, host, port)
            server = self.server

            def tracked(*args: object, **more: object) -> object:
                opened = create(*args, **more)
                server.track(opened)
                return opened

            create = connection._create_connection  # type: ignore[attr-defined]  # noqa: SLF001
            connection._create_connection = tracked  # type: ignore[attr-defined]  # noqa: SLF001
            return connection

        do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = do_PATCH = do_OPTIONS = _visit  # noqa: N815

    return SitesHandler
