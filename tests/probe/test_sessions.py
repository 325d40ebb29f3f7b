"""TLS sessions that go on: only a good verdict may come of one, and none lasts for ever."""

import asyncio
import socket
import ssl
from collections.abc import Callable, Iterator

import pytest
import trustme

from proxysync.health.target import check_once
from proxysync.probe import sessions
from proxysync.probe.resolver import Resolver
from proxysync.probe.sessions import Sessions
from tests.probe.asking import probe
from tests.servers import OK, read_request, serving

CA = trustme.CA()
DOWN = b"HTTP/1.1 503 Down\r\nContent-Length: 0\r\n\r\n"


def context(*, tls_1_2: bool = False) -> ssl.SSLContext:
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    if tls_1_2:
        made.maximum_version = ssl.TLSVersion.TLSv1_2
    CA.issue_cert("127.0.0.1").configure_cert(made)
    return made


class Upstream:
    """Notes of each connection whether it goes on with a session; `answer` is given that."""

    def __init__(self, answer: Callable[[bool], bytes] = lambda _resumed: OK) -> None:
        self.resumed: list[bool] = []
        self._answer = answer

    def __call__(self, connection: socket.socket) -> None:
        assert isinstance(connection, ssl.SSLSocket)
        self.resumed.append(bool(connection.session_reused))
        read_request(connection)
        connection.sendall(self._answer(self.resumed[-1]))


@pytest.fixture
def checks() -> Iterator[Callable[[int], bool]]:
    """A check of a port, as the daemon makes one again and again."""
    kept = Sessions()

    async def once(port: int) -> bool:
        seen = await check_once(probe(port, scheme="https"), Resolver(), kept)
        return seen.check.ok

    with asyncio.Runner() as runner:
        yield lambda port: runner.run(once(port))


@pytest.mark.parametrize("tls_1_2", [False, True])
def test_later_checks_go_on_with_the_session_of_the_first(
    checks: Callable[[int], bool], *, tls_1_2: bool
) -> None:
    upstream = Upstream()
    with serving(upstream, context=context(tls_1_2=tls_1_2)) as server:
        assert [checks(server.port) for _ in range(3)] == [True] * 3

    # One connection each, though nobody knows the issuer.
    assert upstream.resumed == [False, True, True]


def test_what_fails_over_a_session_is_asked_once_more_without(
    checks: Callable[[int], bool],
) -> None:
    upstream = Upstream(lambda resumed: DOWN if resumed else OK)
    with serving(upstream, context=context()) as server:
        assert [checks(server.port) for _ in range(2)] == [True] * 2

    assert upstream.resumed == [False, True, False]


def test_an_upstream_that_fails_is_found_failing_over_a_session(
    checks: Callable[[int], bool],
) -> None:
    answers = [OK, DOWN, DOWN]
    upstream = Upstream(lambda _resumed: answers.pop(0))
    with serving(upstream, context=context()) as server:
        assert [checks(server.port) for _ in range(2)] == [True, False]

    assert not answers


def test_an_upstream_that_was_set_up_anew_or_gives_no_session_is_well(
    checks: Callable[[int], bool],
) -> None:
    upstream, without = Upstream(), context()
    without.num_tickets = 0
    with serving(upstream, context=context()) as server:
        assert checks(server.port)
        server.context = context()
        assert [checks(server.port) for _ in range(2)] == [True] * 2
        server.context = without
        assert [checks(server.port) for _ in range(2)] == [True] * 2

    assert upstream.resumed == [False, False, True, False, False]


def test_no_more_are_kept_than_fit(
    checks: Callable[[int], bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sessions, "MOST", 1)
    first, second = Upstream(), Upstream()
    with serving(first, context=context()) as one, serving(second, context=context()) as other:
        assert all(checks(server.port) for server in (one, other, other, one))

    assert first.resumed == [False, True]
    assert second.resumed == [False, False]


def test_what_is_too_old_is_not_used_and_makes_room(
    checks: Callable[[int], bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sessions, "MOST", 1)
    first, second = Upstream(), Upstream()
    with serving(first, context=context()) as one, serving(second, context=context()) as other:
        with monkeypatch.context() as at_once:
            at_once.setattr(sessions, "FULL_AFTER", 0.0)
            assert all(checks(one.port) for _ in range(2))
        assert all(checks(other.port) for _ in range(2))

    assert first.resumed == [False, False]
    assert second.resumed == [False, True]
