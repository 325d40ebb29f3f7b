"""Sites are asked for as their visitors ask: by name, over HTTPS where they are sent there."""

import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import trustme

from proxysync.apply import visit
from proxysync.apply.visit import Visitor
from tests.probe.servers import OK, Server, answering, closed, read_request, serving

NAME = "one.example"
SITE = frozenset({NAME})
REFUSED = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n"


@pytest.fixture(scope="module")
def context() -> ssl.SSLContext:
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("other.example").configure_cert(made)
    return made


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(visit, "RELOADED", 0.3)
    monkeypatch.setattr(visit, "PATIENCE", 0.6)
    monkeypatch.setattr(visit, "PAUSE", 0.02)


@contextmanager
def sending_to(port: int) -> Iterator[Server]:
    """A site that sends its visitors on to HTTPS at this port."""
    head = f"HTTP/1.1 301 Moved\r\nLocation: https://{NAME}:{port}/\r\nContent-Length: 0\r\n\r\n"
    with answering(head.encode()) as server:
        yield server


def visitor(server: Server) -> Visitor:
    return Visitor(f"http://127.0.0.1:{server.port}")


def test_a_site_is_asked_for_by_its_name() -> None:
    with answering(OK) as server:
        assert visitor(server).answering([f"*.{NAME}"]) == {f"*.{NAME}"}
    assert f"Host: proxysync-check.{NAME}\r\n".encode() in server.requests[0]


@pytest.mark.parametrize(("answer", "well"), [(OK, True), (REFUSED, False)])
def test_a_site_on_https_is_asked_there(context: ssl.SSLContext, answer: bytes, well: bool) -> None:
    names: list[str | None] = []
    context.sni_callback = lambda _socket, name, _context: names.append(name)
    with answering(answer, context=context) as tls, sending_to(tls.port) as plain:
        assert visitor(plain).answering([NAME]) == ({NAME} if well else frozenset())
    assert names == [NAME]
    assert f"Host: {NAME}\r\n".encode() in tls.requests[0]


def test_https_that_is_published_elsewhere_leaves_what_http_says() -> None:
    with closed() as port, sending_to(port) as plain:
        assert visitor(plain).answering([NAME]) == {NAME}


def test_a_handshake_that_fails_is_no_answer() -> None:
    with answering(b"no TLS here") as other, sending_to(other.port) as plain:
        assert visitor(plain).answering([NAME]) == frozenset()


@pytest.mark.usefixtures("quick")
def test_a_site_that_answers_until_nginx_has_reloaded_is_in_trouble() -> None:
    start = time.monotonic()

    def talk(connection: socket.socket) -> None:
        read_request(connection)
        late = time.monotonic() > start + 0.15
        connection.sendall(REFUSED if late else OK)

    with serving(talk) as server:
        trouble = visitor(server).trouble(SITE, answered=SITE, protected=False)
    assert trouble == f"{NAME} answered before, and now it answers HTTP 503"


@pytest.mark.usefixtures("quick")
def test_a_site_that_comes_with_the_reload_is_well() -> None:
    start = time.monotonic()

    def talk(connection: socket.socket) -> None:
        read_request(connection)
        late = time.monotonic() > start + 0.15
        connection.sendall(OK if late else REFUSED)

    with serving(talk) as server:
        assert visitor(server).trouble(SITE, answered=SITE, protected=False) is None


@pytest.mark.usefixtures("quick")
def test_a_protected_site_on_https_that_answers_a_stranger_is_in_trouble(
    context: ssl.SSLContext,
) -> None:
    with answering(OK, context=context) as tls, sending_to(tls.port) as plain:
        trouble = visitor(plain).trouble(SITE, answered=frozenset(), protected=True)
    assert trouble == f"{NAME} is behind an access list, but answers a stranger with HTTP 200"


@pytest.mark.parametrize(
    ("name", "served"),
    [
        ("a.b.example", True),
        ("b.example", True),
        ("x.wild.example", True),
        ("x.y.wild.example", True),
        ("wild.example", False),
        ("other.example", False),
    ],
)
def test_a_name_is_served_by_itself_by_its_stand_in_or_by_a_wildcard(
    name: str, served: bool
) -> None:
    assert visit.is_served(name, {"a.b.example", ".b.example", "*.wild.example"}) is served
