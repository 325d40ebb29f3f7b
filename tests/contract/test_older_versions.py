"""What a client notices of older versions of NPM, beyond what other tests say by the way."""

from typing import Any

import pytest

from tests.contract.client import LISTS, Api, upstream_to
from tests.world import HOSTS, domain

A = domain("a")
VALID: dict[str, Any] = {**upstream_to(9), "domain_names": [A]}


@pytest.mark.every_version
def test_status_codes_of_refusals(api: Api) -> None:
    old = api.version < (2, 13, 0)

    assert api.anonymous("GET", HOSTS).status_code == (403 if old else 404)
    eve = api.as_user(proxy_hosts="hidden")
    assert eve.call("GET", HOSTS).status_code == (403 if old else 404)


@pytest.mark.every_version
def test_health_says_more_since_213(api: Api) -> None:
    assert ("setup" in api.call("GET", "/").json()) is (api.version >= (2, 13, 0))


@pytest.mark.every_version
def test_failures_have_no_code_before_215(api: Api) -> None:
    answer = api.call("GET", f"{HOSTS}?expand=nope")

    assert answer.status_code == 500
    code = {"code": 500} if api.version >= (2, 15, 0) else {}
    assert answer.json()["error"] == {**code, "message": "Internal Error"}


@pytest.mark.before("2.12.0")
class TestBefore212:
    def test_flags_are_numbers(self, api: Api) -> None:
        row = api.host(A, block_exploits=True, meta={"mine": True})

        assert (row["block_exploits"], row["enabled"], row["ssl_forced"]) == (1, 1, 0)
        assert type(row["enabled"]) is int
        assert row["meta"]["mine"] is True
        assert row["meta"]["nginx_online"] is True
        assert type(api.call("GET", "/users/me").json()["is_disabled"]) is int

    def test_only_the_first_error_is_told_in_other_words(self, api: Api) -> None:
        answer = api.call("POST", HOSTS, {**VALID, "zz": 1, "forward_port": 0})

        expected = "data should NOT have additional properties"
        assert (answer.status_code, answer.json()["error"]["message"]) == (400, expected)

    def test_an_empty_update_and_a_lifetime_at_login_are_fine(self, api: Api) -> None:
        host = api.host(A)

        assert api.call("PUT", f"{HOSTS}/{host['id']}", {}).status_code == 200
        credentials = {"identity": api.identity, "secret": api.secret}
        login = api.anonymous("POST", "/tokens", {**credentials, "expiry": "10y"})
        assert login.status_code == 200

    @pytest.mark.parametrize(
        "path", ["proxy-hosts", "redirection-hosts", "dead-hosts", "streams", "certificates"]
    )
    def test_what_is_not_there_is_read_as_a_row_without_values(self, api: Api, path: str) -> None:
        answer = api.call("GET", f"/nginx/{path}/99999")
        assert (answer.status_code, answer.json()) == (200, {})
        assert api.call("DELETE", f"/nginx/{path}/99999").status_code == 500

    def test_an_access_list_that_is_not_there_has_no_id(self, api: Api) -> None:
        answer = api.call("GET", f"{LISTS}/99999?expand=items,clients")
        assert (answer.status_code, answer.json()["id"]) == (200, None)
        assert api.call("DELETE", f"{LISTS}/99999").status_code == 200

    def test_a_host_that_is_not_there_cannot_be_written(self, api: Api) -> None:
        path = f"{HOSTS}/99999"
        assert api.refused("PUT", path, {"forward_port": 80}) == (400, "Internal Error")
        disabled = (400, "Host is already disabled")
        assert api.refused("POST", f"{path}/disable") == disabled
        assert api.call("POST", f"{path}/enable").status_code == 500


@pytest.mark.every_version
def test_before_215_a_list_without_clients_ended_in_deny_all(api: Api, upstream: int) -> None:
    status = 200 if api.version >= (2, 15, 0) else 403
    host = api.host(A, forward_port=upstream, access_list_id=99999)
    assert api.visit(A).status_code == status

    api.act(HOSTS, host["id"], "disable")
    api.act(HOSTS, host["id"], "enable")

    assert api.visit(A).status_code == status
