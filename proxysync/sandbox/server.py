"""Servers that stop at once."""

import socket
import ssl
import threading
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import BaseRequestHandler
from typing import Any

LISTEN = "127.0.0.1"
_WAKE_TIMEOUT = 5


class Server(ThreadingHTTPServer):
    """A threaded server that ends every open connection when it stops.

    `stopping` is set from then on; whoever waits in a handler waits for it too.
    """

    daemon_threads = False
    block_on_close = True
    request_queue_size = 128

    def __init__(
        self,
        port: int,
        handler: type[BaseRequestHandler],
        context: ssl.SSLContext | None = None,
    ) -> None:
        super().__init__((LISTEN, port), handler)
        self.stopping = threading.Event()
        self._open: set[socket.socket] = set()
        self._open_lock = threading.Lock()
        if context:
            # The handshake is left to the thread of the connection: a slow one stops nobody.
            self.socket = context.wrap_socket(
                self.socket, server_side=True, do_handshake_on_connect=False
            )
        self._thread = threading.Thread(target=self._serve)

    @property
    def port(self) -> int:
        """The port that it listens on."""
        return int(self.server_address[1])

    def start(self) -> None:
        """Serves in a thread of its own."""
        self._thread.start()

    def stop(self) -> None:
        """Ends all connections and returns when no thread is left."""
        self.stopping.set()
        # Nothing polls: a visitor who wants nothing lets the thread look up and end.
        with suppress(OSError):
            socket.create_connection((LISTEN, self.port), _WAKE_TIMEOUT).close()
        self._thread.join()
        with self._open_lock:
            for connection in self._open:
                _hang_up(connection)
        self.server_close()

    def verify_request(self, request: Any, client_address: Any) -> bool:  # noqa: ARG002
        """Whether to answer this visitor."""
        return not self.stopping.is_set()

    def _serve(self) -> None:
        while not self.stopping.is_set():
            self.handle_request()

    def track(self, connection: socket.socket) -> None:
        """Lets `stop` end this connection too."""
        with self._open_lock:
            self._open.add(connection)
        if self.stopping.is_set():
            _hang_up(connection)

    def forget(self, connection: socket.socket) -> None:
        """The connection is closed."""
        with self._open_lock:
            self._open.discard(connection)

    def process_request(self, request: Any, client_address: Any) -> None:
        self.track(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self.forget(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Visitors who hang up, and failed handshakes, are nobody's concern."""


class Handler(BaseHTTPRequestHandler):
    """Keeps connections open, writes nothing to stderr, and sends each answer in one piece."""

    protocol_version = "HTTP/1.1"
    wbufsize = -1
    disable_nagle_algorithm = True
    server: Server

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
        """Says nothing."""

    def body(self) -> bytes:
        """The request's body, read to its end so that the connection can be used again."""
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def send(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
        """Sends one whole answer; HEAD and bodiless answers keep their headers only."""
        self.send_response_only(status)
        for name, value in headers:
            self.send_header(name, value)
        if status not in (204, 304):
            self.send_header("Content-Length", str(len(body)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD" and status not in (204, 304):
            self.wfile.write(body)
        self.wfile.flush()


def _hang_up(connection: socket.socket) -> None:
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        return
