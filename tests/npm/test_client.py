"""The API client against the sandbox over real HTTP: what a server can do to it."""

import socket
import socketserver
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from unittest.mock import Mock

import pytest

from proxysync.kinds import KINDS
from proxysync.kinds.not_found_host import NOT_FOUND_HOST
from proxysync.kinds.proxy import PROXY
from proxysync.model import Fields, Marker
from proxysync.model.flight import Flight
from proxysync.npm.client import NpmClient
from proxysync.npm.errors import (
    NpmAddressError,
    NpmError,
    NpmLoginError,
    NpmNotFoundError,
    NpmRejectedError,
    NpmRightsError,
    NpmUnavailableError,
    NpmUnconfirmedError,
)
from proxysync.npm.session import Session
from proxysync.npm.transport import Transport
from proxysync.sandbox import Sandbox
from tests.faults import Fault, FaultProxy
from tests.tls import issue

MARKER = Marker("media", "default")


def connect(
    npm: Sandbox, identity: str = "admin@example.com", secret: str = "changeme"
) -> NpmClient:
    return client(npm.url, identity, secret)


def client(
    url: str,
    identity: str = "admin@example.com",
    secret: str = "changeme",
    ca_file: Path | None = None,
) -> NpmClient:
    return NpmClient(
        Session(Transport(url, ca_file), identity, secret, pause=lambda _seconds: None)
    )


def host(**fields: object) -> Fields:
    return PROXY.complete(
        {
            "domain_names": ["media.example.com"],
            "forward_host": "127.0.0.1",
            "forward_port": 8096,
            **fields,
        }
    )


def test_a_host_is_created_read_updated_disabled_and_deleted(sandbox: Sandbox) -> None:
    npm = connect(sandbox)
    made = npm.create(PROXY, host(), MARKER)
    assert (made.fields, made.marker, made.online) == (host(), MARKER, True)

    changed = npm.update(PROXY, made, host(forward_port=9000), MARKER)
    assert changed.fields == host(forward_port=9000)
    assert npm.snapshot().objects == (changed,)

    assert npm.disable(PROXY, made.npm_id).fields["enabled"] is False
    npm.delete(PROXY, made.npm_id)
    assert npm.get(PROXY, made.npm_id) is None
    npm.delete(PROXY, made.npm_id)


def test_other_peoples_keys_of_meta_are_kept(sandbox: Sandbox) -> None:
    npm = connect(sandbox)
    made = npm.create(PROXY, host(), MARKER)
    row = sandbox.proxy_hosts()[0]
    assert set(row["meta"]) == {"proxysync", "nginx_online", "nginx_err"}
    with_note = npm.update(PROXY, made, host(), MARKER)
    with_note = type(made)(**{**with_note.__dict__, "meta": {"note": "theirs"}})
    npm.update(PROXY, with_note, host(), MARKER)
    assert sandbox.proxy_hosts()[0]["meta"]["note"] == "theirs"


@pytest.mark.parametrize("spoil", [Sandbox.expire_tokens, Sandbox.forget_tokens])
def test_a_rejected_token_is_renewed_without_anybody_noticing(
    sandbox: Sandbox, spoil: Callable[[Sandbox], None]
) -> None:
    npm = connect(sandbox)
    made = npm.create(PROXY, host(), MARKER)
    spoil(sandbox)
    assert npm.snapshot().objects == (made,)
    spoil(sandbox)
    other = npm.create(PROXY, host(domain_names=["b.example.com"]), Marker("b", "default"))
    spoil(sandbox)
    npm.update(PROXY, other, host(domain_names=["c.example.com"]), Marker("b", "default"))
    assert len(sandbox.proxy_hosts()) == 2


def test_a_wrong_secret_is_said_in_a_sentence_without_the_secret(sandbox: Sandbox) -> None:
    with pytest.raises(NpmLoginError, match=r"does not accept admin@example\.com") as caught:
        connect(sandbox, secret="hunter2").snapshot()
    assert "hunter2" not in str(caught.value)
    assert "PROXYSYNC_NPM_SECRET" in str(caught.value)


def test_an_account_with_two_factor_authentication_is_refused(sandbox: Sandbox) -> None:
    sandbox.add_user("two@example.com", "pw", two_factor=True)
    with pytest.raises(NpmLoginError, match="two-factor") as caught:
        connect(sandbox, "two@example.com", "pw").snapshot()
    assert "without two-factor" in str(caught.value)


