"""Access lists, and what changing them does to the sites behind them."""

from typing import Any

import pytest
import requests

from tests.contract.client import LISTS, Api, Pair
from tests.world import HOSTS, SUFFIX, domain

NAME = f"x {SUFFIX}"
ITEM = {"username": "u", "password": "hunter2"}
LOGIN = ("u", "hunter2")


def test_a_new_list_answers_with_masked_passwords(api: Api) -> None:
    client = {"address": "10.0.0.0/8", "directive": "allow"}
    body = {"name": NAME, "items": [ITEM], "clients": [client]}

    row = api.call("POST", LISTS, body).json()

    assert (row["satisfy_any"], row["pass_auth"], row["proxy_host_count"]) == (False, True, 0)
    assert row["items"][0] | {"password": "", "hint": "h******"} == row["items"][0]
    assert row["clients"][0] | client == row["clients"][0]
    assert "items" not in api.rows(LISTS)[0]
    expanded = api.call("GET", f"{LISTS}/{row['id']}?expand=items,clients,owner").json()
    assert expanded["items"] == row["items"]


@pytest.mark.every_version
def test_only_a_single_list_shows_its_hosts(api: Api) -> None:
    access = api.access_list()
    host = api.host(domain("a"), access_list_id=access)

    assert api.call("GET", f"{LISTS}?expand=proxy_hosts").status_code == 500
    row = api.call("GET", f"{LISTS}/{access}?expand=proxy_hosts").json()
    assert [one["id"] for one in row["proxy_hosts"]] == [host["id"]]


@pytest.mark.parametrize(
    "body", [{"name": NAME}, {"name": NAME, "items": [{"username": "u"}]}], ids=str
)
def test_some_posts_fail_after_the_row_is_there(api: Api, body: dict[str, Any]) -> None:
    assert api.call("POST", LISTS, body).status_code == 500
    assert [row["name"] for row in api.rows(LISTS)] == [NAME]


@pytest.mark.since("2.13.0")
@pytest.mark.parametrize(
    ("field", "fragment"),
    [
        ({"meta": {}}, "data must NOT have additional properties"),
        ({"name": ""}, "data/name must NOT have fewer than 1 characters"),
        ({"clients": [{"address": domain("a")}]}, "data/clients/0/address must match exactly one"),
        ({"clients": [{"directive": "no"}]}, "data/clients/0/directive must be equal to one"),
    ],
)
def test_bodies_are_strict(api: Api, field: dict[str, Any], fragment: str) -> None:
    answer = api.call("POST", LISTS, {"name": NAME, "items": [], **field})

    assert answer.status_code == 400
    assert fragment in answer.json()["error"]["message"]


@pytest.mark.since("2.13.0")
def test_an_empty_password_is_never_answered(api: Api) -> None:
    body = {"name": NAME, "items": [{"username": "u", "password": ""}]}

    with pytest.raises(requests.exceptions.ReadTimeout):
        requests.post(
            f"{api.npm.url}/api{LISTS}",
            json=body,
            headers={"Authorization": str(api.session.headers["Authorization"])},
            timeout=0.3 if api.npm.sandbox else 3,
        )

    assert [row["name"] for row in api.rows(LISTS)] == [NAME]


def test_flags_are_ignored_without_the_name(api: Api) -> None:
    access = api.access_list()

    row = api.call("PUT", f"{LISTS}/{access}", {"satisfy_any": True}).json()
    assert not row["satisfy_any"]
    row = api.call("PUT", f"{LISTS}/{access}", {"name": NAME, "satisfy_any": True}).json()
    assert row["satisfy_any"]


@pytest.mark.since("2.15.0")
def test_an_item_without_password_keeps_the_users_old_one(api: Api, upstream: int) -> None:
    access = api.access_list(items=[ITEM])
    api.host(domain("a"), forward_port=upstream, access_list_id=access)
    items = [{"username": "u"}, {"username": "who", "password": ""}, ITEM | {"username": "v"}]

    row = api.call("PUT", f"{LISTS}/{access}", {"items": items}).json()

    assert [item["username"] for item in row["items"]] == ["u", "v"]
    assert row["proxy_host_count"] == 1
    assert api.visit(domain("a"), auth=LOGIN).status_code == 200
    assert api.visit(domain("a"), auth=("v", "hunter2")).status_code == 200
    assert api.visit(domain("a"), auth=("who", "")).status_code == 401


