"""`meta` of proxy hosts: what users put in, and what NPM adds."""

import pytest

from tests.contract.client import ONLINE, Api
from tests.world import BAD, HOSTS, domain

A = domain("a")


@pytest.mark.every_version
def test_it_is_replaced_whole_and_kept_when_left_out(api: Api) -> None:
    host = api.host(A, meta={"mine": {"deep": [1]}, "other": 1})

    assert api.put(HOSTS, host["id"], forward_port=10)["meta"]["mine"] == {"deep": [1]}
    assert api.put(HOSTS, host["id"], meta={"new": 1})["meta"] == {"new": 1, **ONLINE}
    assert api.put(HOSTS, host["id"], forward_port=11)["meta"] == {"new": 1, **ONLINE}


@pytest.mark.every_version
def test_what_users_put_in_survives_disable_enable_and_a_change_of_the_list(api: Api) -> None:
    access = api.access_list()
    host = api.host(A, meta={"mine": True}, access_list_id=access)

    api.act(HOSTS, host["id"], "disable")
    api.act(HOSTS, host["id"], "enable")
    api.put("/nginx/access-lists", access, clients=[])

    assert api.read(HOSTS, host["id"])["meta"] == {"mine": True, **ONLINE}


@pytest.mark.every_version
def test_what_users_say_of_nginx_is_overwritten(api: Api) -> None:
    host = api.host(A, meta={"nginx_online": False, "nginx_err": "mine"})
    assert host["meta"] == ONLINE

    row = api.put(HOSTS, host["id"], advanced_config=BAD, meta={"nginx_err": None})

    assert row["meta"]["nginx_online"] is False
    assert "unknown directive" in row["meta"]["nginx_err"]
