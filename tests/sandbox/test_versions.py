"""What a client notices of NPM's versions."""

from typing import Any

import jsonschema
import pytest
import requests

from proxysync.sandbox import Sandbox
from tests.sandbox.conftest import ADMIN, HOSTS, Api, upstream_to

VALID: dict[str, Any] = {**upstream_to(9), "domain_names": ["a.test"]}
ALL = ("2.10.4", "2.12.6", "2.13.5", "2.15.1")


def get(npm: Sandbox, path: str) -> Any:
    return requests.get(f"{npm.url}/api{path}", timeout=5)


@pytest.mark.parametrize("version", ALL)
def test_health_tells_the_version(version: str) -> None:
    with Sandbox(version=version) as npm:
        health = get(npm, "/").json()

    major, minor, revision = map(int, version.split("."))
    assert health["version"] == {"major": major, "minor": minor, "revision": revision}
    assert ("setup" in health) is (minor >= 13)


def test_a_source_checkout_reports_another_version_than_it_is() -> None:
    with Sandbox(version="2.15.1", reported_version="2.0.0") as npm:
        assert get(npm, "/").json()["version"] == {"major": 2, "minor": 0, "revision": 0}
        assert get(npm, "/schema").json()["info"]["version"] == "2.0.0"
        api = Api(npm)
        assert api.host("a.test", trust_forwarded_proto=True)["trust_forwarded_proto"] is True
        api.session.close()


@pytest.mark.parametrize(
    ("version", "anonymous", "expired", "login"),
    [
        ("2.10.4", 403, 401, 401),
        ("2.12.6", 403, 401, 401),
        ("2.13.5", 404, 400, 400),
        ("2.15.1", 404, 400, 400),
    ],
)
def test_status_codes_of_refusals(version: str, anonymous: int, expired: int, login: int) -> None:
    with Sandbox(version=version) as npm:
        api = Api(npm)
        npm.expire_tokens()
        assert get(npm, HOSTS).status_code == anonymous
        assert api.call("GET", HOSTS).status_code == expired
        bad = requests.post(f"{npm.url}/api/tokens", json={**ADMIN, "secret": "x"}, timeout=5)
        assert bad.status_code == login
        api.session.close()


@pytest.mark.parametrize(("version", "known"), [("2.13.5", False), ("2.15.1", True)])
def test_trust_forwarded_proto_is_new(version: str, known: bool) -> None:
    with Sandbox(version=version) as npm:
        api = Api(npm)
        answer = api.call("POST", HOSTS, {**VALID, "trust_forwarded_proto": True})
        assert answer.status_code == (201 if known else 400)
        row = api.host("b.test")
        assert ("trust_forwarded_proto" in row) is known
        properties = body_schema(npm, HOSTS, "post")["properties"]
        assert ("trust_forwarded_proto" in properties) is known
        api.session.close()


def body_schema(npm: Sandbox, path: str, method: str) -> Any:
    operation = get(npm, "/schema").json()["paths"][path][method]
    return operation["requestBody"]["content"]["application/json"]["schema"]


def test_the_published_schema_is_what_the_server_checks_with(api: Api) -> None:
    create = body_schema(api.npm, HOSTS, "post")
    update = body_schema(api.npm, f"{HOSTS}/{{hostID}}", "put")

    assert len(create["properties"]) == 18
    assert create["properties"] == update["properties"]
    assert len(create["required"]) == 4
    assert "required" not in update
    jsonschema.validate({**VALID, "certificate_id": "new"}, create)
    for bad in ({"forward_port": 0}, {"zz": 1}, {"domain_names": ["a:1"]}, {"forward_scheme": "x"}):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate({**VALID, **bad}, create)


