"""The sites, as a visitor sees them."""

import ssl
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
import trustme

from tests.sandbox.conftest import Api, upstream_to

LOGIN = ("u", "p")
ITEM = {"username": "u", "password": "p"}
HERE = {"address": "127.0.0.1", "directive": "allow"}
ELSEWHERE = {"address": "10.0.0.0/8", "directive": "allow"}


def at(path: str, port: int, **fields: Any) -> dict[str, Any]:
    return {**upstream_to(port), "path": path, **fields}


def test_an_unknown_host_gets_the_default_page(api: Api) -> None:
    answer = api.visit("nobody.test")

    assert answer.status_code == 200
    assert "Congratulations" in answer.text
    assert api.visit("nobody.test", "/other").status_code == 404


def test_a_request_reaches_the_upstream_whole(api: Api, upstream: int) -> None:
    api.host("a.test", forward_port=upstream)

    seen = api.visit("A.test:8080", "/x%20y?q=1", method="POST", data="text").json()

    assert (seen["method"], seen["path"], seen["body"]) == ("POST", "/x%20y?q=1", "text")
    assert seen["headers"]["host"] == "a.test"
    assert seen["headers"]["x-forwarded-proto"] == "http"
    assert seen["headers"]["x-real-ip"] == "127.0.0.1"


@pytest.mark.parametrize(
    ("host", "server"),
    [
        ("a.x.test", "exact"),
        ("b.x.test", "*.x.test"),
        ("c.b.x.test", "*.x.test"),
        ("d.y.x.test", "*.y.x.test"),
        ("x.test", "default"),
        ("www.z", "www.*"),
        ("dot.test", "dot"),
        ("sub.dot.test", "dot"),
    ],
)
def test_the_best_name_wins(api: Api, host: str, server: str) -> None:
    names = {"exact": "a.x.test", "dot": ".dot.test"}
    for label in ("*.x.test", "exact", "*.y.x.test", "www.*", "dot"):
        api.host(names.get(label, label), advanced_config=f'return 200 "{label}";')

    text = api.visit(host).text

    assert text == server or (server == "default" and "Congratulations" in text)


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
    api.host("a.test", forward_port=upstream, locations=[{**upstream_to(upstream), **location}])

    assert api.visit("a.test", asked).json()["path"] == reached


def test_the_longest_prefix_wins_unless_an_expression_matches(api: Api, upstream: int) -> None:
    locations = [
        at("/api", upstream, forward_path="/short"),
        at("/api/long", upstream, forward_path="/long"),
        at("~ png$", upstream, advanced_config="return 200 expression;"),
        at("^~ /api/fixed", upstream, forward_path="/fixed"),
    ]
    api.host("a.test", forward_port=upstream, locations=locations)

    assert api.visit("a.test", "/api/x").json()["path"] == "/short/x"
    assert api.visit("a.test", "/api/long/x").json()["path"] == "/long/x"
    assert api.visit("a.test", "/api/long/x.png").text == "expression"
    assert api.visit("a.test", "/api/fixed/x.png").json()["path"] == "/fixed/x.png"


def test_a_missing_final_slash_is_added(api: Api, upstream: int) -> None:
    api.host("a.test", forward_port=upstream, locations=[at("/api/", upstream)])

    answer = api.visit("a.test", "/api")

    assert (answer.status_code, answer.headers["Location"]) == (301, "http://a.test/api/")


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
    access = api.npm.add_access_list("team", items, clients)
    api.host(
        "a.test",
        forward_port=upstream,
        access_list_id=access,
        locations=[at("/inner", upstream)],
    )

    for path in ("/", "/inner"):
        found = [api.visit("a.test", path, auth=auth) for auth in (None, LOGIN, ("u", "wrong"))]
        assert tuple(answer.status_code for answer in found) == statuses


