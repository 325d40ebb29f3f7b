"""One GET request, and as much of the answer as it takes to judge it."""

import asyncio
import contextlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from urllib.parse import quote

from proxysync import __version__
from proxysync.probe.outcome import HEADERS_TOO_BIG, NO_ANSWER, NOT_HTTP, PeerError
from proxysync.probe.streams import Stream
from proxysync.probe.tls import show

MAX_HEADERS = 64 * 1024
MAX_ERROR_PAGE = 4 * 1024
ERROR_PAGE_TIMEOUT = 1.0

_STATUS_LINE = re.compile(rb"HTTP/\d+\.\d+ +(\d{3})(?=[ \r\n])")
_HEADERS_END = re.compile(rb"\n\r?\n")
_BEGINNING = b"HTTP/"
_TLS_ALERT = b"\x15\x03"
# What nginx, Apache, Go and Tomcat say to plain HTTP on a TLS port.
_TLS_WANTED = re.compile(
    rb"plain HTTP request was sent to HTTPS port"
    rb"|speaking plain HTTP to an SSL-enabled server port"
    rb"|HTTP request to an HTTPS server"
    rb"|combination of host and port requires TLS",
    re.IGNORECASE,
)


class WantsTlsError(Exception):
    """The peer says, in TLS or in words, that it wants TLS."""


class NoAnswerError(PeerError):
    """The peer hung up without a word."""


@dataclass(frozen=True)
class Answer:
    """An answer as it came; `headers` by lower-case name, the last of each; `body` may be cut."""

    status: int
    headers: dict[str, str]
    body: bytes


def request(
    path: str,
    host: str,
    *,
    version: str = "1.1",
    more: Mapping[str, str] = MappingProxyType({}),
) -> bytes:
    """A GET of `path`, percent-encoded where a request line could not hold it.

    In `version` 1.0 the answer comes in one piece, so that its body can be compared.
    """
    target = quote(path if path.startswith("/") else f"/{path}", safe="/%:=&?~+!$,;'@()*[]")
    return (
        f"GET {target} HTTP/{version}\r\n"
        f"Host: {host}\r\n"
        f"User-Agent: proxysync/{__version__}\r\n"
        "Accept: */*\r\n"
        + "".join(f"{name}: {value}\r\n" for name, value in more.items())
        + "Connection: close\r\n\r\n"
    ).encode()


async def ask(stream: Stream, message: bytes, *, in_clear: bool = True) -> int:
    """Sends a request and gives the answer's status code; interim answers (1xx) are passed over.

    Nothing behind the headers is waited for, but for a 400 that comes `in_clear`: it may be a
    TLS server's way to refuse plain HTTP. Raises PeerError for anything that is no HTTP answer,
    WantsTlsError for one that says so.
    """
    # A peer that has hung up may have said why before.
    with contextlib.suppress(ConnectionError):
        await stream.send(message)
    reader = _Reader(stream)
    status = 100
    while 100 <= status < 200 and status != 101:
        status = await reader.status()
    if in_clear and status in {400, 497} and await reader.wants_tls():
        raise WantsTlsError
    return status


async def fetch(stream: Stream, message: bytes, most: int) -> Answer:
    """Sends a request of version 1.0 and gives the answer, with `most` bytes of its body at most.

    Raises PeerError for anything that is no HTTP answer, and what `stream` raises.
    """
    with contextlib.suppress(ConnectionError):
        await stream.send(message)
    reader = _Reader(stream)
    status = 100
    while 100 <= status < 200 and status != 101:
        status = await reader.status()
    return Answer(status, reader.headers, await reader.body(most))


class _Reader:
    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self._data = b""
        self._received = 0
        self.headers: dict[str, str] = {}

    async def status(self) -> int:
        """Takes one answer's headers off the stream and gives its status code."""
        while not (end := _HEADERS_END.search(self._data)):
            if self._received > MAX_HEADERS:
                raise PeerError(f"sent more than {MAX_HEADERS} bytes of headers", HEADERS_TOO_BIG)
            if not await self._receive():
                raise self._ended()
            self._check_beginning()
        match = _STATUS_LINE.match(self._data)
        if not match:
            raise self._not_http()
        self.headers = _headers(self._data[: end.start()])
        self._data = self._data[end.end() :]
        return int(match[1])

    async def body(self, most: int) -> bytes:
        """What follows the headers, to its end or to `most` bytes."""
        length = self.headers.get("content-length", "")
        wanted = min(most, int(length)) if length.isdecimal() else most
        while len(self._data) < wanted and await self._receive():
            pass
        return self._data[:wanted]

    async def wants_tls(self) -> bool:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(ERROR_PAGE_TIMEOUT):
                while len(self._data) < MAX_ERROR_PAGE and not _TLS_WANTED.search(self._data):
                    if not await self._receive():
                        break
        return _TLS_WANTED.search(self._data) is not None

    async def _receive(self) -> bool:
        """Whether there was more to receive."""
        try:
            data = await self._stream.receive()
        except ConnectionError:
            return False
        self._data += data
        self._received += len(data)
        return bool(data)

    def _check_beginning(self) -> None:
        """Tells as early as can be that this will be no HTTP: a banner may be all there is."""
        beginning = self._data[: len(_BEGINNING)]
        if _BEGINNING.startswith(beginning) or beginning == _TLS_ALERT[:1]:
            return
        if beginning.startswith(_TLS_ALERT):
            raise WantsTlsError
        if not beginning.startswith(_BEGINNING):
            raise self._not_http()

    def _not_http(self) -> PeerError:
        return PeerError(f"answers something else than HTTP: {show(self._data)}", NOT_HTTP)

    def _ended(self) -> PeerError:
        if self._received:
            return PeerError("hung up in the middle of its answer", NO_ANSWER)
        return NoAnswerError("hung up without an answer", NO_ANSWER)


def _headers(head: bytes) -> dict[str, str]:
    lines = head.decode("latin-1").splitlines()[1:]
    pairs = (line.partition(":") for line in lines)
    return {name.strip().lower(): value.strip() for name, _, value in pairs}
