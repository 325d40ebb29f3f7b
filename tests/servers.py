"""Servers on loopback that fail in every way an upstream or a name server can."""

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import dns.flags
import dns.message
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.rrset

Talk = Callable[[socket.socket], None]

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class Server:
    """Accepts connections and lets `talk` have each; keeps what the peers sent first."""

    def __init__(self, talk: Talk, family: int, context: ssl.SSLContext | None) -> None:
        self._talk = talk
        self.context = context
        self._listener = socket.create_server(
            ("::1" if family == socket.AF_INET6 else "127.0.0.1", 0),
            family=socket.AddressFamily(family),
        )
        self.port = int(self._listener.getsockname()[1])
        self.requests: list[bytes] = []
        self.closing = threading.Event()
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    def close(self) -> None:
        self.closing.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join(10)

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            thread = threading.Thread(target=self._serve, args=(connection,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, connection: socket.socket) -> None:
        connection.settimeout(10)
        with connection, contextlib.suppress(OSError):
            if self.context is None:
                self._talk(connection)
                return
            with self.context.wrap_socket(connection, server_side=True) as wrapped:
                self._talk(wrapped)


@contextlib.contextmanager
def serving(
    talk: Talk, family: int = socket.AF_INET, context: ssl.SSLContext | None = None
) -> Iterator[Server]:
    server = Server(talk, family, context)
    try:
        yield server
    finally:
        server.close()


@contextlib.contextmanager
def answering(
    answer: bytes,
    family: int = socket.AF_INET,
    context: ssl.SSLContext | None = None,
) -> Iterator[Server]:
    """Reads a request, keeps it in `requests`, sends `answer` and hangs up."""

    def talk(connection: socket.socket) -> None:
        server.requests.append(read_request(connection))
        connection.sendall(answer)

    with serving(talk, family, context) as server:
        yield server


@contextlib.contextmanager
def dripping(beginning: bytes, drop: bytes) -> Iterator[Server]:
    """Sends `beginning`, then a drop ten times a second without end."""

    def talk(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(beginning)
        while not server.closing.wait(0.1):
            connection.sendall(drop)

    with serving(talk) as server:
        yield server


def read_request(connection: socket.socket) -> bytes:
    """One request's headers, or the beginning of a TLS handshake."""
    data = b""
    while b"\r\n\r\n" not in data and not data.startswith(b"\x16"):
        chunk = connection.recv(4096)
        if not chunk:
            break
        data += chunk
    return data


@contextlib.contextmanager
def hanging() -> Iterator[int]:
    """A port whose connections are made by the kernel, and then nobody reads or answers."""
    with socket.create_server(("127.0.0.1", 0), backlog=4096) as listener:
        yield int(listener.getsockname()[1])


@contextlib.contextmanager
def full() -> Iterator[int]:
    """A port whose queue is full, so that the kernel drops every further connection attempt."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        for _ in range(3):
            filler = stack.enter_context(socket.socket())
            filler.settimeout(0)
            filler.connect_ex(listener.getsockname())
        yield int(listener.getsockname()[1])


@contextlib.contextmanager
def small() -> Iterator[int]:
    """A port of a server that takes one connection after the other, while at most five wait."""

    def serve(listener: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = listener.accept()
                with connection:
                    read_request(connection)
                    connection.sendall(OK)

    with socket.create_server(("127.0.0.1", 0), backlog=5) as listener:
        thread = threading.Thread(target=serve, args=(listener,), daemon=True)
        thread.start()
        yield int(listener.getsockname()[1])
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(10)


@contextlib.contextmanager
def gathering(count: int) -> Iterator[int]:
    """A port where nobody is answered until so many wait for an answer."""

    def serve(listener: socket.socket) -> None:
        with contextlib.ExitStack() as stack, contextlib.suppress(OSError):
            waiting = [stack.enter_context(listener.accept()[0]) for _ in range(count)]
            for connection in waiting:
                read_request(connection)
                connection.sendall(OK)

    with socket.create_server(("127.0.0.1", 0), backlog=4096) as listener:
        thread = threading.Thread(target=serve, args=(listener,), daemon=True)
        thread.start()
        yield int(listener.getsockname()[1])
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(10)


def connections_to(port: int) -> int:
    """How many connections to this port on loopback are open, or are being made."""
    open_or_begun = {"01", "02"}
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return sum(row[2].endswith(f":{port:04X}") and row[3] in open_or_begun for row in rows)


@contextlib.contextmanager
def closed() -> Iterator[int]:
    """A port that is taken, and that nothing listens on."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield int(taken.getsockname()[1])


class NameServer:
    """A name server on UDP. A name it has no `records` for does not exist."""

    def __init__(self) -> None:
        self.records: dict[tuple[str, str], Sequence[str]] = {}
        self.broken: set[str] = set()
        self.silent: set[tuple[str, str]] = set()
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self.port = int(self._socket.getsockname()[1])
        self.address = f"127.0.0.1:{self.port}"
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def close(self) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as waker:
            waker.sendto(b"", ("127.0.0.1", self.port))
        self._thread.join(10)
        self._socket.close()

    def _serve(self) -> None:
        while True:
            data, peer = self._socket.recvfrom(4096)
            if not data:
                return
            answer = self._answer(dns.message.from_wire(data))
            if answer:
                self._socket.sendto(answer.to_wire(), peer)

    def _answer(self, query: dns.message.Message) -> dns.message.Message | None:
        question = query.question[0]
        name = question.name.to_text(omit_final_dot=True)
        record = dns.rdatatype.to_text(question.rdtype)
        if (name, record) in self.silent:
            return None
        answer = dns.message.make_response(query, recursion_available=True)
        if name in self.broken:
            answer.set_rcode(dns.rcode.SERVFAIL)
            return answer
        while alias := self.records.get((name, "CNAME")):
            answer.answer.append(_records(name, "CNAME", alias))
            name = alias[0].removesuffix(".")
        if found := self.records.get((name, record)):
            answer.answer.append(_records(name, record, found))
        elif not any(known == name for known, _ in self.records):
            answer.set_rcode(dns.rcode.NXDOMAIN)
        return answer


def _records(name: str, record: str, values: Sequence[str]) -> dns.rrset.RRset:
    return dns.rrset.from_text(f"{name}.", 60, dns.rdataclass.IN, record, *values)
