"""Whatever NPM, or what answers in its place, says: an NpmError at the worst."""

import json
import os
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proxysync.daemon.monitoring import names_at_start
from proxysync.health.certificates import expiry_warnings, in_use
from proxysync.kinds import GATE
from proxysync.kinds.proxy import PROXY
from proxysync.model import Live, Marker
from proxysync.npm import deadline, transport
from proxysync.npm.client import NpmClient
from proxysync.npm.errors import (
    NpmAnswerError,
    NpmError,
    NpmSilentError,
    NpmStoppedError,
    NpmUnavailableError,
    NpmUnconfirmedError,
)
from proxysync.npm.patience import Patience, Silence
from proxysync.npm.session import Session
from proxysync.npm.transport import Reply, Transport, _parse
from proxysync.sandbox import Sandbox
from tests.npm.test_client import host
from tests.servers import hanging, serving
from tests.world import PATIENCE, sooner_than

ROW: dict[str, Any] = {
    "id": 7,
    "created_on": "2026-01-31 12:00:00",
    "meta": {"proxysync": {"name": "media", "instance": "default"}},
    "domain_names": ["media.example.com"],
    "forward_scheme": "http",
    "forward_host": "10.0.0.5",
    "forward_port": 8096,
    "locations": [{"path": "/x", "forward_host": "a.example", "forward_port": 1}],
    "certificate_id": 3,
    "enabled": True,
}
CERTIFICATE: dict[str, Any] = {
    "id": 3,
    "nice_name": "wild",
    "domain_names": ["*.example.com"],
    "expires_on": "2026-01-31 12:00:00",
}
ACCESS_LIST: dict[str, Any] = {
    "id": 4,
    "name": "lan",
    "satisfy_any": True,
    "items": [],
    "clients": [{"address": "10.0.0.0/8", "directive": "allow"}],
}
STREAM: dict[str, Any] = {"id": 5, "incoming_port": 25, "forwarding_host": "mail", "enabled": 1}
LISTS = {
    "nginx/proxy-hosts": [ROW],
    "nginx/redirection-hosts": [ROW],
    "nginx/dead-hosts": [ROW],
    "nginx/streams": [STREAM],
    "nginx/certificates": [CERTIFICATE],
    "nginx/access-lists": [ACCESS_LIST],
}
GENERAL: dict[str, Any] = {
    "": {"status": "OK", "version": {"major": 2, "minor": 10, "revision": 4}},
    "users/me": {"roles": ["admin"], "permissions": {"visibility": "all"}},
    "tokens": {"token": "a.b.c"},
    "schema": {"paths": {}},
}

odd = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from([-1, 0, 10**30, -(10**30), 2**63, 1e308, "", "²", "a\x00b", "9" * 400])
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
)


class Answers(Transport):
    """Says what it is given instead of asking anybody."""

    def __init__(self, answers: Mapping[str, Any]) -> None:
        self.url = "http://npm.example"
        self._answers = answers

    def exchange(self, method: str, path: str, **_more: Any) -> Reply:
        body = self._answers[path.partition("?")[0].strip("/")]
        return Reply(200, _parse(json.dumps(body).encode()), is_json=True)


def asked(answers: Mapping[str, Any]) -> None:
    """All that the daemon reads out of one reading, which must be an error or good."""
    npm = NpmClient(Session(Answers(answers), "me", "pw", pause=lambda _seconds: None))
    with suppress(NpmError):
        snapshot = npm.snapshot()
        names_at_start(snapshot)
        expiry_warnings(in_use(snapshot), (), datetime(2026, 1, 31, tzinfo=UTC))
        for live in snapshot.objects:
            json.dumps([live.fields, live.meta]).encode()
            assert 0 < live.npm_id <= 2**53
            assert isinstance(live, Live)


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_a_list_with_odd_values_in_its_rows_is_an_error_or_read(data: st.DataObject) -> None:
    path = data.draw(st.sampled_from(sorted(LISTS)))
    row = dict(LISTS[path][0])
    for field in data.draw(st.lists(st.sampled_from(sorted(row)), min_size=1, max_size=2)):
        row[field] = data.draw(odd)
    asked({**GENERAL, **LISTS, path: [*LISTS[path], row]})


@settings(max_examples=60, deadline=None)
@given(path=st.sampled_from(sorted({**LISTS, **GENERAL})), answer=odd)
def test_any_json_in_the_place_of_an_answer_is_an_error_or_read(path: str, answer: Any) -> None:
    asked({**GENERAL, **LISTS, path: answer})


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_odd_values_in_the_general_answers_are_an_error_or_read(data: st.DataObject) -> None:
    path = data.draw(st.sampled_from(sorted(GENERAL)))
    key = data.draw(st.sampled_from(sorted(GENERAL[path])))
    asked({**GENERAL, **LISTS, path: {**GENERAL[path], key: data.draw(odd)}})


def reply(body: bytes, status: bytes = b"200 OK") -> bytes:
    return b"HTTP/1.1 %b\r\nContent-Length: %d\r\n\r\n%b" % (status, len(body), body)


DEEP = b"[" * 100_000 + b"]" * 100_000


