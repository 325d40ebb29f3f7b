"""Proxy hosts: fields, defaults, flags, relations, lists, and what a bad configuration does."""

import re
from typing import Any

import pytest

from tests.contract.client import ONLINE, Api, Pair, upstream_to
from tests.world import BAD, HOSTS, SUFFIX, domain

A, B = domain("a"), domain("b")
ALL_FLAGS = dict.fromkeys(("ssl_forced", "http2_support", "hsts_enabled", "hsts_subdomains"), True)
LIST = {"items": [{"username": "u", "password": "hunter2"}]}
MINE = "the certificate of this test"


def flags(row: dict[str, Any]) -> str:
    """The four flags as letters: s(sl_forced) h(ttp2) e(nabled hsts) u(subdomains)."""
    return "".join(letter for letter, name in zip("sheu", ALL_FLAGS, strict=True) if row[name])


@pytest.mark.every_version
def test_a_new_host_has_npms_fields_and_defaults(api: Api) -> None:
    row = api.host(A)

    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", row.pop("created_on"))
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", row.pop("modified_on"))
    assert row.pop("id") > 0
    assert row.pop("owner_user_id") > 0
    newer = {"trust_forwarded_proto": False} if api.version >= (2, 14, 0) else {}
    assert row == {
        "domain_names": [A],
        **upstream_to(9),
        "access_list_id": 0,
        "certificate_id": 0,
        **dict.fromkeys(ALL_FLAGS, False),
        "caching_enabled": False,
        "block_exploits": False,
        "allow_websocket_upgrade": False,
        **newer,
        "advanced_config": "",
        "enabled": True,
        "locations": None,
        "meta": ONLINE,
    }


def test_the_answer_to_a_post_does_not_say_whether_nginx_took_it(api: Api) -> None:
    body = {**upstream_to(9), "domain_names": [A], "meta": {"mine": 1}}

    row = api.call("POST", HOSTS, body).json()

    assert row["meta"] == {"mine": 1}
    assert row["owner"]["email"] == api.identity
    assert row["certificate"] is None
    assert row["access_list"] is None
    assert api.read(HOSTS, row["id"])["meta"] == {"mine": 1, **ONLINE}


@pytest.mark.every_version
def test_an_update_is_a_shallow_patch(api: Api) -> None:
    location = {**upstream_to(9), "path": "/x"}
    locations = [location, {**location, "path": "/y"}]
    host = api.host(A, locations=locations, block_exploits=True)

    row = api.put(HOSTS, host["id"], locations=[{**location, "id": None}])

    assert row["locations"] == [{**location, "id": None}]
    assert row["block_exploits"]
    assert row["forward_port"] == 9


@pytest.mark.since("2.12.0")
@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        ([ALL_FLAGS], ""),
        ([{**ALL_FLAGS, "certificate_id": 0}], "sheu"),
        ([{**ALL_FLAGS, "certificate_id": "0"}], "sheu"),
        ([{**ALL_FLAGS, "certificate_id": None}], "sheu"),
        ([{**ALL_FLAGS, "certificate_id": 0}, {"forward_port": 10}], ""),
        ([{**ALL_FLAGS, "certificate_id": MINE}, {"certificate_id": 0}], "sheu"),
        ([{**ALL_FLAGS, "certificate_id": MINE}, {"forward_port": 10}], "sheu"),
        ([{**ALL_FLAGS, "certificate_id": MINE, "ssl_forced": False}], "h"),
        ([{**ALL_FLAGS, "certificate_id": MINE, "hsts_enabled": False}], "sh"),
        ([{**ALL_FLAGS, "certificate_id": 99999}], "sheu"),
        ([{**dict.fromkeys(ALL_FLAGS, 1), "certificate_id": MINE}], "sheu"),
    ],
)
def test_ssl_flags_follow_npms_own_logic(
    api: Api, pair: Pair, steps: list[dict[str, Any]], expected: str
) -> None:
    certificate = api.certificate(pair)
    steps = [
        {name: certificate if value is MINE else value for name, value in step.items()}
        for step in steps
    ]
    host = api.host(A)
    for step in steps:
        row = api.put(HOSTS, host["id"], **step)

    assert flags(row) == expected
    assert flags(api.host(B, **steps[0])) == flags(api.put(HOSTS, host["id"], **steps[0]))


@pytest.mark.before("2.12.0")
def test_certificate_zero_clears_the_flags(api: Api) -> None:
    row = api.host(A, **ALL_FLAGS, certificate_id=0)

    assert flags(row) == ""


@pytest.mark.every_version
def test_a_bad_configuration_is_a_success_with_the_site_down(api: Api, upstream: int) -> None:
    created = api.host(domain("new"), advanced_config=BAD)
    assert (bool(created["enabled"]), created["meta"]["nginx_online"]) == (True, False)
    host = api.host(A, forward_port=upstream)
    other = api.host(B, forward_port=upstream)

    row = api.put(HOSTS, host["id"], advanced_config=BAD)

    assert row["meta"]["nginx_online"] is False
    assert 'unknown directive "no_such_directive" in /data/nginx/' in row["meta"]["nginx_err"]
    assert row["meta"]["nginx_err"].startswith("Command failed") is (api.version < (2, 11, 0))
    assert row["advanced_config"] == BAD
    assert api.is_default(A)
    assert api.visit(B).json()["path"] == "/"
    assert api.read(HOSTS, other["id"])["meta"]["nginx_online"] is True
    assert api.put(HOSTS, host["id"], advanced_config="")["meta"]["nginx_online"] is True
    assert api.visit(A).json()["path"] == "/"