def test_an_account_that_may_only_look_can_plan_but_not_write(sandbox: Sandbox) -> None:
    sandbox.add_user(
        "view@example.com", "pw", permissions={"proxy_hosts": "view"}, visibility="all"
    )
    npm = connect(sandbox, "view@example.com", "pw")
    npm.snapshot()
    with pytest.raises(NpmRightsError, match="not change them"):
        npm.require_write()
    with pytest.raises(NpmRightsError, match="not change them"):
        npm.create(PROXY, host(), MARKER)
    assert sandbox.proxy_hosts() == []


def test_an_account_that_sees_only_its_own_hosts_is_told_so(sandbox: Sandbox) -> None:
    sandbox.add_user("own@example.com", "pw", permissions={"proxy_hosts": "manage"})
    assert "All Items" in (connect(sandbox, "own@example.com", "pw").visibility_warning() or "")
    assert connect(sandbox).visibility_warning() is None


def test_an_access_list_without_users_and_clients_is_known_as_empty(sandbox: Sandbox) -> None:
    sandbox.add_access_list("nobody")
    sandbox.add_access_list("staff", items=[{"username": "anna", "password": "pw"}])
    sandbox.add_access_list("lan", clients=[{"address": "10.0.0.0/8", "directive": "allow"}])
    lists = connect(sandbox).snapshot().access_lists
    assert {one.name: one.is_empty for one in lists} == {
        "nobody": True,
        "staff": False,
        "lan": False,
    }


