"""TLS upstreams: not verified, but what verification would have said is told."""

import contextlib
import datetime as dt
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

from proxysync.probe import tls
from tests.probe.asking import failed, run, statuses, step
from tests.servers import OK, Server, answering, hanging, read_request, serving

USE_HTTP = "Service speaks plain HTTP. Use http:// in the upstream, not https://."
USE_HTTPS = "Service speaks TLS. Use https:// in the upstream, not http://."


@pytest.fixture(scope="module")
def ca() -> trustme.CA:
    return trustme.CA()


def context(ca: trustme.CA, *names: str, expired: bool = False) -> ssl.SSLContext:
    past = dt.datetime(2020, 1, 1, tzinfo=dt.UTC) if expired else None
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert(*names, not_after=past).configure_cert(made)
    return made


@pytest.fixture
def trusted(ca: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Makes the tests' CA one that this machine trusts."""
    file = tmp_path / "ca.pem"
    ca.cert_pem.write_to_path(str(file))
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    tls._verifying.cache_clear()
    yield
    tls._verifying.cache_clear()


def test_a_certificate_of_an_unknown_issuer_passes_and_is_told(ca: trustme.CA) -> None:
    with answering(OK, context=context(ca, "127.0.0.1")) as server:
        result = run(server.port, scheme="https")

    assert statuses(result) == ["pass"] * 4
    detail = step(result, "http").detail
    assert f"https://127.0.0.1:{server.port}/ answered HTTP 200; " in detail
    assert "nginx does not check its certificate, but: unable to get local issuer" in detail


@pytest.mark.usefixtures("trusted")
def test_an_expired_certificate_passes_and_is_told(ca: trustme.CA) -> None:
    with answering(OK, context=context(ca, "127.0.0.1", expired=True)) as server:
        result = run(server.port, scheme="https")

    assert statuses(result) == ["pass"] * 4
    assert "certificate has expired" in step(result, "http").detail


@pytest.mark.usefixtures("trusted")
def test_a_certificate_for_another_name_passes_and_is_told(ca: trustme.CA) -> None:
    with answering(OK, context=context(ca, "other.example", "10.9.8.7")) as server:
        result = run(server.port, scheme="https")

    assert statuses(result) == ["pass"] * 4
    assert "it is for other.example, 10.9.8.7, not for 127.0.0.1" in step(result, "http").detail


@pytest.mark.usefixtures("trusted")
@pytest.mark.parametrize(("host", "name"), [("127.0.0.1", "127.0.0.1"), ("localhost", "localhost")])
def test_nothing_is_said_of_a_good_certificate(ca: trustme.CA, host: str, name: str) -> None:
    with answering(OK, context=context(ca, name)) as server:
        result = run(server.port, scheme="https", host=host)

    assert step(result, "http").detail.endswith("/ answered HTTP 200")


@pytest.mark.usefixtures("trusted")
def test_a_good_certificate_on_ipv6_is_good(ca: trustme.CA) -> None:
    with answering(OK, socket.AF_INET6, context(ca, "::1")) as server:
        result = run(server.port, scheme="https", host="[::1]")

    assert step(result, "http").detail.endswith("/ answered HTTP 200")


@pytest.mark.parametrize(
    ("host", "names", "good"),
    [
        ("a.example", ["a.example"], True),
        ("A.example.", ["a.EXAMPLE"], True),
        ("a.example", ["*.example"], True),
        ("b.a.example", ["*.example"], False),
        ("example", ["*.example"], False),
        ("a.example", [], False),
    ],
)
def test_names_match_as_browsers_match_them(host: str, names: list[str], good: bool) -> None:
    certificate = {"subjectAltName": tuple(("DNS", name) for name in names)}

    assert (tls._other_name(certificate, host) is None) is good


def test_a_5xx_over_tls_fails_like_one_in_the_clear(ca: trustme.CA) -> None:
    answer = b"HTTP/1.1 503 Down\r\n\r\n"
    with answering(answer, context=context(ca, "127.0.0.1")) as server:
        failure = failed(run(server.port, scheme="https"), "http")

    assert failure.hint == "Service responded with HTTP 503. The service may not be healthy."


def insisting(ca: trustme.CA, name: str) -> ssl.SSLContext:
    """Refuses a handshake that does not name the server."""
    made = context(ca, name)

    def choose(
        _: ssl.SSLSocket | ssl.SSLObject, asked: str | None, __: ssl.SSLContext
    ) -> int | None:
        return None if asked == name else ssl.ALERT_DESCRIPTION_UNRECOGNIZED_NAME

    made.sni_callback = choose
    return made


def test_an_upstream_that_insists_on_its_name_is_a_warning(ca: trustme.CA) -> None:
    with answering(OK, context=insisting(ca, "localhost")) as server:
        result = run(server.port, scheme="https", host="localhost")

    assert result.ok
    assert statuses(result) == ["pass", "pass", "pass", "warn"]
    assert "names the server (SNI), which nginx leaves out" in step(result, "http").detail
    assert "proxy_ssl_server_name on;" in (step(result, "http").hint or "")


def test_a_handshake_that_fails_either_way_is_told_with_its_reason(ca: trustme.CA) -> None:
    with answering(OK, context=insisting(ca, "other.example")) as server:
        failure = failed(run(server.port, scheme="https", host="localhost"), "http")

    assert "the TLS handshake failed: " in failure.detail
    assert "unrecognized name" in failure.detail
    assert failure.hint == "TLS handshake failed. Check the TLS settings of the service."


def test_an_upstream_that_wants_a_client_certificate_says_so(ca: trustme.CA) -> None:
    wanting = context(ca, "127.0.0.1")
    wanting.verify_mode = ssl.CERT_REQUIRED
    ca.configure_trust(wanting)
    with answering(OK, context=wanting) as server:
        failure = failed(run(server.port, scheme="https"), "http")

    assert "certificate required" in failure.detail


def test_https_to_a_plain_http_server_says_to_use_http() -> None:
    with answering(OK) as server:
        failure = failed(run(server.port, scheme="https"), "http")

    assert failure.detail == (
        f"https://127.0.0.1:{server.port}/ answers plain HTTP, not TLS; "
        f"use http://127.0.0.1:{server.port}"
    )
    assert failure.hint == USE_HTTP


def picky(peer: socket.socket) -> None:
    """Plain HTTP that hangs up on anything else."""
    if peer.recv(3, socket.MSG_PEEK) == b"GET":
        read_request(peer)
        peer.sendall(OK)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_a_plain_http_server_that_hangs_up_on_tls_is_found_out(host: str) -> None:
    with serving(picky) as server:
        failure = failed(run(server.port, scheme="https", host=host), "http")

    assert failure.hint == USE_HTTP


def test_https_to_something_else_shows_what_it_says() -> None:
    with serving(lambda peer: peer.sendall(b"220 mail.example ESMTP\r\n")) as server:
        failure = failed(run(server.port, scheme="https"), "http")

    assert "answers something else than TLS: “220 mail.example ESMTP”" in failure.detail


def test_https_to_one_that_always_hangs_up_says_that() -> None:
    with serving(lambda peer: None) as server:
        failure = failed(run(server.port, scheme="https"), "http")

    assert failure.detail.endswith("hung up during the TLS handshake")


def test_a_handshake_that_hangs_ends_at_the_timeout() -> None:
    with hanging() as port:
        failure = failed(run(port, scheme="https", timeout=0.4), "http")

    assert failure.detail.endswith("did not finish the TLS handshake within 0.4 s")
    assert failure.hint == (
        "Connection timed out. Possible firewall blocking. Check network/firewall rules."
    )


def test_plain_http_to_a_tls_server_that_just_hangs_up_says_to_use_https(ca: trustme.CA) -> None:
    with answering(OK, context=context(ca, "127.0.0.1")) as server:
        failure = failed(run(server.port), "http")

    assert failure.detail == (
        f"http://127.0.0.1:{server.port}/ answers TLS, not plain HTTP; "
        f"use https://127.0.0.1:{server.port}"
    )
    assert failure.hint == USE_HTTPS


def test_plain_http_answered_by_a_tls_alert_says_to_use_https() -> None:
    with answering(b"\x15\x03\x01\x00\x02\x02\x46") as server:
        failure = failed(run(server.port), "http")

    assert failure.hint == USE_HTTPS


@pytest.mark.parametrize(
    "page",
    [
        b"<html><center>The plain HTTP request was sent to HTTPS port</center></html>",
        b"Client sent an HTTP request to an HTTPS server.\n",
        b"Reason: You're speaking plain HTTP to an SSL-enabled server port.<br />",
        b"Bad Request\nThis combination of host and port requires TLS.\n",
    ],
)
def test_plain_http_answered_by_a_tls_servers_error_page_says_to_use_https(page: bytes) -> None:
    with answering(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n" + page) as server:
        failure = failed(run(server.port), "http")

    assert failure.hint == USE_HTTPS


def test_a_400_inside_tls_is_an_answer_whatever_it_says(ca: trustme.CA) -> None:
    page = b"HTTP/1.1 400 Bad Request\r\n\r\nThe plain HTTP request was sent to HTTPS port"
    with answering(page, context=context(ca, "127.0.0.1")) as server:
        assert run(server.port, scheme="https").ok


def test_a_tls_server_that_hangs_up_is_not_taken_for_a_plain_one() -> None:
    def talk(peer: socket.socket) -> None:
        if read_request(peer).startswith(b"GET"):
            peer.sendall(b"HTTP/1.1 400 No\r\n\r\nClient sent an HTTP request to an HTTPS server.")

    with serving(talk) as server:
        failure = failed(run(server.port, scheme="https"), "http")

    assert failure.detail.endswith("hung up during the TLS handshake")


@contextlib.contextmanager
def unfinished(page: bytes) -> Iterator[Server]:
    def talk(peer: socket.socket) -> None:
        read_request(peer)
        peer.sendall(page)
        server.closing.wait(10)

    with serving(talk) as server:
        yield server


def test_any_other_400_is_an_answer_also_when_its_page_never_ends(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("proxysync.probe.answer.ERROR_PAGE_TIMEOUT", 0.2)
    with unfinished(b"HTTP/1.1 400 Bad Request\r\n\r\nno such host") as server:
        result = run(server.port)

    assert result.ok
    assert step(result, "http").detail.endswith("answered HTTP 400")