def test_a_name_that_does_not_resolve_takes_its_own_host_down(api: Api) -> None:
    location = {**upstream_to(9), "forward_host": "nope.invalid", "path": "/x"}

    row = api.host(A, locations=[location])

    assert 'host not found in upstream "nope.invalid"' in row["meta"]["nginx_err"]
    assert api.host(B, forward_host="nope.invalid")["meta"]["nginx_online"] is True


@pytest.mark.every_version
def test_a_deleted_host_is_gone_its_name_free_and_its_id_spent(api: Api) -> None:
    host = api.host(A)
    path = f"{HOSTS}/{host['id']}"

    assert api.call("DELETE", path).json() is True

    assert api.rows(HOSTS) == []
    assert api.host(A)["id"] > host["id"]


@pytest.mark.since("2.12.0")
def test_what_is_gone_is_not_found(api: Api) -> None:
    host = api.host(A)
    api.call("DELETE", f"{HOSTS}/{host['id']}")

    for method, tail in (("GET", ""), ("PUT", ""), ("DELETE", ""), ("POST", "/enable")):
        body = {"forward_port": 10} if method == "PUT" else None
        refused = api.refused(method, f"{HOSTS}/{host['id']}{tail}", body)
        assert refused == (404, f"Not Found - {host['id']}")


@pytest.mark.every_version
def test_the_list_is_whole_and_in_the_order_of_its_names(api: Api) -> None:
    for name in (B, "B.a.example", A):
        api.host(name)
    api.host(domain("off"), enabled=False)
    made = [row["id"] for row in api.rows(HOSTS)]

    def names(tail: str) -> list[str]:
        rows = api.call("GET", HOSTS + tail).json()
        return [row["domain_names"][0] for row in rows if row["id"] in made]

    assert names("") == ["B.a.example", A, B, domain("off")]
    assert names("/?limit=1&sort=id") == names("")
    assert names("?query=B.") == ["B.a.example", B]
    assert names("?expand=&query=") == names("")


@pytest.mark.every_version
def test_expand_shows_relations_and_leaks_passwords(api: Api, pair: Pair) -> None:
    client = {"directive": "allow", "address": "10.0.0.0/8"}
    access = api.access_list(**LIST, clients=[client])
    host = api.host(A, access_list_id=access, certificate_id=api.certificate(pair))

    row = api.call("GET", f"{HOSTS}/{host['id']}?expand=owner,certificate,access_list").json()
    assert row["owner"]["email"] == api.identity
    assert (row["certificate"]["nice_name"], row["certificate"]["meta"]) == (f"c {SUFFIX}", {})
    assert row["access_list"]["name"] == f"team {SUFFIX}"
    assert "items" not in row["access_list"]

    row = api.call("GET", f"{HOSTS}/{host['id']}?expand=access_list.[clients,items]").json()
    assert row["access_list"]["items"][0]["password"] == "hunter2"
    assert row["access_list"]["clients"][0]["address"] == "10.0.0.0/8"


@pytest.mark.every_version
def test_a_list_shows_nested_relations_since_215(api: Api) -> None:
    host = api.host(A, access_list_id=api.access_list(**LIST))

    answer = api.call("GET", f"{HOSTS}?expand=access_list.[clients,items]")

    if api.version < (2, 15, 0):
        assert answer.status_code == 500
        return
    row = next(row for row in answer.json() if row["id"] == host["id"])
    assert row["access_list"]["items"][0]["password"] == "hunter2"


@pytest.mark.every_version
def test_every_change_is_in_the_audit_log(api: Api) -> None:
    host = api.host(A)
    api.put(HOSTS, host["id"], forward_port=10)
    for action in ("disable", "enable"):
        api.act(HOSTS, host["id"], action)
    api.call("DELETE", f"{HOSTS}/{host['id']}")

    entries = api.call("GET", "/audit-log?expand=user").json()[:5]

    actions = [entry["action"] for entry in entries]
    assert actions == ["deleted", "enabled", "disabled", "updated", "created"]
    about = {(entry["object_type"], entry["object_id"]) for entry in entries}
    assert about == {("proxy-host", host["id"])}
    assert entries[0]["user"]["email"] == api.identity


@pytest.mark.since("2.13.0")
def test_one_entry_of_the_audit_log_can_be_read(api: Api) -> None:
    host = api.host(A)
    newest = api.call("GET", "/audit-log").json()[0]

    entry = api.call("GET", f"/audit-log/{newest['id']}").json()

    assert (entry["action"], entry["object_id"]) == ("created", host["id"])
    assert api.call("GET", "/audit-log/99999999").status_code == 404


@pytest.mark.every_version
def test_there_are_counts_of_all_types(api: Api) -> None:
    before = api.call("GET", "/reports/hosts").json()
    api.host(A)
    api.redirection(B)
    api.dead_host(domain("c"))

    counts = api.call("GET", "/reports/hosts").json()

    assert counts == {
        "proxy": before["proxy"] + 1,
        "redirection": before["redirection"] + 1,
        "dead": before["dead"] + 1,
        "stream": before["stream"],
    }


@pytest.mark.every_version
def test_what_can_be_trusted_of_the_scheme_is_new(api: Api) -> None:
    body = {**upstream_to(9), "domain_names": [A], "trust_forwarded_proto": True}

    status = api.call("POST", HOSTS, body).status_code

    assert status == (201 if api.version >= (2, 14, 0) else 400)
