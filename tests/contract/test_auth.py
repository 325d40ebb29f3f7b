"""Logins, tokens, rights, and the odd status codes of refusals."""

import base64
import json
import time
from typing import Any

import pytest

from tests.contract.client import LISTS, Api, upstream_to
from tests.world import HOSTS, domain

RIGHTS = (
    "visibility",
    "proxy_hosts",
    "redirection_hosts",
    "dead_hosts",
    "streams",
    "access_lists",
    "certificates",
)
VALID = {**upstream_to(9), "domain_names": [domain("new")]}


def credentials(api: Api, **changes: str) -> dict[str, str]:
    return {"identity": api.identity, "secret": api.secret, **changes}


def claims(token: str) -> Any:
    middle = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(middle + "=" * (-len(middle) % 4)))


@pytest.mark.since("2.13.0")
@pytest.mark.parametrize(
    ("changes", "error"),
    [
        (
            {"secret": "wrong"},
            {"message": "Invalid email or password", "message_i18n": "error.invalid-auth"},
        ),
        ({"identity": "who@example.com"}, {"message": "Invalid email or password"}),
        ({"expiry": "1y"}, {"message": "data must NOT have additional properties"}),
    ],
    ids=str,
)
def test_a_bad_login_is_a_400(api: Api, changes: dict[str, str], error: dict[str, str]) -> None:
    answer = api.anonymous("POST", "/tokens", credentials(api, **changes))

    assert answer.status_code == 400
    assert answer.json() == {"error": {"code": 400, **error}}


@pytest.mark.every_version
def test_a_wrong_password_is_a_401_before_213(api: Api) -> None:
    answer = api.anonymous("POST", "/tokens", credentials(api, secret="wrong"))

    assert answer.status_code == (400 if api.version >= (2, 13, 0) else 401)


@pytest.mark.since("2.12.0")
def test_a_login_without_a_secret_names_it(api: Api) -> None:
    answer = api.anonymous("POST", "/tokens", {"identity": api.identity})

    message = "data must have required property 'secret'"
    assert answer.json() == {"error": {"code": 400, "message": message}}


@pytest.mark.every_version
def test_a_token_has_three_parts_and_its_real_end(api: Api) -> None:
    body = credentials(api, identity=f" {api.identity.upper()} ")

    answer = api.anonymous("POST", "/tokens", body).json()

    assert answer["token"].count(".") == 2
    assert claims(answer["token"])["exp"] - time.time() == pytest.approx(86400, abs=30)
    assert answer["expires"].endswith("Z")


@pytest.mark.parametrize(("expiry", "seconds"), [("30d", 30 * 86400), ("2h", 7200), ("1M", 60)])
def test_a_token_is_renewed_by_get(api: Api, expiry: str, seconds: int) -> None:
    token = api.call("GET", f"/tokens?expiry={expiry}").json()["token"]

    assert claims(token)["exp"] - time.time() == pytest.approx(seconds, abs=30)
    assert api.anonymous("GET", HOSTS, token=f"Bearer {token}").status_code == 200


@pytest.mark.since("2.13.0")
def test_a_strange_lifetime_is_refused(api: Api) -> None:
    answer = api.call("GET", "/tokens?expiry=3600")

    assert (answer.status_code, answer.json()["error"]["message"]) == (
        400,
        "Invalid expiry time: 3600",
    )


@pytest.mark.since("2.13.0")
@pytest.mark.parametrize(
    ("method", "path", "body", "status", "message"),
    [
        ("GET", HOSTS, None, 404, f"Not Found - {HOSTS}"),
        ("GET", f"{HOSTS}/1", None, 404, f"Not Found - {HOSTS}/1"),
        ("PUT", f"{HOSTS}/1", {"forward_port": 1}, 404, f"Not Found - {HOSTS}/1"),
        ("PUT", f"{HOSTS}/1", {"forward_port": 0}, 400, "data/forward_port must be >= 1"),
        ("DELETE", f"{HOSTS}/1", None, 404, f"Not Found - {HOSTS}/1"),
        ("POST", HOSTS, VALID, 500, "Internal Error"),
        ("POST", LISTS, {"name": "x", "items": []}, 404, f"Not Found - {LISTS}"),
        ("GET", "/users/me", None, 500, "Internal Error"),
        ("GET", "/tokens", None, 500, "Internal Error"),
        ("GET", "/nginx/certificates/dns-providers", None, 403, "Permission Denied"),
        ("GET", "/nowhere", None, 404, "Not Found - /nowhere"),
    ],
)
@pytest.mark.parametrize("scheme", ["", "bearer x.y.z"])
def test_without_a_token_there_is_no_401(
    api: Api, scheme: str, method: str, path: str, body: Any, status: int, message: str
) -> None:
    answer = api.anonymous(method, path, body, scheme)

    assert answer.status_code == status
    assert answer.json()["error"]["message"] == message


