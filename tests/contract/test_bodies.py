"""Strict bodies: NPM's own messages, and what it takes for something else."""

from typing import Any

import pytest

from tests.contract.client import Api, upstream_to
from tests.world import HOSTS, domain

pytestmark = pytest.mark.since("2.12.0")

NAME = "^[^&| @!#%^();:/\\\\}{=+?<>,~`'\"]+$"
VALID: dict[str, Any] = {**upstream_to(9), "domain_names": [domain("a")]}
NAMELESS = "data must NOT have additional properties"


def missing(*names: str) -> str:
    return ", ".join(f"data must have required property '{name}'" for name in names)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"domain_names": []}, "data/domain_names must NOT have fewer than 1 items"),
        ({"domain_names": domain("a")}, "data/domain_names must be array"),
        (
            {"domain_names": ["a", "a"]},
            "data/domain_names must NOT have duplicate items (items ## 1 and 0 are identical)",
        ),
        ({"domain_names": ["a:80"]}, f'data/domain_names/0 must match pattern "{NAME}"'),
        (
            {"domain_names": [f"{n}.test" for n in range(101)]},
            "data/domain_names must NOT have more than 100 items",
        ),
        (
            {"forward_scheme": "ftp"},
            "data/forward_scheme must be equal to one of the allowed values",
        ),
        ({"forward_host": ""}, "data/forward_host must NOT have fewer than 1 characters"),
        ({"forward_host": "a" * 256}, "data/forward_host must NOT have more than 255 characters"),
        ({"forward_port": 0}, "data/forward_port must be >= 1"),
        ({"forward_port": 65536}, "data/forward_port must be <= 65535"),
        ({"forward_port": ""}, "data/forward_port must be integer"),
        ({"forward_port": 1.5}, "data/forward_port must be integer"),
        ({"forward_port": None}, "data/forward_port must be >= 1"),
        ({"ssl_forced": "1"}, "data/ssl_forced must be boolean"),
        ({"meta": None}, "data/meta must be object"),
        ({"locations": None}, "data/locations must be array"),
        ({"locations": [5]}, "data/locations/0 must be object"),
        ({"access_list_id": -1}, "data/access_list_id must be >= 0"),
        (
            {"certificate_id": "foo"},
            (
                "data/certificate_id must be integer, "
                'data/certificate_id must match pattern "^new$", '
                "data/certificate_id must match a schema in anyOf"
            ),
        ),
        ({"id": 1}, NAMELESS),
        ({"owner": {}, "is_deleted": False}, f"{NAMELESS}, {NAMELESS}"),
        ({"zz": 1, "forward_port": 0}, f"{NAMELESS}, data/forward_port must be >= 1"),
        (
            {"locations": [{**upstream_to(9), "path": "/", "id": "x"}]},
            "data/locations/0/id must be integer,null",
        ),
        (
            {"locations": [{**upstream_to(0), "path": "", "zz": 1}]},
            (
                "data/locations/0 must NOT have additional properties, "
                "data/locations/0/path must NOT have fewer than 1 characters, "
                "data/locations/0/forward_port must be >= 1"
            ),
        ),
    ],
    ids=str,
)
def test_a_bad_field_is_refused_in_the_words_of_npm(
    api: Api, change: dict[str, Any], message: str
) -> None:
    answer = api.call("POST", HOSTS, {**VALID, **change})

    assert answer.status_code == 400
    assert answer.json() == {"error": {"code": 400, "message": message}}
    assert api.rows(HOSTS) == []


def test_all_missing_fields_are_named_in_one_message(api: Api) -> None:
    required = missing("domain_names", "forward_scheme", "forward_host", "forward_port")

    assert api.call("POST", HOSTS, {}).json()["error"]["message"] == required


def test_an_update_requires_nothing_but_at_least_one_field(api: Api) -> None:
    row = api.host(domain("a"))

    answer = api.call("PUT", f"{HOSTS}/{row['id']}", {})

    assert answer.status_code == 400
    assert answer.json()["error"]["message"] == "data must NOT have fewer than 1 properties"


def test_what_get_shows_cannot_be_sent_back(api: Api) -> None:
    row = api.host(domain("a"))

    message = api.call("PUT", f"{HOSTS}/{row['id']}", row).json()["error"]["message"]

    assert message.count(NAMELESS) == 4
    assert "data/locations must be array" in message


@pytest.mark.parametrize(
    ("field", "sent", "stored"),
    [
        ("forward_port", "9001", 9001),
        ("forward_port", True, 1),
        ("forward_port", 80.0, 80),
        ("block_exploits", 1, True),
        ("block_exploits", "true", True),
        ("block_exploits", 0, False),
        ("block_exploits", None, False),
        ("access_list_id", None, 0),
        ("advanced_config", None, ""),
        ("advanced_config", "  # kept\r\n ", "  # kept\r\n "),
        ("forward_host", 5, "5"),
    ],
)
def test_values_are_coerced_silently(api: Api, field: str, sent: Any, stored: Any) -> None:
    row = api.host(domain("a"), **{field: sent})

    assert row[field] == stored
    assert type(row[field]) is type(stored)


@pytest.mark.parametrize(
    ("raw", "content_type", "status", "message"),
    [
        (b"{bad", "application/json", 400, "Internal Error"),
        (b"5", "application/json", 400, "Internal Error"),
        (b"[]", "application/json", 400, "data must be object"),
        pytest.param(
            *(b"x", "text/plain", 400, "Payload is undefined"),
            marks=pytest.mark.since("2.13.0"),
        ),
        (b'{"a":"' + b"x" * 102_393 + b'"}', "application/json", 413, "Internal Error"),
    ],
    ids=["broken", "number", "array", "text", "102401 bytes"],
)
def test_a_body_that_is_no_json_object_is_refused(
    api: Api, raw: bytes, content_type: str, status: int, message: str
) -> None:
    answer = api.call("POST", HOSTS, data=raw, headers={"Content-Type": content_type})

    assert answer.status_code == status
    assert answer.json()["error"] == {"code": status, "message": message}


def test_a_body_of_exactly_the_limit_is_read(api: Api) -> None:
    raw = b'{"a":"' + b"x" * 102_392 + b'"}'
    assert len(raw) == 102_400

    answer = api.call("POST", HOSTS, data=raw, headers={"Content-Type": "application/json"})

    assert answer.status_code == 400
    assert NAMELESS in answer.json()["error"]["message"]


@pytest.mark.since("2.13.0")
@pytest.mark.parametrize(
    ("method", "tail", "status", "message"),
    [
        ("GET", "/abc", 400, "Internal Error"),
        ("GET", "/0", 400, "Internal Error"),
        ("GET", "/-1", 400, "Internal Error"),
        ("PUT", "/abc", 404, "Not Found"),
        ("DELETE", "/abc", 404, "Not Found"),
        ("PATCH", "/1", 404, f"Not Found - {HOSTS}/1"),
        ("DELETE", "", 404, f"Not Found - {HOSTS}"),
        ("GET", "?expand=nope", 500, "Internal Error"),
        ("GET", "?expand=owner,locations", 500, "Internal Error"),
        ("GET", f"?query={'x' * 256}", 400, "Internal Error"),
    ],
)
def test_odd_paths_have_odd_answers(
    api: Api, method: str, tail: str, status: int, message: str
) -> None:
    answer = api.call(method, HOSTS + tail, {"forward_port": 1} if method == "PUT" else None)

    assert answer.status_code == status
    assert answer.json()["error"]["message"] == message
