"""The sites, as a visitor sees them."""

import ssl
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
import trustme

from tests.contract.client import Api, Pair, upstream_to
from tests.world import domain

LOGIN = ("u", "p")
ITEM = {"username": "u", "password": "p"}
HERE = {"address": "127.0.0.1", "directive": "allow"}
ELSEWHERE = {"address": "10.0.0.0/8", "directive": "allow"}


def at(path: str, port: int, **fields: Any) -> dict[str, Any]:
    return {**upstream_to(port), "path": path, **fields}


def test_an_unknown_host_gets_the_default_page(api: Api) -> None:
    answer = api.visit(domain("nobody"))

    assert answer.status_code == 200
    assert "Congratulations" in answer.text
    assert api.visit(domain("nobody"), "/other").status_code == 404


def test_a_request_reaches_the_upstream_whole(api: Api, upstream: int) -> None:
    api.host(domain("a"), forward_port=upstream)

    seen = api.visit(f"{domain('A')}:8080", "/x%20y?q=1", method="POST", data="text").json()

    assert (seen["method"], seen["path"], seen["body"]) == ("POST", "/x%20y?q=1", "text")
    assert seen["headers"]["host"] == domain("a")
    assert seen["headers"]["x-forwarded-proto"] == "http"
    assert seen["headers"]["x-real-ip"] == "127.0.0.1"


@pytest.mark.parametrize(
    ("location", "asked", "reached"),
    [
        ({"path": "/api"}, "/api/z?q=1", "/api/z?q=1"),
        ({"path": "/api", "forward_path": "/v1"}, "/api/z?q=1", "/v1/z?q=1"),
        ({"path": "/api", "forward_path": "/v1/"}, "/api/z", "/v1//z"),
        (
            {"path": "/api", "forward_host": "127.0.0.1/sub", "forward_path": "/v1"},
            "/api/z",
            "/sub/z",
        ),
        ({"path": "= /api", "forward_path": "/e"}, "/api", "/e"),
        ({"path": "= /api", "forward_path": "/e"}, "/api/z", "/api/z"),
        ({"path": "~ ^/a"}, "/api", "/api"),
        ({"path": "/", "forward_path": "/root/"}, "/api", "/root/api"),
    ],
    ids=str,
)
def test_a_location_replaces_its_prefix(
    api: Api, upstream: int, location: dict[str, Any], asked: str, reached: str
) -> None:
    api.host(domain("a"), forward_port=upstream, locations=[{**upstream_to(upstream), **location}])

    assert api.visit(domain("a"), asked).json()["path"] == reached


def test_the_longest_prefix_wins_unless_an_expression_matches(api: Api, upstream: int) -> None:
    locations = [
        at("/api", upstream, forward_path="/short"),
        at("/api/long", upstream, forward_path="/long"),
        at("~ png$", upstream, advanced_config="return 200 expression;"),
        at("^~ /api/fixed", upstream, forward_path="/fixed"),
    ]
    api.host(domain("a"), forward_port=upstream, locations=locations)

    assert api.visit(domain("a"), "/api/x").json()["path"] == "/short/x"
    assert api.visit(domain("a"), "/api/long/x").json()["path"] == "/long/x"
    assert api.visit(domain("a"), "/api/long/x.png").text == "expression"
    assert api.visit(domain("a"), "/api/fixed/x.png").json()["path"] == "/fixed/x.png"


def test_a_missing_final_slash_is_added(api: Api, upstream: int) -> None:
    api.host(domain("a"), forward_port=upstream, locations=[at("/api/", upstream)])

    answer = api.visit(domain("a"), "/api")

    assert (answer.status_code, answer.headers["Location"]) == (301, f"http://{domain('a')}/api/")


@pytest.mark.since("2.15.0")
@pytest.mark.parametrize(
    ("items", "clients", "statuses"),
    [
        ([ITEM], [], (401, 200, 401)),
        ([], [HERE], (200, 200, 200)),
        ([], [ELSEWHERE], (403, 403, 403)),
        ([ITEM], [HERE], (401, 200, 401)),
        ([ITEM], [ELSEWHERE], (403, 403, 403)),
        ([], [], (200, 200, 200)),
    ],
    ids=["items", "allowed", "denied", "both", "items but denied", "empty"],
)
def test_all_rules_of_an_access_list_have_to_be_met(
    api: Api, upstream: int, items: Any, clients: Any, statuses: tuple[int, int, int]
) -> None:
    access = api.access_list(items=items, clients=clients)
    api.host(
        domain("a"),
        forward_port=upstream,
        access_list_id=access,
        locations=[at("/inner", upstream)],
    )

    for path in ("/", "/inner"):
        found = [api.visit(domain("a"), path, auth=auth) for auth in (None, LOGIN, ("u", "wrong"))]
        assert tuple(answer.status_code for answer in found) == statuses


