"""Logins, tokens, rights, and the odd status codes of refusals."""

import base64
import json
import time
from typing import Any

import pytest
import requests

from proxysync.sandbox import Sandbox
from tests.sandbox.conftest import ADMIN, HOSTS, LISTS, Api, upstream_to

VALID = {**upstream_to(9), "domain_names": ["new.test"]}


def ask(npm: Sandbox, method: str, path: str, token: str | None, body: Any = None) -> Any:
    headers = {"Authorization": token} if token else {}
    return requests.request(method, f"{npm.url}/api{path}", json=body, headers=headers, timeout=10)


def claims(token: str) -> Any:
    middle = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(middle + "=" * (-len(middle) % 4)))


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (
            {"identity": "admin@example.com"},
            {"message": "data must have required property 'secret'"},
        ),
        (
            {**ADMIN, "secret": "wrong"},
            {"message": "Invalid email or password", "message_i18n": "error.invalid-auth"},
        ),
        ({**ADMIN, "identity": "who@example.com"}, {"message": "Invalid email or password"}),
        ({**ADMIN, "expiry": "1y"}, {"message": "data must NOT have additional properties"}),
    ],
)
def test_a_bad_login_is_a_400(npm: Sandbox, body: dict[str, str], error: dict[str, str]) -> None:
    answer = ask(npm, "POST", "/tokens", None, body)

    assert answer.status_code == 400
    assert answer.json() == {"error": {"code": 400, **error}}


def test_a_token_has_three_parts_and_its_real_end(npm: Sandbox) -> None:
    body = {**ADMIN, "identity": " ADMIN@example.com "}

    answer = ask(npm, "POST", "/tokens", None, body).json()

    assert answer["token"].count(".") == 2
    assert claims(answer["token"])["exp"] - time.time() == pytest.approx(86400, abs=5)
    assert answer["expires"].endswith("Z")


@pytest.mark.parametrize(("expiry", "seconds"), [("30d", 30 * 86400), ("2h", 7200), ("1M", 60)])
def test_a_token_is_renewed_by_get(api: Api, expiry: str, seconds: int) -> None:
    token = api.call("GET", f"/tokens?expiry={expiry}").json()["token"]

    assert claims(token)["exp"] - time.time() == pytest.approx(seconds, abs=5)
    assert ask(api.npm, "GET", HOSTS, f"Bearer {token}").status_code == 200


def test_a_strange_lifetime_is_refused(api: Api) -> None:
    answer = api.call("GET", "/tokens?expiry=3600")

    assert (answer.status_code, answer.json()["error"]["message"]) == (
        400,
        "Invalid expiry time: 3600",
    )


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
@pytest.mark.parametrize("scheme", [None, "bearer x.y.z"])
def test_without_a_token_there_is_no_401(
    npm: Sandbox, scheme: str | None, method: str, path: str, body: Any, status: int, message: str
) -> None:
    answer = ask(npm, method, path, scheme, body)

    assert answer.status_code == status
    assert answer.json()["error"] == {"code": status, "message": message}
    assert npm.writes == []


@pytest.mark.parametrize("path", [HOSTS, "/users/me", "/tokens", "/nginx/certificates"])
def test_a_token_that_was_tampered_with_is_a_500(api: Api, path: str) -> None:
    whole = str(api.session.headers["Authorization"])

    for bad in ("Bearer rubbish", whole[:-6] + "AAAAAA", whole.replace(".", ".e", 1)):
        assert ask(api.npm, "GET", path, bad).status_code == 500


def test_an_expired_token_is_a_400_whatever_it_says_itself(api: Api) -> None:
    api.npm.expire_tokens()

    answer = api.call("GET", HOSTS)

    assert answer.status_code == 400
    assert answer.json()["error"]["message"] == "Token has expired"
    assert isinstance(answer.json()["error"]["message_i18n"], dict)
    assert Api(api.npm).call("GET", HOSTS).status_code == 200


