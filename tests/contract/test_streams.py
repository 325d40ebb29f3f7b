"""Streams: rows, ports, and what goes through them."""

import http.client
import socket
from typing import Any

import pytest

from tests.contract.client import ONLINE, STREAMS, Api, said
from tests.world import domain

NAMELESS = "data must NOT have additional properties"


@pytest.fixture
def ports() -> list[int]:
    """Ports that are free, highest first."""
    holders = [socket.create_server(("127.0.0.1", 0)) for _ in range(3)]
    numbers = sorted((one.getsockname()[1] for one in holders), reverse=True)
    for one in holders:
        one.close()
    return numbers


def to(port: int, incoming: int, **fields: Any) -> dict[str, Any]:
    target = {"incoming_port": incoming, "forwarding_host": "127.0.0.1", "forwarding_port": port}
    return {**target, "tcp_forwarding": True, **fields}


def answers(api: Api, port: int) -> bool:
    """Whether a web service answers at this port, after the last write."""
    api.settle()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


@pytest.mark.every_version
def test_a_new_one_listens_to_nothing_unless_told_so(api: Api, ports: list[int]) -> None:
    body = to(9, ports[0])
    del body["tcp_forwarding"]

    row = api.make(STREAMS, body)

    for name in ("id", "created_on", "modified_on", "owner_user_id"):
        row.pop(name)
    certificate = {"certificate_id": 0} if api.version >= (2, 12, 3) else {}
    flags = {"tcp_forwarding": False, "udp_forwarding": False, "enabled": True}
    assert row == {**body, **flags, **certificate, "meta": ONLINE}
    assert not answers(api, ports[0])


@pytest.mark.every_version
def test_what_comes_in_is_passed_on(api: Api, ports: list[int], upstream: int) -> None:
    row = api.make(STREAMS, to(upstream, ports[0]))
    assert answers(api, ports[0])

    changed = api.put(STREAMS, row["id"], incoming_port=ports[1])
    assert changed["meta"] == ONLINE
    assert (answers(api, ports[0]), answers(api, ports[1])) == (False, True)

    api.put(STREAMS, row["id"], forwarding_port=9)
    assert not answers(api, ports[1])


@pytest.mark.since("2.12.0")
def test_three_fields_are_required_and_bodies_are_strict(api: Api, ports: list[int]) -> None:
    names = ("incoming_port", "forwarding_host", "forwarding_port")
    missing = ", ".join(f"data must have required property '{name}'" for name in names)
    assert api.refused("POST", STREAMS, {}) == (400, missing)
    limits = "data/incoming_port must be >= 1, data/forwarding_port must be <= 65535"
    assert api.refused("POST", STREAMS, to(65536, 0)) == (400, limits)
    for change in ({"enabled": True}, {"ssl_forced": True}, {"advanced_config": ""}):
        assert api.refused("POST", STREAMS, to(9, ports[0], **change)) == (400, NAMELESS)


@pytest.mark.since("2.13.0")
def test_names_are_taken_by_a_post_and_not_kept(api: Api, ports: list[int]) -> None:
    row = api.make(STREAMS, to(9, ports[0], domain_names=[domain("a")]))

    assert "domain_names" not in row
    path = f"{STREAMS}/{row['id']}"
    assert api.refused("PUT", path, {"domain_names": [domain("a")]}) == (400, NAMELESS)
    few = "data must NOT have fewer than 1 properties"
    assert api.refused("PUT", path, {}) == (400, few)


@pytest.mark.every_version
@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("[::1]", ""),
        ("::1", 'invalid port in upstream "::1:9"'),
        ("nope.invalid", 'host not found in upstream "nope.invalid"'),
        ("a b;", 'invalid number of arguments in "proxy_pass" directive'),
    ],
)
def test_where_to(api: Api, ports: list[int], host: str, expected: str) -> None:
    row = api.make(STREAMS, to(9, ports[0], forwarding_host=host))

    assert said(row) == expected
    assert row["meta"]["nginx_online"] is not bool(expected)


@pytest.mark.since("2.12.3")
def test_no_host_at_all_is_stored_and_offline(api: Api, ports: list[int]) -> None:
    row = api.make(STREAMS, to(9, ports[0], forwarding_host=""))

    assert said(row) == 'no host in upstream ":9"'


