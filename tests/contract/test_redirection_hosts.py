"""Redirection hosts: fields, defaults, flags, and what their visitors get."""

from typing import Any

import pytest

from tests.contract.client import ONLINE, REDIRECTIONS, Api
from tests.world import BAD, domain

A = domain("a")
FLAGS = ("ssl_forced", "http2_support", "hsts_enabled", "hsts_subdomains")
ALL_FLAGS = dict.fromkeys(FLAGS, True)
NAMELESS = "data must NOT have additional properties"
PATTERN = 'data/forward_domain_name must match pattern "^(?:[^.*]+\\.?)+[^.]$"'


def without(row: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name not in names}


@pytest.mark.every_version
def test_a_new_one_has_these_fields_and_defaults(api: Api) -> None:
    row = api.redirection(A, forward_http_code=308)

    assert without(row, "id", "created_on", "modified_on", "owner_user_id") == {
        "domain_names": [A],
        "forward_scheme": "https",
        "forward_http_code": 308,
        "forward_domain_name": "to.example",
        "preserve_path": False,
        "block_exploits": False,
        "certificate_id": 0,
        **dict.fromkeys(FLAGS, False),
        "advanced_config": "",
        "enabled": True,
        "meta": ONLINE,
    }


def test_the_answer_to_a_post_does_not_say_whether_nginx_took_it(api: Api) -> None:
    body = {"domain_names": [A], "forward_scheme": "http", "forward_http_code": 301}

    row = api.call("POST", REDIRECTIONS, {**body, "forward_domain_name": "b.c"}).json()

    assert (row["meta"], row["certificate"], row["owner"]["email"]) == ({}, None, api.identity)


@pytest.mark.since("2.12.0")
def test_four_fields_are_required(api: Api) -> None:
    names = ("domain_names", "forward_scheme", "forward_http_code", "forward_domain_name")
    message = ", ".join(f"data must have required property '{name}'" for name in names)

    assert api.refused("POST", REDIRECTIONS, {}) == (400, message)


@pytest.mark.since("2.12.0")
@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"enabled": True}, NAMELESS),
        ({"access_list_id": 0}, NAMELESS),
        ({"caching_enabled": True}, NAMELESS),
        ({"locations": []}, NAMELESS),
        ({"trust_forwarded_proto": True}, NAMELESS),
        ({"forward_http_code": 299}, "data/forward_http_code must be >= 300"),
        ({"forward_http_code": 309}, "data/forward_http_code must be <= 308"),
        (
            {"forward_scheme": "$scheme"},
            "data/forward_scheme must be equal to one of the allowed values",
        ),
        ({"forward_domain_name": "a"}, PATTERN),
        ({"forward_domain_name": "*.a.b"}, PATTERN),
        ({"forward_domain_name": "a.b."}, PATTERN),
        ({"forward_domain_name": "a..b"}, PATTERN),
        ({}, "data must NOT have fewer than 1 properties"),
    ],
    ids=str,
)
def test_what_an_update_does_not_take(api: Api, change: dict[str, Any], message: str) -> None:
    row = api.redirection(A)

    assert api.refused("PUT", f"{REDIRECTIONS}/{row['id']}", change) == (400, message)
    assert api.read(REDIRECTIONS, row["id"]) == row


@pytest.mark.every_version
@pytest.mark.parametrize(
    ("code", "location"),
    [(301, True), (302, True), (303, True), (307, True), (308, True), (300, False), (305, False)],
)
def test_some_codes_redirect_and_others_show_the_address(
    api: Api, code: int, location: bool
) -> None:
    api.redirection(A, forward_http_code=code)

    answer = api.visit(A, "/x?y")

    assert answer.status_code == code
    assert answer.headers.get("Location") == ("https://to.example" if location else None)
    if not location:
        assert answer.text == "https://to.example"


@pytest.mark.every_version
@pytest.mark.parametrize(
    ("fields", "target"),
    [
        ({}, "https://to.example"),
        ({"preserve_path": True}, "https://to.example/x%20y?z=1"),
        ({"forward_scheme": "http"}, "http://to.example"),
        ({"forward_domain_name": "to.example/p?q=1"}, "https://to.example/p?q=1"),
        ({"forward_domain_name": "to.example:8443"}, "https://to.example:8443"),
        ({"forward_domain_name": "$host", "preserve_path": True}, f"https://{A}/x%20y?z=1"),
    ],
    ids=str,
)
def test_where_visitors_are_sent(api: Api, fields: dict[str, Any], target: str) -> None:
    api.redirection(A, **fields)

    assert api.visit(A, "/x%20y?z=1").headers["Location"] == target


@pytest.mark.since("2.13.3")
def test_auto_keeps_the_scheme(api: Api) -> None:
    api.redirection(A, forward_scheme="auto")

    assert api.visit(A).headers["Location"] == "http://to.example"


