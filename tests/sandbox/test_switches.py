"""What a test can turn on and read off at a sandbox."""

import pytest
import requests

from proxysync.sandbox import Sandbox
from tests.contract.client import Api, upstream_to
from tests.sandbox.conftest import ADMIN, log_in
from tests.world import HOSTS


def test_a_location_that_stops_resolving_breaks_all_but_its_own_removal(api: Api) -> None:
    location = {**upstream_to(9), "forward_host": "inner.test", "path": "/x"}
    bad = api.host("a.test", locations=[location])
    good = api.host("b.test")
    api.sandbox.unresolvable.add("inner.test")

    answer = api.call("PUT", f"{HOSTS}/{good['id']}", {"forward_port": 10})
    assert answer.status_code == 500
    assert api.call("PUT", f"{HOSTS}/{bad['id']}", {"locations": []}).status_code == 500

    assert api.call("POST", f"{HOSTS}/{bad['id']}/disable").status_code == 200
    assert api.put(HOSTS, good["id"], forward_port=10)["meta"]["nginx_online"] is True


def test_a_name_that_never_resolved_takes_its_own_host_down(api: Api) -> None:
    api.sandbox.unresolvable.add("inner.test")
    location = {**upstream_to(9), "forward_host": "inner.test", "path": "/x"}

    row = api.host("a.test", locations=[location])

    assert 'host not found in upstream "inner.test"' in row["meta"]["nginx_err"]
    assert api.host("b.test", forward_host="inner.test")["meta"]["nginx_online"] is True


def test_nginx_is_broken_for_all_until_it_is_mended(api: Api, upstream: int) -> None:
    host = api.host("a.test", forward_port=upstream)
    api.sandbox.break_nginx("open() failed")

    assert api.call("PUT", f"{HOSTS}/{host['id']}", {"forward_port": 1}).status_code == 500
    assert api.visit("a.test").status_code == 200

    api.sandbox.mend_nginx()
    assert api.visit("a.test").status_code == 200
    api.put(HOSTS, host["id"], forward_port=1)
    assert api.visit("a.test").status_code == 502


def test_writes_are_what_reached_npms_logic(npm: Sandbox) -> None:
    api = log_in(npm)
    host = api.host("a.test")
    api.call("PUT", f"{HOSTS}/{host['id']}", {"forward_port": 0})
    requests.put(f"{npm.url}/api{HOSTS}/1", json={"forward_port": 1}, timeout=5)
    api.put(HOSTS, host["id"], forward_port=10)
    api.call("DELETE", f"{HOSTS}/77")

    assert npm.writes == [("POST", HOSTS), ("PUT", f"{HOSTS}/1"), ("DELETE", f"{HOSTS}/77")]
    assert npm.requests == [
        ("POST", "/tokens"),
        ("POST", HOSTS),
        ("GET", f"{HOSTS}/1"),
        ("PUT", f"{HOSTS}/1"),
        ("PUT", f"{HOSTS}/1"),
        ("PUT", f"{HOSTS}/1"),
        ("DELETE", f"{HOSTS}/77"),
    ]


def test_the_rows_are_copies(api: Api) -> None:
    api.host("a.test")

    api.sandbox.proxy_hosts()[0]["domain_names"].append("b.test")

    assert api.sandbox.proxy_hosts()[0]["domain_names"] == ["a.test"]


def test_rows_of_other_types_can_be_put_in(api: Api) -> None:
    api.sandbox.add_redirection_host(["r.test"])
    api.sandbox.add_dead_host(["d.test"])

    assert api.visit("r.test").headers["Location"] == "https://example.com"
    assert api.visit("d.test").status_code == 404


def test_a_certificate_that_is_put_in_has_names_and_an_end(api: Api) -> None:
    api.sandbox.add_certificate("wild", ["*.example.com"], "2030-01-02 03:04:05")

    [row] = api.call("GET", "/nginx/certificates").json()

    assert row["domain_names"] == ["*.example.com"]
    assert row["expires_on"] == "2030-01-02 03:04:05"
    assert row["provider"] == "other"
    assert "PRIVATE KEY" in row["meta"]["certificate_key"]


def test_all_tokens_expire_at_once(api: Api) -> None:
    api.sandbox.expire_tokens()

    answer = api.call("GET", HOSTS)

    assert answer.status_code == 400
    assert answer.json()["error"]["message"] == "Token has expired"
    assert log_in(api.sandbox).call("GET", HOSTS).status_code == 200


def test_forgotten_tokens_are_badly_signed(api: Api) -> None:
    api.sandbox.forget_tokens()

    assert api.call("GET", HOSTS).status_code == 500
    assert log_in(api.sandbox).call("GET", HOSTS).status_code == 200


def test_a_second_factor_gives_a_challenge_and_no_token(npm: Sandbox) -> None:
    npm.add_user("two@example.com", "pw", two_factor=True)
    login = {**ADMIN, "identity": "two@example.com", "secret": "pw"}

    challenge = requests.post(f"{npm.url}/api/tokens", json=login, timeout=5).json()
    wrong = {"challenge_token": challenge["challenge_token"], "code": "1"}
    answer = requests.post(f"{npm.url}/api/tokens/2fa", json=wrong, timeout=5)

    assert challenge.keys() == {"requires_2fa", "challenge_token"}
    assert answer.status_code == 400
    assert answer.json()["error"]["message"] == "Invalid verification code"
    headers = {"Authorization": f"Bearer {challenge['challenge_token']}"}
    assert requests.get(f"{npm.url}/api{HOSTS}", headers=headers, timeout=5).status_code == 404


@pytest.mark.parametrize("twice", [False, True])
def test_the_backend_can_be_ended_by_a_request(api: Api, twice: bool) -> None:
    api.sandbox.backend.restart_after = 60
    dead = api.sandbox.add_dead_host(["d.test"])
    for _ in range(2 if twice else 1):
        api.call("POST", f"/nginx/dead-hosts/{dead}/disable")

    assert api.sandbox.backend.exits == int(twice)
    assert api.call("GET", HOSTS).status_code == (502 if twice else 200)