@pytest.mark.every_version
def test_one_port_twice_is_stored_and_offline(api: Api, ports: list[int], upstream: int) -> None:
    api.make(STREAMS, to(upstream, ports[0]))

    second = api.make(STREAMS, to(9, ports[0]))

    assert said(second) == f'duplicate "0.0.0.0:{ports[0]}" address and port pair'
    assert answers(api, ports[0])
    udp = to(9, ports[0], tcp_forwarding=False, udp_forwarding=True)
    assert api.make(STREAMS, udp)["meta"] == ONLINE


@pytest.mark.every_version
def test_a_busy_port_stops_all_reloads_and_nobody_says_so(
    api: Api, upstream: int, closed_port: int
) -> None:
    taken = api.make(STREAMS, to(9, upstream))

    assert taken["meta"] == ONLINE
    row = api.host(domain("a"), forward_port=upstream)
    assert row["meta"] == ONLINE
    assert api.is_default(domain("a"))
    assert api.call("DELETE", f"{STREAMS}/{taken['id']}").json() is True
    assert api.visit(domain("a")).status_code == 200


@pytest.mark.every_version
def test_npms_own_ports_are_busy(api: Api, upstream: int) -> None:
    taken = api.make(STREAMS, to(9, 81))

    assert taken["meta"] == ONLINE
    api.host(domain("a"), forward_port=upstream)
    assert api.is_default(domain("a"))


@pytest.mark.every_version
def test_disable_and_enable(api: Api, ports: list[int], upstream: int) -> None:
    row = api.make(STREAMS, to(upstream, ports[0]))
    path, noun = f"{STREAMS}/{row['id']}", "Stream" if api.version >= (2, 12, 3) else "Host"

    assert api.act(STREAMS, row["id"], "disable") is True
    assert not answers(api, ports[0])
    assert api.refused("POST", f"{path}/disable") == (400, f"{noun} is already disabled")
    assert api.act(STREAMS, row["id"], "enable") is True
    assert answers(api, ports[0])
    assert api.refused("POST", f"{path}/enable") == (400, f"{noun} is already enabled")


@pytest.mark.every_version
def test_an_update_while_it_is_disabled(api: Api, ports: list[int], upstream: int) -> None:
    row = api.make(STREAMS, to(9, ports[0]))
    api.act(STREAMS, row["id"], "disable")

    changed = api.put(STREAMS, row["id"], forwarding_port=upstream)

    assert (bool(changed["enabled"]), changed["meta"]) == (False, ONLINE)
    assert answers(api, ports[0]) is (api.version < (2, 12, 0))


@pytest.mark.every_version
def test_meta_is_kept(api: Api, ports: list[int]) -> None:
    row = api.make(STREAMS, to(9, ports[0], meta={"mine": 1}))

    assert row["meta"] == {"mine": 1, **ONLINE}
    assert api.put(STREAMS, row["id"], forwarding_port=8)["meta"] == {"mine": 1, **ONLINE}
    assert api.put(STREAMS, row["id"], meta={"new": 1})["meta"] == {"new": 1, **ONLINE}


@pytest.mark.every_version
def test_the_list_is_in_the_order_of_ports_and_searched_by_them(api: Api, ports: list[int]) -> None:
    for port in ports:
        api.make(STREAMS, to(9, port))

    assert [row["incoming_port"] for row in api.rows(STREAMS)] == ports[::-1]
    found = api.call("GET", f"{STREAMS}?query={ports[0]}").json()
    assert [row["incoming_port"] for row in found] == [ports[0]]
    assert api.call("GET", f"{STREAMS}?expand=access_list").status_code == 500


@pytest.mark.every_version
def test_a_deleted_one_is_gone(api: Api, ports: list[int], upstream: int) -> None:
    row = api.make(STREAMS, to(upstream, ports[0]))
    count = api.call("GET", "/reports/hosts").json()["stream"]

    assert api.call("DELETE", f"{STREAMS}/{row['id']}").json() is True

    assert not answers(api, ports[0])
    assert api.rows(STREAMS) == []
    assert api.call("GET", "/reports/hosts").json()["stream"] == count - 1


@pytest.mark.since("2.12.3")
def test_one_whose_certificate_is_not_there_is_plain(api: Api, ports: list[int]) -> None:
    row = api.make(STREAMS, to(9, ports[0], certificate_id=99999))

    assert (row["certificate_id"], row["meta"]) == (99999, ONLINE)