@pytest.mark.since("2.15.0")
def test_a_bad_address_breaks_everything_until_it_is_repaired(api: Api, upstream: int) -> None:
    access = api.access_list(items=[ITEM])
    host = api.host(domain("a"), forward_port=upstream, access_list_id=access)
    path = f"{LISTS}/{access}"
    bad = {"clients": [{"address": "999.1.1.1", "directive": "deny"}]}

    assert api.call("PUT", path, bad).status_code == 500

    assert api.read(HOSTS, host["id"])["meta"]["nginx_online"] is True
    assert api.visit(domain("a"), auth=LOGIN).status_code == 200
    assert api.call("POST", f"{HOSTS}/{host['id']}/disable").status_code == 200
    api.put(HOSTS, host["id"], enabled=True)
    assert api.read(HOSTS, host["id"])["meta"]["nginx_online"] is False
    assert api.call("PUT", path, {"clients": []}).status_code == 200
    assert api.visit(domain("a"), auth=LOGIN).status_code == 200


def test_a_client_without_directive_fails_after_the_old_ones_are_gone(api: Api) -> None:
    access = api.access_list(clients=[{"address": "all", "directive": "deny"}])

    answer = api.call("PUT", f"{LISTS}/{access}", {"clients": [{"address": "all"}]})

    assert answer.status_code == 500
    assert api.call("GET", f"{LISTS}/{access}?expand=clients").json()["clients"] == []


@pytest.mark.since("2.15.0")
def test_deleting_a_list_in_use_opens_its_sites_and_drops_https(
    api: Api, upstream: int, pair: Pair
) -> None:
    certificate = api.certificate(pair)
    access = api.access_list(items=[ITEM])
    fields = {"certificate_id": certificate, "ssl_forced": True, "access_list_id": access}
    host = api.host(domain("a"), forward_port=upstream, **fields)
    assert api.visit(domain("a")).status_code == 301

    assert api.call("DELETE", f"{LISTS}/{access}").json() is True

    assert api.visit(domain("a")).status_code == 200
    row = api.read(HOSTS, host["id"])
    assert (row["access_list_id"], row["certificate_id"], row["ssl_forced"]) == (
        0,
        certificate,
        True,
    )
    assert api.call("GET", f"{LISTS}/{access}").status_code == 404
    api.put(HOSTS, host["id"], forward_port=upstream)
    assert api.visit(domain("a")).status_code == 301


@pytest.mark.since("2.15.0")
def test_a_list_that_is_not_there_protects_nothing(api: Api, upstream: int) -> None:
    api.host(domain("a"), forward_port=upstream, access_list_id=77)
    api.host(domain("b"), forward_port=upstream, access_list_id=api.access_list())

    assert api.visit(domain("a")).status_code == 200
    assert api.visit(domain("b")).status_code == 200


def test_audited_lists_have_no_passwords(api: Api) -> None:
    api.access_list(items=[ITEM])

    assert "hunter2" not in api.call("GET", "/audit-log").text


@pytest.mark.every_version
def test_before_211_a_change_is_served_after_the_next_reload_only(api: Api, upstream: int) -> None:
    here = {"address": "127.0.0.1", "directive": "allow"}
    access = api.access_list(clients=[here])
    api.host(domain("a"), forward_port=upstream, access_list_id=access)
    assert api.visit(domain("a")).status_code == 200

    api.put(LISTS, access, clients=[{**here, "directive": "deny"}])

    assert api.visit(domain("a")).status_code == (403 if api.version >= (2, 11, 0) else 200)
    api.host(domain("b"))
    assert api.visit(domain("a")).status_code == 403
