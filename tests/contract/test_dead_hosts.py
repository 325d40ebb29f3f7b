"""Dead hosts, which answer 404, and what is wrong with them since 2.13."""

import time
from typing import Any

import pytest

from tests.contract.client import DEAD_HOSTS, ONLINE, Api, Pair
from tests.world import BAD, domain, eventually

A, B = domain("a"), domain("b")
FLAGS = ("ssl_forced", "http2_support", "hsts_enabled", "hsts_subdomains")
ALL_FLAGS = dict.fromkeys(FLAGS, True)
NAMELESS = "data must NOT have additional properties"


def lags(api: Api) -> bool:
    return api.version >= (2, 13, 0)


@pytest.mark.every_version
def test_a_new_one_has_these_fields_and_defaults(api: Api) -> None:
    row = api.dead_host(A)

    for name in ("id", "created_on", "modified_on", "owner_user_id"):
        row.pop(name)
    assert row == {
        "domain_names": [A],
        "certificate_id": 0,
        **dict.fromkeys(FLAGS, False),
        "advanced_config": "",
        "enabled": True,
        "meta": ONLINE,
    }
    answer = api.visit(A, "/any")
    assert (answer.status_code, "404 Not Found" in answer.text) == (404, True)


def test_the_answer_to_a_post_does_not_say_whether_nginx_took_it(api: Api) -> None:
    row = api.call("POST", DEAD_HOSTS, {"domain_names": [A], "meta": {"mine": 1}}).json()

    assert (row["meta"], row["certificate"]) == ({"mine": 1}, None)
    assert api.read(DEAD_HOSTS, row["id"])["meta"] == {"mine": 1, **ONLINE}


@pytest.mark.since("2.12.0")
def test_names_are_required(api: Api) -> None:
    message = "data must have required property 'domain_names'"

    assert api.refused("POST", DEAD_HOSTS, {}) == (400, message)


@pytest.mark.since("2.12.0")
@pytest.mark.parametrize(
    "change",
    [
        {"enabled": True},
        {"access_list_id": 0},
        {"caching_enabled": True},
        {"locations": []},
        {"block_exploits": True},
        {"trust_forwarded_proto": True},
        {"forward_scheme": "http"},
    ],
    ids=str,
)
def test_what_an_update_does_not_take(api: Api, change: dict[str, Any]) -> None:
    row = api.dead_host(A)

    assert api.refused("PUT", f"{DEAD_HOSTS}/{row['id']}", change) == (400, NAMELESS)


@pytest.mark.every_version
def test_flags_without_a_certificate_are_cleared_in_a_new_one(api: Api) -> None:
    row = api.dead_host(A, **ALL_FLAGS)

    assert not any(row[name] for name in FLAGS)


@pytest.mark.every_version
def test_flags_are_kept_by_an_update(api: Api) -> None:
    row = api.dead_host(A)

    row = api.put(DEAD_HOSTS, row["id"], **ALL_FLAGS)

    assert all(row[name] for name in FLAGS) is lags(api)
    row = api.put(DEAD_HOSTS, row["id"], advanced_config="")
    assert all(row[name] for name in FLAGS) is lags(api)


@pytest.mark.every_version
def test_an_update_takes_effect_one_update_later(api: Api) -> None:
    row = api.dead_host(A)

    changed = api.put(DEAD_HOSTS, row["id"], domain_names=[B])

    assert changed["domain_names"] == [B]
    assert api.read(DEAD_HOSTS, row["id"])["domain_names"] == [B]
    assert api.is_default(B) is lags(api)
    assert api.is_default(A) is not lags(api)
    api.put(DEAD_HOSTS, row["id"], domain_names=[B])
    assert api.visit(B).status_code == 404
    assert api.is_default(A)


@pytest.mark.every_version
def test_an_update_takes_it_off_https_until_it_is_enabled_again(api: Api, pair: Pair) -> None:
    row = api.dead_host(A, certificate_id=api.certificate(pair))
    page = api.visit_by_https(A)
    assert page is not None
    assert page.certificate == pair.shown

    for _ in range(2):
        api.put(DEAD_HOSTS, row["id"], domain_names=[A])
    lost = api.visit_by_https(A)
    assert (lost is None or lost.certificate != pair.shown) is lags(api)

    api.act(DEAD_HOSTS, row["id"], "disable")
    eventually(lambda: not api.read(DEAD_HOSTS, row["id"])["enabled"])
    eventually(lambda: api.is_default(A))
    api.act(DEAD_HOSTS, row["id"], "enable")
    again = api.visit_by_https(A)
    assert again is not None
    assert again.certificate == pair.shown


