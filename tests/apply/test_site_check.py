"""Sites are asked for as their visitors ask: by name, over HTTPS where they are sent there."""

import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import trustme

from proxysync.apply import site_check
from proxysync.apply.order import NO_NAMES
from proxysync.apply.promise import Before, Promise
from proxysync.apply.site_check import SiteCheck
from proxysync.kinds.domains import is_served
from proxysync.probe.edge import Edge
from tests.servers import OK, Server, Talk, closed, read_request, serving

NAME = "one.example"
SITE = frozenset({NAME})
ELSE = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"
REFUSED = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n"


@pytest.fixture(scope="module")
def context() -> ssl.SSLContext:
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("other.example").configure_cert(made)
    return made


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(site_check, "RELOADED", 0.3)
    monkeypatch.setattr(site_check, "GIVE_UP_AFTER", 0.6)
    monkeypatch.setattr(site_check, "PAUSE", 0.02)


@contextmanager
def edge(talk: Talk, context: ssl.SSLContext | None = None) -> Iterator[Server]:
    """An nginx that has one site, and says to all others that it does not know them."""

    def answer(connection: socket.socket) -> None:
        request = read_request(connection)
        if b".invalid\r\n" in request:
            connection.sendall(ELSE)
            return
        server.requests.append(request)
        talk(connection)

    with serving(answer, context=context) as server:
        yield server


@contextmanager
def answering(answer: bytes, *, context: ssl.SSLContext | None = None) -> Iterator[Server]:
    with edge(lambda connection: connection.sendall(answer), context) as server:
        yield server


@contextmanager
def sending_to(port: int) -> Iterator[Server]:
    """A site that sends its visitors on to HTTPS at this port."""
    head = f"HTTP/1.1 301 Moved\r\nLocation: https://{NAME}:{port}/\r\nContent-Length: 0\r\n\r\n"
    with answering(head.encode()) as server:
        yield server


def check_at(server: Server) -> SiteCheck:
    return SiteCheck(Edge.at(f"http://127.0.0.1:{server.port}"))


def trouble(server: Server, *, responding: frozenset[str], protected: bool) -> str | None:
    promise = Promise(SITE, before=Before(responding, responding), protected=protected)
    found = check_at(server).check([promise]).troubles[0]
    return found.message if found else None


def test_a_site_is_asked_for_by_its_name() -> None:
    with answering(OK) as server:
        assert check_at(server).before([f"*.{NAME}"]).responding == {f"*.{NAME}"}
    assert f"Host: proxysync-check.{NAME}\r\n".encode() in server.requests[0]


@pytest.mark.parametrize(("answer", "well"), [(OK, True), (REFUSED, False)])
def test_a_site_on_https_is_asked_there(context: ssl.SSLContext, answer: bytes, well: bool) -> None:
    names: list[str | None] = []
    context.sni_callback = lambda _socket, name, _context: names.append(name)
    with answering(answer, context=context) as tls, sending_to(tls.port) as plain:
        assert check_at(plain).before([NAME]).responding == ({NAME} if well else frozenset())
    assert names == [NAME]
    assert f"Host: {NAME}\r\n".encode() in tls.requests[0]


def test_https_that_is_published_elsewhere_leaves_what_http_says() -> None:
    with closed() as port, sending_to(port) as plain:
        assert check_at(plain).before([NAME]).responding == {NAME}


def test_a_handshake_that_fails_is_no_answer() -> None:
    with answering(b"no TLS here") as other, sending_to(other.port) as plain:
        assert check_at(plain).before([NAME]).responding == frozenset()


@pytest.mark.usefixtures("quick")
def test_a_site_that_answers_until_nginx_has_reloaded_is_in_trouble() -> None:
    start = time.monotonic()

    def talk(connection: socket.socket) -> None:
        late = time.monotonic() > start + 0.15
        connection.sendall(REFUSED if late else OK)

    with edge(talk) as server:
        said = trouble(server, responding=SITE, protected=False)
    assert said == f"{NAME} answered before, and now it answers HTTP 503"


@pytest.mark.usefixtures("quick")
def test_a_site_that_comes_with_the_reload_is_well() -> None:
    start = time.monotonic()

    def talk(connection: socket.socket) -> None:
        late = time.monotonic() > start + 0.15
        connection.sendall(OK if late else REFUSED)

    with edge(talk) as server:
        assert trouble(server, responding=SITE, protected=False) is None


@pytest.mark.usefixtures("quick")
def test_a_protected_site_on_https_that_answers_a_stranger_is_in_trouble(
    context: ssl.SSLContext,
) -> None:
    with answering(OK, context=context) as tls, sending_to(tls.port) as plain:
        said = trouble(plain, responding=NO_NAMES, protected=True)
    assert said == f"{NAME} is behind an access list, but answers a stranger with HTTP 200"


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
    assert is_served(name, {"a.b.example", ".b.example", "*.wild.example"}) is served