def test_a_short_lived_token_expires_by_itself(api: Api) -> None:
    token = api.call("GET", "/tokens?expiry=1ms").json()["token"]

    assert ask(api.npm, "GET", HOSTS, f"Bearer {token}").status_code == 400


def test_forgotten_tokens_are_badly_signed(api: Api) -> None:
    api.npm.forget_tokens()

    assert api.call("GET", HOSTS).status_code == 500
    assert Api(api.npm).call("GET", HOSTS).status_code == 200


def test_a_second_factor_gives_a_challenge_and_no_token(npm: Sandbox) -> None:
    npm.add_user("two@example.com", "pw", two_factor=True)
    login = {"identity": "two@example.com", "secret": "pw"}

    challenge = ask(npm, "POST", "/tokens", None, login).json()
    wrong = ask(
        npm,
        "POST",
        "/tokens/2fa",
        None,
        {"challenge_token": challenge["challenge_token"], "code": "1"},
    )

    assert challenge.keys() == {"requires_2fa", "challenge_token"}
    assert (wrong.status_code, wrong.json()["error"]["message"]) == (
        400,
        "Invalid verification code",
    )
    bearer = f"Bearer {challenge['challenge_token']}"
    assert ask(npm, "GET", HOSTS, bearer).status_code == 404


def test_who_i_am_and_what_i_may(npm: Sandbox) -> None:
    npm.add_user("eve@example.com", "pw", {"streams": "hidden", "proxy_hosts": "view"})
    eve = Api(npm, identity="eve@example.com", secret="pw")

    me = eve.call("GET", "/users/me?expand=permissions").json()

    assert me["roles"] == []
    assert me["permissions"] == {
        "visibility": "user",
        "proxy_hosts": "view",
        "redirection_hosts": "manage",
        "dead_hosts": "manage",
        "streams": "hidden",
        "access_lists": "manage",
        "certificates": "manage",
    }
    assert "permissions" not in eve.call("GET", "/users/me").json()


@pytest.mark.parametrize(
    ("level", "statuses"),
    [("manage", [200, 201, 200]), ("view", [200, 500, 404]), ("hidden", [404, 500, 404])],
)
def test_a_missing_right_looks_like_a_missing_page(
    api: Api, level: str, statuses: list[int]
) -> None:
    host = api.host("a.test")
    api.npm.add_user("eve@example.com", "pw", {"proxy_hosts": level}, visibility="all")
    eve = Api(api.npm, identity="eve@example.com", secret="pw")

    found = [
        eve.call("GET", HOSTS).status_code,
        eve.call("POST", HOSTS, VALID).status_code,
        eve.call("PUT", f"{HOSTS}/{host['id']}", {"forward_port": 10}).status_code,
    ]

    assert found == statuses


def test_limited_visibility_looks_like_an_empty_server(api: Api) -> None:
    host = api.host("a.test")
    api.npm.add_user("eve@example.com", "pw")
    eve = Api(api.npm, identity="eve@example.com", secret="pw")

    assert eve.call("GET", HOSTS).json() == []
    assert eve.call("GET", "/reports/hosts").json()["proxy"] == 0
    answer = eve.call("GET", f"{HOSTS}/{host['id']}")
    assert answer.json()["error"]["message"] == f"Not Found - {host['id']}"
    taken = eve.call("POST", HOSTS, {**VALID, "domain_names": ["A.test"]})
    assert taken.json()["error"]["message"] == "A.test is already in use"
    assert eve.call("POST", HOSTS, VALID).json()["owner_user_id"] != host["owner_user_id"]


@pytest.mark.parametrize("path", ["/settings", "/audit-log", "/users"])
def test_some_pages_need_an_administrator(api: Api, path: str) -> None:
    api.npm.add_user("eve@example.com", "pw", visibility="all")
    eve = Api(api.npm, identity="eve@example.com", secret="pw")

    assert api.call("GET", path).status_code == 200
    assert eve.call("GET", path).json()["error"]["message"] == f"Not Found - {path}"