@pytest.mark.parametrize(
    ("client", "statuses"), [(HERE, (200, 200)), (ELSEWHERE, (401, 200))], ids=["here", "elsewhere"]
)
def test_satisfy_any_takes_either_rule(
    api: Api, upstream: int, client: dict[str, str], statuses: tuple[int, int]
) -> None:
    body = {"name": "x", "satisfy_any": True, "items": [ITEM], "clients": [client]}
    access = api.call("POST", "/nginx/access-lists", body).json()["id"]
    api.host("a.test", forward_port=upstream, access_list_id=access)

    found = (api.visit("a.test"), api.visit("a.test", auth=LOGIN))

    assert tuple(answer.status_code for answer in found) == statuses


@pytest.mark.parametrize("pass_auth", [True, False])
def test_the_password_is_passed_on_only_if_wanted(api: Api, upstream: int, pass_auth: bool) -> None:
    body = {"name": "x", "pass_auth": pass_auth, "items": [ITEM]}
    access = api.call("POST", "/nginx/access-lists", body).json()["id"]
    api.host("a.test", forward_port=upstream, access_list_id=access)

    seen = api.visit("a.test", auth=LOGIN).json()

    assert ("authorization" in seen["headers"]) is pass_auth


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
    api: Api, upstream: int, trust: bool, sent: dict[str, str], status: int
) -> None:
    certificate = api.npm.add_certificate("c", ["a.test"])
    fields = {"certificate_id": certificate, "ssl_forced": True, "trust_forwarded_proto": trust}
    api.host("a.test", forward_port=upstream, **fields)

    answer = api.visit("a.test", "/x?y", headers=sent)

    assert answer.status_code == status
    assert answer.headers.get("Location") == ("https://a.test/x?y" if status == 301 else None)


def test_https_is_not_forced_without_a_certificate(api: Api, upstream: int) -> None:
    row = api.host("a.test", forward_port=upstream, certificate_id=0, ssl_forced=True)

    assert row["ssl_forced"] is True
    assert api.visit("a.test").status_code == 200


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
    row = api.host("a.test", forward_host=host, forward_port=closed_port)

    assert row["meta"]["nginx_online"] is True
    assert api.visit("a.test").status_code == status


@pytest.mark.parametrize(
    ("config", "path", "status", "text"),
    [
        ("return 403;", "/", 403, "403 Forbidden"),
        ('return 200 "$host $uri";', "/x", 200, "a.test /x"),
        ("location / { return 200 mine; }", "/", 200, "mine"),
        ("location /x { return 418; }", "/x", 418, "418"),
        ("deny all;", "/", 403, "403"),
        ("allow 127.0.0.1; deny all;", "/", 200, '"path": "/"'),
    ],
)
def test_advanced_configuration_is_obeyed(
    api: Api, upstream: int, config: str, path: str, status: int, text: str
) -> None:
    api.host("a.test", forward_port=upstream, advanced_config=config)

    answer = api.visit("a.test", path)

    assert answer.status_code == status
    assert text in answer.text


def test_headers_are_inherited_all_or_nothing(api: Api, upstream: int) -> None:
    api.host(
        "a.test",
        forward_port=upstream,
        advanced_config="add_header X-Site yes;",
        locations=[
            at("/x", upstream, advanced_config="add_header X-Place $host;"),
            at("/y", upstream),
        ],
    )

    assert "X-Site" not in api.visit("a.test").headers
    assert api.visit("a.test").headers["X-Served-By"] == "a.test"
    assert api.visit("a.test", "/x").headers["X-Place"] == "a.test"
    assert api.visit("a.test", "/y").headers["X-Site"] == "yes"


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
    trustme.CA().issue_cert("wrong.test").configure_cert(context)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hello)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = Thread(target=server.serve_forever, args=(0.005,))
    thread.start()
    yield int(server.server_address[1])
    server.shutdown()
    server.server_close()
    thread.join()


def test_an_upstreams_certificate_is_not_looked_at(api: Api, https_upstream: int) -> None:
    api.host("a.test", forward_scheme="https", forward_port=https_upstream)

    assert api.visit("a.test").text == "hello"