@pytest.mark.every_version
@pytest.mark.before("2.13.3")
def test_auto_is_where_visitors_are_sent(api: Api) -> None:
    api.redirection(A, forward_scheme="auto")

    assert api.visit(A).headers["Location"] == "auto://to.example"


@pytest.mark.every_version
@pytest.mark.before("2.12.0")
def test_the_variable_keeps_the_scheme(api: Api) -> None:
    api.redirection(A, forward_scheme="$scheme")

    assert api.visit(A).headers["Location"] == "http://to.example"


@pytest.mark.every_version
@pytest.mark.parametrize("target", ["a b.com", "x;y.com"])
def test_a_target_that_nginx_does_not_like_takes_the_site_down(api: Api, target: str) -> None:
    row = api.redirection(A)

    changed = api.put(REDIRECTIONS, row["id"], forward_domain_name=target)

    assert changed["meta"]["nginx_online"] is False
    assert changed["forward_domain_name"] == target
    assert api.is_default(A)


@pytest.mark.every_version
def test_flags_without_a_certificate_are_cleared(api: Api) -> None:
    row = api.redirection(A)

    row = api.put(REDIRECTIONS, row["id"], **ALL_FLAGS)

    assert not any(row[name] for name in FLAGS)


@pytest.mark.every_version
def test_flags_with_certificate_zero_are_kept_until_the_next_update(api: Api) -> None:
    row = api.redirection(A)

    row = api.put(REDIRECTIONS, row["id"], **ALL_FLAGS, certificate_id=0)

    assert all(row[name] for name in FLAGS) is (api.version >= (2, 12, 0))
    row = api.put(REDIRECTIONS, row["id"], preserve_path=True)
    assert not any(row[name] for name in FLAGS)


@pytest.mark.every_version
def test_meta_is_replaced_whole_and_kept_when_left_out(api: Api) -> None:
    row = api.redirection(A, meta={"mine": 1})

    assert api.put(REDIRECTIONS, row["id"], preserve_path=True)["meta"] == {"mine": 1, **ONLINE}
    assert api.put(REDIRECTIONS, row["id"], meta={"new": 1})["meta"] == {"new": 1, **ONLINE}


@pytest.mark.every_version
def test_bad_configuration_is_told_at_once_and_takes_the_site_down(api: Api) -> None:
    row = api.redirection(A)

    changed = api.put(REDIRECTIONS, row["id"], advanced_config=BAD)

    assert changed["meta"]["nginx_online"] is False
    assert api.is_default(A)
    assert api.put(REDIRECTIONS, row["id"], advanced_config="")["meta"]["nginx_online"] is True
    assert api.visit(A).status_code == 301


@pytest.mark.every_version
def test_an_update_while_it_is_disabled(api: Api) -> None:
    row = api.redirection(A)
    api.act(REDIRECTIONS, row["id"], "disable")
    assert api.is_default(A)

    changed = api.put(REDIRECTIONS, row["id"], forward_http_code=308)

    assert not changed["enabled"]
    assert changed["meta"] == ONLINE
    # Before 2.12 the site comes back, disabled or not.
    assert api.visit(A).status_code == (308 if api.version < (2, 12, 0) else 200)


@pytest.mark.every_version
def test_disable_and_enable(api: Api) -> None:
    row = api.redirection(A)
    path = f"{REDIRECTIONS}/{row['id']}"

    assert api.act(REDIRECTIONS, row["id"], "disable") is True
    assert not api.read(REDIRECTIONS, row["id"])["enabled"]
    assert api.is_default(A)
    assert api.refused("POST", f"{path}/disable") == (400, "Host is already disabled")
    assert api.act(REDIRECTIONS, row["id"], "enable") is True
    assert api.visit(A).status_code == 301
    assert api.refused("POST", f"{path}/enable") == (400, "Host is already enabled")


@pytest.mark.every_version
def test_a_deleted_one_is_served_no_more_and_its_name_is_free(api: Api) -> None:
    row = api.redirection(A)

    assert api.call("DELETE", f"{REDIRECTIONS}/{row['id']}").json() is True

    assert api.is_default(A)
    assert api.rows(REDIRECTIONS) == []
    assert api.redirection(A)["id"] > row["id"]


def test_its_names_belong_to_all_types_of_host(api: Api) -> None:
    row = api.redirection(A)
    body = {"domain_names": [A.upper()], "forward_scheme": "http", "forward_http_code": 301}
    taken = (400, f"{A.upper()} is already in use")

    assert api.refused("POST", "/nginx/dead-hosts", {"domain_names": [A.upper()]}) == taken
    assert api.refused("POST", REDIRECTIONS, {**body, "forward_domain_name": "b.c"}) == taken
    changed = api.put(REDIRECTIONS, row["id"], domain_names=[A.upper(), domain("0")])
    assert changed["domain_names"] == sorted([A.upper(), domain("0")])
