"""What a client notices of NPM's versions."""

from typing import Any

import jsonschema
import pytest
import requests

from proxysync.sandbox import Sandbox
from tests.contract.client import Api, upstream_to
from tests.sandbox.conftest import log_in
from tests.world import HOSTS

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
        api = log_in(npm)
        assert api.host("a.test", trust_forwarded_proto=True)["trust_forwarded_proto"] is True
        api.session.close()


def body_schema(npm: Sandbox, path: str, method: str) -> Any:
    operation = get(npm, "/schema").json()["paths"][path][method]
    return operation["requestBody"]["content"]["application/json"]["schema"]


def test_the_published_schema_is_what_the_server_checks_with(api: Api) -> None:
    create = body_schema(api.sandbox, HOSTS, "post")
    update = body_schema(api.sandbox, f"{HOSTS}/{{hostID}}", "put")

    assert len(create["properties"]) == 18
    assert create["properties"] == update["properties"]
    assert len(create["required"]) == 4
    assert "required" not in update
    jsonschema.validate({**VALID, "certificate_id": "new"}, create)
    for bad in ({"forward_port": 0}, {"zz": 1}, {"domain_names": ["a:1"]}, {"forward_scheme": "x"}):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate({**VALID, **bad}, create)


@pytest.mark.parametrize(("version", "known"), [("2.13.5", False), ("2.15.1", True)])
def test_the_published_schema_is_that_of_the_version(version: str, known: bool) -> None:
    with Sandbox(version=version) as npm:
        properties = body_schema(npm, HOSTS, "post")["properties"]

    assert ("trust_forwarded_proto" in properties) is known


def test_before_212_the_schema_describes_no_bodies() -> None:
    with Sandbox(version="2.10.4") as npm:
        assert HOSTS not in get(npm, "/schema").json()["paths"]


def test_a_long_name_is_refused_at_once_where_npms_own_pattern_would_hang(api: Api) -> None:
    body = {"domain_names": ["a.test"], "forward_scheme": "http", "forward_http_code": 301}
    target = {"forward_domain_name": "a" * 60 + "."}

    answer = api.call("POST", "/nginx/redirection-hosts", {**body, **target})

    assert "must match pattern" in answer.json()["error"]["message"]