def test_a_host_that_is_gone_after_a_write_is_called_by_its_domains(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    npm = connect(sandbox)
    made = npm.create(PROXY, host(), MARKER)
    monkeypatch.setattr(npm, "get", lambda *_: None)
    with pytest.raises(NpmUnconfirmedError, match=rf"#{made.npm_id} \(media\.example\.com\)"):
        npm.update(PROXY, made, host(), MARKER)


def test_a_creation_after_which_npm_is_away_is_unconfirmed(sandbox: Sandbox) -> None:
    with FaultProxy(sandbox.url) as proxy:
        npm = client(proxy.url)
        npm.server()

        def go_away(_number: int, method: str, _path: str, phase: str) -> bool:
            if (method, phase) != ("POST", "after"):
                return False
            proxy.inject(Fault.HTML, status=502, times=None)
            return True

        proxy.on_request = go_away
        with pytest.raises(NpmUnconfirmedError, match="may have been carried out"):
            npm.create(PROXY, host(), MARKER)


def test_an_account_without_rights_is_refused(sandbox: Sandbox) -> None:
    sandbox.add_user("none@example.com", "pw", permissions={"proxy_hosts": "hidden"})
    with pytest.raises(NpmRightsError, match="may not see proxy hosts"):
        connect(sandbox, "none@example.com", "pw").snapshot()


def test_kinds_that_the_account_may_not_see_do_not_stop_it(sandbox: Sandbox) -> None:
    hidden = ("redirection_hosts", "dead_hosts", "certificates", "access_lists")
    sandbox.add_user(
        "some@example.com",
        "pw",
        permissions={"proxy_hosts": "manage", **dict.fromkeys(hidden, "hidden")},
        visibility="all",
    )
    assert connect(sandbox, "some@example.com", "pw").snapshot().objects == ()


def test_domains_of_other_types_of_hosts_are_held(sandbox: Sandbox) -> None:
    redirection = sandbox.add_redirection_host(["Go.example.com"])
    dead = sandbox.add_dead_host(["gone.example.com"])
    holders = {
        name: (live.kind, live.npm_id)
        for live in connect(sandbox).snapshot().objects
        for name in KINDS[live.kind].claims(live.fields)
    }
    assert holders == {
        "go.example.com": ("redirection", redirection),
        "gone.example.com": ("not_found_host", dead),
    }


@pytest.mark.parametrize("version", ["2.10.4", "2.12.6", "2.13.5", "2.15.1"])
def test_every_version_is_written_to_and_read_alike(version: str) -> None:
    with Sandbox(version=version) as sandbox:
        npm = connect(sandbox)
        made = npm.create(PROXY, host(block_exploits=True), MARKER)
        assert made.fields == host(block_exploits=True)
        knows = "trust_forwarded_proto" in npm.snapshot().accepted["proxy"]
        assert knows is (version == "2.15.1")
        assert npm.update(PROXY, made, host(), MARKER).fields == host()


def test_a_server_that_does_not_know_its_version_is_judged_by_its_schema() -> None:
    with Sandbox(version="2.15.1", reported_version="2.0.0") as sandbox:
        npm = connect(sandbox)
        assert npm.server().version is None
        assert "trust_forwarded_proto" in npm.snapshot().accepted["proxy"]


def test_a_refused_write_names_the_request_and_npms_words(sandbox: Sandbox) -> None:
    npm = connect(sandbox)
    npm.create(PROXY, host(), MARKER)
    with pytest.raises(NpmRejectedError, match="already in use") as caught:
        npm.create(PROXY, host(), MARKER)
    assert "POST /nginx/proxy-hosts" in str(caught.value)


def test_a_server_error_is_unconfirmed_and_shows_what_became_of_the_row(sandbox: Sandbox) -> None:
    npm = connect(sandbox)
    sandbox.break_nginx("somebody's file")
    with pytest.raises(NpmUnconfirmedError) as caught:
        npm.create(PROXY, host(), MARKER)
    live = caught.value.live
    assert live is not None
    assert live.npm_id == sandbox.proxy_hosts()[0]["id"]
    with pytest.raises(NpmUnconfirmedError) as caught:
        npm.update(PROXY, live, host(forward_port=1), MARKER)
    assert caught.value.live is not None
    assert caught.value.live.fields["forward_port"] == 1
    assert len([w for w in sandbox.writes if w[0] == "POST"]) == 1, "a write is sent once"


def test_a_missing_host_is_told_from_a_missing_right(sandbox: Sandbox) -> None:
    npm = connect(sandbox)
    made = npm.create(PROXY, host(), MARKER)
    npm.delete(PROXY, made.npm_id)
    with pytest.raises(NpmNotFoundError):
        npm.update(PROXY, made, host(), MARKER)


def test_npm_away_is_one_sentence_with_its_address() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"
        with pytest.raises(NpmUnavailableError, match="Connection refused") as caught:
            client(url).snapshot()
    assert url in str(caught.value)
    assert "0x" not in str(caught.value)


@contextmanager
def answering(status: int, body: bytes, kind: str = "text/html", **headers: str) -> Iterator[str]:
    """A server that says the same to everything; its address."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def do_POST(self) -> None:
            self.do_GET()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.mark.parametrize(
    ("status", "body", "kind", "expected"),
    [
        (200, b"<html>Congratulations</html>", "text/html", "web page"),
        (404, b"<html>no</html>", "text/html", "web page"),
        (200, b'{"hello": 1}', "application/json", "does not answer as NPM's API does"),
        (200, b"[]", "application/json", "does not answer as NPM's API does"),
        (404, b'{"error": {"code": 404, "message": "Not Found - /api/"}}', "", "not NPM's address"),
        (401, b'{"error": "who are you?"}', "application/json", "is not NPM's address"),
    ],
)
def test_what_is_not_npm_is_said_to_be_none(
    status: int, body: bytes, kind: str, expected: str
) -> None:
    with (
        answering(status, body, kind) as url,
        pytest.raises(NpmAddressError, match=expected) as caught,
    ):
        client(url).snapshot()
    assert "PROXYSYNC_NPM_URL" in str(caught.value)


def test_an_address_with_a_path_too_many_is_told_without_it(sandbox: Sandbox) -> None:
    with pytest.raises(NpmAddressError, match="is not NPM's address") as caught:
        client(f"{sandbox.url}/api/nginx").snapshot()
    assert f"without its path this one is {sandbox.url}." in str(caught.value)


def test_a_redirect_is_not_followed_but_told() -> None:
    with (
        answering(301, b"", Location="https://npm.example/api/") as url,
        pytest.raises(NpmAddressError, match=r"redirects to https://npm\.example/api/"),
    ):
        client(url).snapshot()


def test_a_backend_that_is_not_up_is_unavailable() -> None:
    with (
        answering(502, b"<html>Bad Gateway</html>") as url,
        pytest.raises(NpmUnavailableError, match="backend"),
    ):
        client(url).snapshot()


def test_an_answer_that_is_not_a_list_is_no_empty_server() -> None:
    with (
        answering(200, b'{"version": {"major": 2}}', "application/json") as url,
        pytest.raises(NpmError),
    ):
        client(url).snapshot()


def test_a_certificate_of_an_unknown_authority_is_refused_and_a_ca_file_helps(
    tmp_path: Path,
) -> None:
    issued = issue(tmp_path)
    with Sandbox(tls=(issued.certificate, issued.key)) as sandbox:
        with pytest.raises(NpmAddressError, match="is not trusted") as caught:
            connect(sandbox).snapshot()
        assert "PROXYSYNC_NPM_CA_FILE" in str(caught.value)
        assert client(sandbox.url, ca_file=issued.ca).snapshot().objects == ()
        with pytest.raises(NpmAddressError, match="cannot be read"):
            client(sandbox.url, ca_file=tmp_path / "missing.pem")


def test_https_to_a_plain_server_says_so(sandbox: Sandbox) -> None:
    url = sandbox.url.replace("http:", "https:")
    with pytest.raises(NpmAddressError, match="does not speak TLS") as caught:
        client(url).snapshot()
    assert sandbox.url in str(caught.value)


@contextmanager
def ending_handshakes(answer: bytes) -> Iterator[str]:
    """A server that answers whatever opens a TLS connection with these bytes; its address."""

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            self.request.recv(65536)
            self.request.sendall(answer)

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield f"https://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(
    ("answer", "told", "kind"),
    [
        (b"\x15\x03\x03\0\2\2\x70", "no https site of that name", NpmAddressError),
        (b"\x15\x03\x03\0\2\2\x28", "no version or cipher of TLS in common", NpmAddressError),
        (b"\x15\x03\x03\0\2\2\x50", "alert internal error", NpmUnavailableError),
        (b"SSH-2.0-OpenSSH\r\n", "does not speak TLS", NpmAddressError),
        (b"", "TLS connection to .* failed", NpmUnavailableError),
    ],
    ids=["unrecognized name", "handshake failure", "internal error", "no TLS", "cut off"],
)
def test_only_a_certificate_that_is_not_trusted_is_called_so(
    answer: bytes, told: str, kind: type[NpmError]
) -> None:
    with ending_handshakes(answer) as url, pytest.raises(kind, match=told) as caught:
        client(url).snapshot()
    assert "certificate" not in str(caught.value)


def test_a_ca_file_without_a_certificate_is_told_by_its_name(tmp_path: Path) -> None:
    ca_file = tmp_path / "ca.pem"
    ca_file.write_text("nothing\n")
    with ending_handshakes(b"") as url, pytest.raises(NpmAddressError, match=r"ca\.pem holds no"):
        client(url, ca_file=ca_file).snapshot()


@pytest.mark.parametrize("secure", [True, False])
def test_a_404_host_with_a_certificate_is_enabled_anew_for_only_that_looks_it_up(
    sandbox: Sandbox, *, secure: bool
) -> None:
    npm = connect(sandbox)
    pair = sandbox.add_certificate("pair", ["a.example.com"]) if secure else 0
    fields = {"domain_names": ["a.example.com"], "certificate_id": pair}
    made = npm.create(NOT_FOUND_HOST, NOT_FOUND_HOST.normalise(fields), MARKER)
    more = NOT_FOUND_HOST.normalise({**fields, "domain_names": ["b.example.com"]})
    before = len(sandbox.writes)
    written = npm.update(NOT_FOUND_HOST, made, more, MARKER)
    assert written.fields == more
    paths = [path.rpartition("/")[2] for _, path in sandbox.writes[before:]]
    number = str(made.npm_id)
    assert paths == ([number, "disable", "enable"] if secure else [number, number])


@pytest.mark.parametrize("secure", [True, False])
def test_a_404_host_that_is_only_half_changed_is_unconfirmed(
    sandbox: Sandbox, *, secure: bool
) -> None:
    pair = sandbox.add_certificate("pair", ["a.example.com"]) if secure else 0
    fields = {"domain_names": ["a.example.com"], "certificate_id": pair}
    more = NOT_FOUND_HOST.normalise({**fields, "domain_names": ["b.example.com"]})
    with FaultProxy(sandbox.url) as proxy:
        npm = client(proxy.url)
        made = npm.create(NOT_FOUND_HOST, NOT_FOUND_HOST.normalise(fields), MARKER)
        method, nth = ("POST", 1) if secure else ("PUT", 2)
        proxy.inject(Fault.STATUS_400, method=method, path=r"/nginx/dead-hosts/.*", nth=nth)
        with pytest.raises(NpmUnconfirmedError, match="nginx has what was there before") as caught:
            npm.update(NOT_FOUND_HOST, made, more, MARKER)
    assert caught.value.live is not None
    assert caught.value.live.fields == more


def test_the_second_write_of_a_404_host_is_not_taken_for_the_first(sandbox: Sandbox) -> None:
    """It may arrive later though NPM shows what both of them write."""
    npm, sent = connect(sandbox), list[Flight]()
    fields = {"domain_names": ["a.example.com"]}
    made = npm.create(NOT_FOUND_HOST, NOT_FOUND_HOST.normalise(fields), MARKER)
    npm.recorder = Mock()
    npm.recorder.sent = lambda flight: sent.append(flight) or 1  # type: ignore[func-returns-value]
    more = NOT_FOUND_HOST.normalise({"domain_names": ["b.example.com"]})
    written = npm.update(NOT_FOUND_HOST, made, more, MARKER)
    assert [flight.trace((written,))[0] for flight in sent] == [True, False]