@pytest.mark.parametrize(
    "body",
    [
        DEEP,
        b'{"token": ' + b'{"a":' * 300 + b"1" + b"}" * 300 + b"}",
        b'{"token": NaN}',
        b'{"token": ' + b"9" * 5000 + b"}",
        b"\xff\xfe\xfa",
        b'{"token": "\xff"}',
        b'{"token": "a\\nb"}',
        b'{"error": {"message": "' + b"x" * 10_000_000 + b'"}}',
        b"",
        b"null",
        b"[]",
    ],
    ids=lambda body: repr(body[:16]),
)
@pytest.mark.parametrize("status", [b"200 OK", b"400 Bad Request", b"500 No"])
def test_a_login_that_is_answered_oddly_is_an_error_for_a_person(
    body: bytes, status: bytes
) -> None:
    def talk(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(reply(body, status))

    with serving(talk) as server, pytest.raises(NpmError) as caught:
        session(server.port).get("/nginx/proxy-hosts")
    assert len(str(caught.value)) < 2000


def session(port: int, stop: Callable[[], bool] = lambda: False) -> Session:
    made = Transport(f"http://127.0.0.1:{port}", stop=stop)
    return Session(made, "me", "pw", pause=lambda _seconds: None)


def test_half_surrogates_are_not_passed_on() -> None:
    assert _parse(b'{"a\\ud800": ["\\udc00x", "\\ud83d\\ude00", 1]}') == {"a?": ["?x", "😀", 1]}


def test_a_write_whose_answer_is_no_json_may_have_been_carried_out() -> None:
    def talk(connection: socket.socket) -> None:
        asked = connection.recv(65536)
        login = asked.startswith(b"POST /api/tokens")
        connection.sendall(reply(b'{"token": "a.b.c"}' if login else DEEP))

    with serving(talk) as server, pytest.raises(NpmUnconfirmedError):
        session(server.port).write("PUT", "/nginx/proxy-hosts/1", {})


@contextmanager
def dripping(head: bytes, seconds: float = 0.05) -> Iterator[int]:
    """A server that sends a byte every so often and never comes to an end; its port."""

    def talk(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(head)
        while not server.closing.wait(seconds):
            connection.sendall(b"x")

    with serving(talk) as server:
        yield server.port


HEADS = {
    "status": b"",
    "headers": b"HTTP/1.1 200 OK\r\nX-Long: ",
    "body": b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n",
    "chunks": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffff\r\n",
}


@pytest.mark.parametrize("head", HEADS.values(), ids=list(HEADS))
def test_an_answer_that_comes_byte_by_byte_has_a_deadline(
    head: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transport, "READ_TIMEOUT", 0.4)
    unavailable = pytest.raises(NpmUnavailableError, match="in time")
    with dripping(head) as port, sooner_than(PATIENCE), unavailable:
        Transport(f"http://127.0.0.1:{port}").exchange("GET", "/")


@pytest.mark.parametrize("head", HEADS.values(), ids=list(HEADS))
def test_who_is_told_to_end_waits_only_a_moment_for_a_reading(
    head: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deadline, "STOP_GRACE", 0.3)
    stopped = pytest.raises(NpmStoppedError, match="stopped by signal")
    with dripping(head) as port, sooner_than(PATIENCE), stopped:
        session(port, stop=lambda: True).get("/", public=True)


def test_who_is_told_to_end_waits_for_a_write_under_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deadline, "STOP_GRACE", 0.01)

    def talk(connection: socket.socket) -> None:
        connection.recv(65536)
        time.sleep(0.5)
        connection.sendall(reply(b"{}"))

    with serving(talk) as server:
        told = Transport(f"http://127.0.0.1:{server.port}", stop=lambda: True)
        assert told.exchange("PUT", "/nginx/proxy-hosts/1", payload={}).body == {}


def test_a_person_waits_for_a_silent_npm_once_and_is_told_so() -> None:
    told: list[str] = []
    patience = Patience(0.5, 0.1, lambda: told.append("late"))
    with hanging() as port:
        silent = Transport(f"http://127.0.0.1:{port}", patience=patience)
        asking = Session(silent, "a@example.com", "pw", pause=lambda _seconds: None)
        for _ in range(2):
            with pytest.raises(NpmSilentError, match="in time"):
                asking.get("/", public=True)
            assert told == ["late"]


def test_an_npm_that_answers_now_and_then_is_not_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr("proxysync.npm.patience.time.monotonic", lambda: now)
    silence = Silence(Patience(10.0))
    assert silence.limit(30.0) == 10.0
    now += 9.0
    assert silence.limit(30.0) == 1.0
    silence.end()
    assert silence.limit(30.0) == 10.0
    now += 10.0
    assert silence.is_over
    assert Silence(Patience()).limit(30.0) == 30.0


def test_http_proxy_means_nothing_to_the_way_to_npm(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setitem(os.environ, name, "http://127.0.0.1:9")
    assert Transport(sandbox.url).exchange("GET", "/").status == 200


@pytest.mark.parametrize("version", ["2.10.4", "2.11.3", "2.12.6"])
def test_what_is_gone_is_gone_in_every_version(version: str) -> None:
    with Sandbox(version=version) as npm:
        client = NpmClient(
            Session(Transport(npm.url), "admin@example.com", "changeme", pause=lambda _s: None)
        )
        assert client.get(PROXY, 99) is None
        assert client.get(GATE, 99) is None
        client.delete(PROXY, 99)
        made = client.create(PROXY, host(), Marker("media", "default"))
        client.delete(PROXY, made.npm_id)
        assert client.get(PROXY, made.npm_id) is None


def test_a_row_without_an_id_is_told(sandbox: Sandbox) -> None:
    npm = NpmClient(Session(Answers({**GENERAL, **LISTS, "nginx/proxy-hosts": [{}]}), "me", "pw"))
    with pytest.raises(NpmAnswerError, match="without an id"):
        npm.snapshot()