@pytest.mark.parametrize(
    ("client", "statuses"), [(HERE, (200, 200)), (ELSEWHERE, (401, 200))], ids=["here", "elsewhere"]
)
def test_satisfy_any_takes_either_rule(
    api: Api, upstream: int, client: dict[str, str], statuses: tuple[int, int]
) -> None:
    access = api.access_list(satisfy_any=True, items=[ITEM], clients=[client])
    api.host(domain("a"), forward_port=upstream, access_list_id=access)

    found = (api.visit(domain("a")), api.visit(domain("a"), auth=LOGIN))

    assert tuple(answer.status_code for answer in found) == statuses


@pytest.mark.since("2.15.0")
@pytest.mark.parametrize("pass_auth", [True, False])
def test_the_password_is_passed_on_only_if_wanted(api: Api, upstream: int, pass_auth: bool) -> None:
    access = api.access_list(pass_auth=pass_auth, items=[ITEM])
    api.host(domain("a"), forward_port=upstream, access_list_id=access)

    seen = api.visit(domain("a"), auth=LOGIN).json()

    assert ("authorization" in seen["headers"]) is pass_auth


@pytest.mark.since("2.14.0")
@pytest.mark.parametrize(
    ("trust", "sent", "status"),
    [
        (False, {}, 301),
        (False, {"X-Forwarded-Proto": "https"}, 301),
        (True, {}, 301),
        (True, {"X-Forwarded-Proto": "https"}, 200),
    ],
)
def test_forced_https(
    api: Api, upstream: int, pair: Pair, trust: bool, sent: dict[str, str], status: int
) -> None:
    certificate = api.certificate(pair)
    fields = {"certificate_id": certificate, "ssl_forced": True, "trust_forwarded_proto": trust}
    api.host(domain("a"), forward_port=upstream, **fields)

    answer = api.visit(domain("a"), "/x?y", headers=sent)

    assert answer.status_code == status
    assert answer.headers.get("Location") == (
        f"https://{domain('a')}/x?y" if status == 301 else None
    )


@pytest.mark.since("2.12.0")
def test_https_is_not_forced_without_a_certificate(api: Api, upstream: int) -> None:
    row = api.host(domain("a"), forward_port=upstream, certificate_id=0, ssl_forced=True)

    assert row["ssl_forced"] is True
    assert api.visit(domain("a")).status_code == 200


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("::1", 500),
        ("127.0.0.1/path", 500),
        ("127.0.0.1:80", 500),
        ("http://127.0.0.1", 500),
        ("nope.invalid", 502),
        ("127.0.0.1", 502),
    ],
)
def test_what_cannot_be_reached(api: Api, closed_port: int, host: str, status: int) -> None:
    row = api.host(domain("a"), forward_host=host, forward_port=closed_port)

    assert row["meta"]["nginx_online"] is True
    # Where no name server answers, nginx waits half a minute for one.
    assert api.visit(domain("a"), timeout=45).status_code == status


@pytest.mark.parametrize(
    ("config", "path", "status", "text"),
    [
        ("return 403;", "/", 403, "403 Forbidden"),
        ('return 200 "$host $uri";', "/x", 200, f"{domain('a')} /x"),
        ("location / { return 200 mine; }", "/", 200, "mine"),
        ("location /x { return 410; }", "/x", 410, "410 Gone"),
        ("location /x { return 418; }", "/x", 418, ""),
        ("deny all;", "/", 403, "403"),
        ("allow 127.0.0.1; deny all;", "/", 200, '"path": "/"'),
    ],
)
def test_advanced_configuration_is_obeyed(
    api: Api, upstream: int, config: str, path: str, status: int, text: str
) -> None:
    api.host(domain("a"), forward_port=upstream, advanced_config=config)

    answer = api.visit(domain("a"), path)

    assert answer.status_code == status
    assert text in answer.text


def test_headers_are_inherited_all_or_nothing(api: Api, upstream: int) -> None:
    api.host(
        domain("a"),
        forward_port=upstream,
        advanced_config="add_header X-Site yes;",
        locations=[
            at("/x", upstream, advanced_config="add_header X-Place $host;"),
            at("/y", upstream),
        ],
    )

    assert "X-Site" not in api.visit(domain("a")).headers
    assert api.visit(domain("a")).headers["X-Served-By"] == domain("a")
    assert api.visit(domain("a"), "/x").headers["X-Place"] == domain("a")
    assert api.visit(domain("a"), "/y").headers["X-Site"] == "yes"


@pytest.fixture
def https_upstream(tmp_path: Path) -> Iterator[int]:
    class Hello(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"hello")

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
            pass

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert(domain("wrong")).configure_cert(context)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hello)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = Thread(target=server.serve_forever, args=(0.005,))
    thread.start()
    yield int(server.server_address[1])
    server.shutdown()
    server.server_close()
    thread.join()


def test_an_upstreams_certificate_is_not_looked_at(api: Api, https_upstream: int) -> None:
    api.host(domain("a"), forward_scheme="https", forward_port=https_upstream)

    assert api.visit(domain("a")).text == "hello"