@pytest.mark.every_version
def test_whether_it_is_online_is_told_of_the_row_before(api: Api) -> None:
    row = api.dead_host(A)

    first = api.put(DEAD_HOSTS, row["id"], advanced_config=BAD)
    assert first["advanced_config"] == BAD
    assert first["meta"]["nginx_online"] is lags(api)
    assert api.read(DEAD_HOSTS, row["id"])["meta"]["nginx_online"] is lags(api)
    assert api.is_default(A) is not lags(api)

    second = api.put(DEAD_HOSTS, row["id"], advanced_config="")
    # The answer still has the meta of the last update, and only a GET has that of this one.
    assert second["meta"]["nginx_online"] is True
    assert api.read(DEAD_HOSTS, row["id"])["meta"]["nginx_online"] is not lags(api)
    assert api.is_default(A) is lags(api)

    api.put(DEAD_HOSTS, row["id"], advanced_config="")
    assert api.read(DEAD_HOSTS, row["id"])["meta"] == ONLINE
    assert api.visit(A).status_code == 404


@pytest.mark.every_version
def test_custom_meta_is_lost_by_an_update(api: Api) -> None:
    row = api.dead_host(A, meta={"first": 1})

    changed = api.put(DEAD_HOSTS, row["id"], meta={"mine": 1})

    assert changed["meta"] == ({"mine": 1} if lags(api) else {"mine": 1, **ONLINE})
    kept = {"first": 1} if lags(api) else {"mine": 1}
    assert api.read(DEAD_HOSTS, row["id"])["meta"] == {**kept, **ONLINE}
    api.put(DEAD_HOSTS, row["id"], meta={"mine": 1})
    assert api.read(DEAD_HOSTS, row["id"])["meta"] == {**kept, **ONLINE}


@pytest.mark.every_version
def test_an_update_while_it_is_disabled(api: Api) -> None:
    row = api.dead_host(A)
    api.act(DEAD_HOSTS, row["id"], "disable")
    eventually(lambda: not api.read(DEAD_HOSTS, row["id"])["enabled"])
    eventually(lambda: api.is_default(A))

    api.put(DEAD_HOSTS, row["id"], advanced_config="# twice")
    changed = api.put(DEAD_HOSTS, row["id"], advanced_config="# twice")

    assert not changed["enabled"]
    # Before 2.12 the site comes back, disabled or not.
    assert api.is_default(A) is (api.version >= (2, 12, 0))


@pytest.mark.every_version
def test_disable_answers_before_it_has_finished_and_enable_after(api: Api) -> None:
    row = api.dead_host(A)

    assert api.act(DEAD_HOSTS, row["id"], "disable") == ({} if lags(api) else True)

    eventually(lambda: not api.read(DEAD_HOSTS, row["id"])["enabled"])
    eventually(lambda: api.is_default(A))
    assert api.act(DEAD_HOSTS, row["id"], "enable") is True
    assert api.visit(A).status_code == 404
    path = f"{DEAD_HOSTS}/{row['id']}/enable"
    assert api.refused("POST", path) == (400, "Host is already enabled")


@pytest.mark.every_version
def test_a_deleted_one_is_served_no_more_and_its_name_is_free(api: Api) -> None:
    row = api.dead_host(A)

    assert api.call("DELETE", f"{DEAD_HOSTS}/{row['id']}").json() is True

    assert api.is_default(A)
    assert api.rows(DEAD_HOSTS) == []
    assert api.dead_host(A)["id"] > row["id"]


@pytest.mark.since("2.13.0")
def test_to_disable_twice_ends_the_backend(api: Api) -> None:
    """Not on a real NPM, whose other users would notice."""
    if api.npm.sandbox is None:
        pytest.skip("ends the process of a real NPM")
    api.npm.sandbox.backend.restart_after = 0.2
    row = api.dead_host(A)
    api.act(DEAD_HOSTS, row["id"], "disable")

    assert api.act(DEAD_HOSTS, row["id"], "disable") == {}

    assert api.call("GET", DEAD_HOSTS).status_code == 502
    assert api.npm.sandbox.backend.exits == 1
    deadline = time.monotonic() + 5
    while api.call("GET", DEAD_HOSTS).status_code == 502:
        assert time.monotonic() < deadline