@pytest.mark.since("2.13.0")
@pytest.mark.parametrize("path", [HOSTS, "/users/me", "/tokens", "/nginx/certificates"])
def test_a_token_that_was_tampered_with_is_a_500(api: Api, path: str) -> None:
    whole = str(api.session.headers["Authorization"])

    for bad in ("Bearer rubbish", whole[:-6] + "AAAAAA", whole.replace(".", ".e", 1)):
        assert api.anonymous("GET", path, token=bad).status_code == 500


@pytest.mark.every_version
def test_an_expired_token(api: Api) -> None:
    token = api.call("GET", "/tokens?expiry=1ms").json()["token"]

    answer = api.anonymous("GET", HOSTS, token=f"Bearer {token}")

    modern = api.version >= (2, 13, 0)
    assert answer.status_code == (400 if modern else 401)
    assert answer.json()["error"]["message"] == "Token has expired"
    assert isinstance(answer.json()["error"].get("message_i18n"), dict) is modern


@pytest.mark.every_version
def test_who_i_am_and_what_i_may(api: Api) -> None:
    eve = api.as_user(streams="hidden", proxy_hosts="view")

    me = eve.call("GET", "/users/me?expand=permissions").json()

    assert me["roles"] == []
    assert {name: me["permissions"][name] for name in RIGHTS} == {
        "visibility": "user",
        "proxy_hosts": "view",
        "redirection_hosts": "manage",
        "dead_hosts": "manage",
        "streams": "hidden",
        "access_lists": "manage",
        "certificates": "manage",
    }
    assert "permissions" not in eve.call("GET", "/users/me").json()


@pytest.mark.since("2.13.0")
@pytest.mark.parametrize(
    ("level", "statuses"),
    [("manage", [200, 201, 200]), ("view", [200, 500, 404]), ("hidden", [404, 500, 404])],
)
def test_a_missing_right_looks_like_a_missing_page(
    api: Api, level: str, statuses: list[int]
) -> None:
    host = api.host(domain("a"))
    eve = api.as_user(proxy_hosts=level, visibility="all")

    found = [
        eve.call("GET", HOSTS).status_code,
        eve.call("POST", HOSTS, VALID).status_code,
        eve.call("PUT", f"{HOSTS}/{host['id']}", {"forward_port": 10}).status_code,
    ]

    assert found == statuses


@pytest.mark.since("2.13.0")
def test_limited_visibility_looks_like_an_empty_server(api: Api) -> None:
    host = api.host(domain("a"))
    eve = api.as_user()

    assert eve.call("GET", HOSTS).json() == []
    assert eve.call("GET", "/reports/hosts").json()["proxy"] == 0
    answer = eve.call("GET", f"{HOSTS}/{host['id']}")
    assert answer.json()["error"]["message"] == f"Not Found - {host['id']}"
    taken = eve.call("POST", HOSTS, {**VALID, "domain_names": [domain("A")]})
    assert taken.json()["error"]["message"] == f"{domain('A')} is already in use"
    assert eve.call("POST", HOSTS, VALID).json()["owner_user_id"] != host["owner_user_id"]


@pytest.mark.since("2.13.0")
@pytest.mark.parametrize("path", ["/settings", "/audit-log", "/users"])
def test_some_pages_need_an_administrator(api: Api, path: str) -> None:
    eve = api.as_user(visibility="all")

    assert api.call("GET", path).status_code == 200
    assert eve.call("GET", path).json()["error"]["message"] == f"Not Found - {path}"
