"""Enabled and disabled proxy hosts, which is not what is served and what is not."""

from collections.abc import Callable

import pytest

from tests.contract.client import Api
from tests.world import BAD, HOSTS, domain

A, B = domain("a"), domain("b")


@pytest.mark.every_version
def test_put_enabled_false_leaves_the_site_served(api: Api, upstream: int) -> None:
    host = api.host(A, forward_port=upstream)

    assert not api.put(HOSTS, host["id"], enabled=False)["enabled"]

    assert api.visit(A).json()["path"] == "/"
    again = api.refused("POST", f"{HOSTS}/{host['id']}/disable")
    assert again == (400, "Host is already disabled")
    api.put(HOSTS, host["id"], domain_names=[B])
    assert api.visit(A).json()["path"] == "/"
    assert api.is_default(B)
    api.put(HOSTS, host["id"], enabled=True)
    assert api.act(HOSTS, host["id"], "disable") is True
    assert api.is_default(B)
    assert api.is_default(A)


@pytest.mark.every_version
def test_disable_takes_the_site_down_and_leaves_meta_alone(api: Api, upstream: int) -> None:
    host = api.host(A, forward_port=upstream)

    assert api.act(HOSTS, host["id"], "disable") is True

    assert api.is_default(A)
    row = api.read(HOSTS, host["id"])
    assert (bool(row["enabled"]), row["meta"]["nginx_online"]) == (False, True)
    assert api.act(HOSTS, host["id"], "enable") is True
    assert api.visit(A).json()["path"] == "/"
    refused = api.refused("POST", f"{HOSTS}/{host['id']}/enable")
    assert refused == (400, "Host is already enabled")


@pytest.mark.every_version
def test_enable_opens_a_protected_site_and_put_closes_it(api: Api, upstream: int) -> None:
    access = api.access_list(items=[{"username": "u", "password": "p"}])
    host = api.host(A, forward_port=upstream, access_list_id=access)
    # Before 2.15 every list ended in `deny all`, and one without client rules let nobody in.
    closed, open_ = (401, 200) if api.version >= (2, 15, 0) else (403, 403)
    assert api.visit(A).status_code == closed

    api.act(HOSTS, host["id"], "disable")
    api.act(HOSTS, host["id"], "enable")
    assert api.visit(A).status_code == open_

    api.put(HOSTS, host["id"], enabled=True)
    assert api.visit(A).status_code == closed


@pytest.mark.since("2.12.0")
def test_a_host_that_is_disabled_from_the_start_is_not_tested(api: Api) -> None:
    row = api.host(A, enabled=False, advanced_config=BAD)

    assert row["meta"]["nginx_online"] is True
    assert api.is_default(A)


@pytest.mark.every_version
def test_a_host_that_is_disabled_from_the_start_is_served_before_212(
    api: Api, upstream: int
) -> None:
    row = api.host(A, enabled=False, forward_port=upstream)

    assert not row["enabled"]
    assert api.is_default(A) is (api.version >= (2, 12, 0))


@pytest.mark.every_version
@pytest.mark.parametrize("make", [Api.host, Api.redirection, Api.dead_host])
def test_what_is_enabled_already_is_a_mistake(
    api: Api, make: Callable[..., dict[str, int]]
) -> None:
    row = make(api, A)
    paths = {
        Api.host: "proxy-hosts",
        Api.redirection: "redirection-hosts",
        Api.dead_host: "dead-hosts",
    }

    refused = api.refused("POST", f"/nginx/{paths[make]}/{row['id']}/enable")

    assert refused == (400, "Host is already enabled")