class TestBefore212:
    @pytest.fixture
    def npm(self) -> Any:
        with Sandbox(version="2.10.4") as sandbox:
            yield sandbox

    def test_flags_are_numbers(self, api: Api) -> None:
        row = api.host("a.test", block_exploits=True, meta={"mine": True})

        assert (row["block_exploits"], row["enabled"], row["ssl_forced"]) == (1, 1, 0)
        assert type(row["enabled"]) is int
        assert row["meta"]["mine"] is True
        assert row["meta"]["nginx_online"] is True
        assert type(api.call("GET", "/users/me").json()["is_disabled"]) is int

    def test_the_schema_describes_no_bodies(self, npm: Sandbox) -> None:
        assert HOSTS not in get(npm, "/schema").json()["paths"]

    def test_only_the_first_error_is_told_in_other_words(self, api: Api) -> None:
        answer = api.call("POST", HOSTS, {**VALID, "zz": 1, "forward_port": 0})

        expected = "data should NOT have additional properties"
        assert (answer.status_code, answer.json()["error"]["message"]) == (400, expected)

    def test_fifteen_names_at_most_and_no_inner_wildcard(self, api: Api) -> None:
        for names in ([f"{n}.test" for n in range(16)], ["www.*"]):
            answer = api.call("POST", HOSTS, {**VALID, "domain_names": names})
            assert answer.status_code == 400
        assert api.host("*.x.test")["meta"]["nginx_online"]

    def test_a_host_that_is_disabled_from_the_start_is_served(
        self, api: Api, upstream: int
    ) -> None:
        row = api.host("a.test", forward_port=upstream, enabled=False)

        assert row["enabled"] == 0
        assert api.visit("a.test").status_code == 200
        api.call("PUT", f"{HOSTS}/{row['id']}", {"enabled": True})
        api.call("POST", f"{HOSTS}/{row['id']}/disable")
        assert api.visit("a.test").text != "hello"

    def test_an_empty_update_and_a_lifetime_at_login_are_fine(self, api: Api) -> None:
        host = api.host("a.test")

        assert api.call("PUT", f"{HOSTS}/{host['id']}", {}).status_code == 200
        login = api.call("POST", "/tokens", {**ADMIN, "expiry": "10y"})
        assert login.status_code == 200

    @pytest.mark.parametrize(
        "path", ["proxy-hosts", "redirection-hosts", "dead-hosts", "certificates"]
    )
    def test_what_is_not_there_is_read_as_a_row_without_values(self, api: Api, path: str) -> None:
        answer = api.call("GET", f"/nginx/{path}/999")
        assert (answer.status_code, answer.json()) == (200, {})
        assert api.call("DELETE", f"/nginx/{path}/999").status_code == 500

    def test_an_access_list_that_is_not_there_has_no_id(self, api: Api) -> None:
        answer = api.call("GET", "/nginx/access-lists/999?expand=items,clients")
        assert (answer.status_code, answer.json()["id"]) == (200, None)
        assert api.call("DELETE", "/nginx/access-lists/999").status_code == 200

    def test_a_host_that_is_not_there_cannot_be_written(self, api: Api) -> None:
        put = api.call("PUT", f"{HOSTS}/999", {"forward_port": 80})
        assert (put.status_code, put.json()["error"]["message"]) == (400, "Internal Error")
        answer = api.call("POST", f"{HOSTS}/999/disable")
        assert answer.json()["error"]["message"] == "Host is already disabled"
        assert api.call("POST", f"{HOSTS}/999/enable").status_code == 500

    def test_certificate_zero_clears_the_flags(self, api: Api) -> None:
        row = api.host("a.test", ssl_forced=True, http2_support=True, certificate_id=0)

        assert (row["ssl_forced"], row["http2_support"]) == (0, 0)


@pytest.mark.parametrize(("version", "status"), [("2.13.5", 403), ("2.15.1", 200)])
def test_before_215_a_list_without_clients_ended_in_deny_all(
    version: str, status: int, upstream: int
) -> None:
    with Sandbox(version=version) as npm:
        api = Api(npm)
        host = api.host("a.test", forward_port=upstream, access_list_id=77)
        assert api.visit("a.test").status_code == status
        api.call("POST", f"{HOSTS}/{host['id']}/disable")
        api.call("POST", f"{HOSTS}/{host['id']}/enable")
        assert api.visit("a.test").status_code == status
        api.session.close()
