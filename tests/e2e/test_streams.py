"""Streams as a whole: what happens to a host happens to a port, and no port stops all others.

On the sandbox and, marked `live`, on a real NPM.
"""

import http.client
import signal
import socket
import ssl
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest

from proxysync.apply import port_writer
from proxysync.demo.services import DemoService
from tests.faults import Fault, FaultProxy
from tests.signals import signal_at
from tests.world import HOST, IMPATIENT, Done, World, domain, eventually

STREAMS = "/nginx/streams"

pytestmark = pytest.mark.timeout(300)


@pytest.fixture
def busy(impatient: None) -> Iterator[int]:
    """A port that something else on NPM's machine has."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        yield other.getsockname()[1]


def to(service: DemoService, listen: int, **fields: Any) -> dict[str, Any]:
    return {"listen": listen, "upstream": f"127.0.0.1:{urlsplit(service.url).port}", **fields}


def save(world: World, streams: dict[str, Any], **top: Any) -> None:
    world.write(
        top.pop("proxies", {}),
        streams=streams,
        settings={"verify": {"url": world.npm.sites_url}, **top},
    )


def rows(world: World) -> list[dict[str, Any]]:
    return [r for r in world.npm.call("GET", STREAMS) if r["forwarding_host"] == "127.0.0.1"]


def row(world: World, name: str) -> dict[str, Any]:
    (found,) = [r for r in rows(world) if r["meta"].get("proxysync", {}).get("name") == name]
    return found


def answer(port: int) -> str:
    """What comes back through a port; nothing where nobody listens."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/")
        return connection.getresponse().read().decode().strip()
    except (OSError, http.client.HTTPException):
        return ""
    finally:
        connection.close()


def passes_on(port: int, service: DemoService) -> bool:
    direct = urlsplit(service.url).port
    assert direct is not None
    return answer(port) == answer(direct) != ""


def refused(world: World) -> Done:
    done = world.call("apply", "--yes")
    assert done.code == 1, done.out
    return done


def loads(world: World, service: DemoService) -> bool:
    """Whether nginx still loads what NPM writes."""
    added = world.npm.add_host(domain("probe"), port=urlsplit(service.url).port or 0)
    try:
        return any(world.npm.visit(domain("probe"))[0] == 200 for _ in range(40))
    finally:
        world.npm.call("DELETE", f"/nginx/proxy-hosts/{added['id']}")


def canaries(world: World) -> list[str]:
    names = (d for r in world.npm.call("GET", "/nginx/proxy-hosts") for d in r["domain_names"])
    return [name for name in names if name.endswith(".proxysync.invalid")]


def test_made_changed_disabled_renamed_and_deleted(
    world: World, services: list[DemoService], ports: list[int]
) -> None:
    one, two, three = services
    save(world, {"game": to(one, ports[0])})
    world.apply()
    assert passes_on(ports[0], one)
    before = row(world, "game")
    world.assert_in_sync()
    assert canaries(world) == []

    save(world, {"game": to(two, ports[0])})
    world.apply()
    assert passes_on(ports[0], two)
    world.assert_in_sync()

    save(world, {"game": to(two, ports[1], protocols=["tcp", "udp"])})
    world.apply()
    assert passes_on(ports[1], two)
    assert answer(ports[0]) == ""
    assert bool(row(world, "game")["udp_forwarding"])
    world.assert_in_sync()

    save(world, {"game": to(two, ports[1], enabled=False)})
    world.apply()
    assert not row(world, "game")["enabled"]
    assert answer(ports[1]) == ""
    world.assert_in_sync()

    save(world, {"renamed": to(three, ports[1])})
    world.apply()
    assert row(world, "renamed")["id"] == before["id"]
    assert passes_on(ports[1], three)
    world.assert_in_sync()

    save(world, {})
    world.apply("--max-delete", "100%")
    assert rows(world) == []
    eventually(lambda: answer(ports[1]) == "")
    assert canaries(world) == []


def test_one_that_is_off_from_the_start_listens_once_it_is_on(
    world: World, services: list[DemoService], ports: list[int]
) -> None:
    save(world, {"game": to(services[0], ports[0], enabled=False)})
    world.apply()
    assert answer(ports[0]) == ""
    world.assert_in_sync()
    save(world, {"game": to(services[0], ports[0])})
    world.apply()
    assert passes_on(ports[0], services[0])


def test_tls_with_a_certificate(
    world: World, services: list[DemoService], ports: list[int]
) -> None:
    world.npm.add_certificate(domain("tls"), domain("tls"))
    save(world, {"game": to(services[0], ports[0], certificate=domain("tls"))})
    world.apply()
    assert row(world, "game")["certificate_id"]
    world.assert_in_sync()
    if world.npm.sandbox is not None:
        return  # its certificates have no keys
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with (
        socket.create_connection(("127.0.0.1", ports[0]), 5) as plain,
        context.wrap_socket(plain, server_hostname=domain("tls")) as tls,
    ):
        assert tls.getpeercert(binary_form=True)


def test_a_port_that_something_else_has_is_refused_and_stops_no_reload(
    world: World, services: list[DemoService], ports: list[int], busy: int
) -> None:
    save(world, {"bad": to(services[0], busy), "good": to(services[0], ports[0])})
    done = refused(world)
    assert f"something else on NPM's machine has tcp/{busy}" in done.out
    assert [r["incoming_port"] for r in rows(world)] == [ports[0]]
    assert passes_on(ports[0], services[0])
    assert loads(world, services[0])
    assert canaries(world) == []
    states = {
        p["name"]: p["sync"] for p in world.call("status", "--format", "json").json["proxies"]
    }
    assert states == {"bad": "failed", "good": "in sync"}


def test_a_change_to_such_a_port_is_put_back(
    world: World, services: list[DemoService], ports: list[int], busy: int
) -> None:
    save(world, {"game": to(services[0], ports[0])})
    world.apply()
    save(world, {"game": to(services[0], busy)})
    done = refused(world)
    assert "what worked before is back" in done.out
    assert row(world, "game")["incoming_port"] == ports[0]
    assert passes_on(ports[0], services[0])
    assert loads(world, services[0])


def test_what_stopped_all_reloads_already_is_found_where_it_is_our_own(
    world: World, services: list[DemoService], ports: list[int], busy: int
) -> None:
    save(world, {"game": to(services[0], ports[0])})
    world.apply()
    npm_id = row(world, "game")["id"]
    world.npm.call("PUT", f"{STREAMS}/{npm_id}", {"incoming_port": busy})
    world.apply()
    assert row(world, "game")["incoming_port"] == ports[0]
    assert passes_on(ports[0], services[0])
    assert loads(world, services[0])


def test_where_a_foreign_one_stops_all_reloads_nothing_is_written(
    world: World, services: list[DemoService], ports: list[int], busy: int
) -> None:
    save(world, {"game": to(services[0], ports[0])})
    world.apply()
    theirs = {"incoming_port": busy, "forwarding_host": "127.0.0.1", "forwarding_port": 9}
    world.npm.call("POST", STREAMS, {**theirs, "tcp_forwarding": True})
    save(world, {"game": to(services[0], ports[0]), "new": to(services[1], ports[1])})
    done = refused(world)
    assert "nginx loads nothing that NPM writes" in done.out
    assert {r["incoming_port"] for r in rows(world)} == {ports[0], busy}
    assert canaries(world) == []


def test_two_entries_swap_their_ports(
    world: World, services: list[DemoService], ports: list[int]
) -> None:
    one, two, _ = services
    save(world, {"a": to(one, ports[0]), "b": to(two, ports[1])})
    world.apply()
    ids = {row(world, name)["id"] for name in ("a", "b")}
    save(world, {"a": to(one, ports[1]), "b": to(two, ports[0])})
    world.apply()
    assert passes_on(ports[1], one)
    assert passes_on(ports[0], two)
    assert {r["id"] for r in rows(world)} == ids
    world.assert_in_sync()


def test_a_port_goes_from_one_that_leaves_to_a_new_one(
    world: World, services: list[DemoService], ports: list[int]
) -> None:
    one, two, _ = services
    save(world, {"a": to(one, ports[0]), "b": to(two, ports[1])})
    world.apply()
    save(world, {"b": to(two, ports[0])})
    world.apply()
    assert passes_on(ports[0], two)
    assert len(rows(world)) == 1
    world.assert_in_sync()


def test_a_foreign_one_is_a_conflict_until_it_is_adopted(
    world: World, services: list[DemoService], ports: list[int]
) -> None:
    fields = {"incoming_port": ports[0], "forwarding_host": "127.0.0.1", "forwarding_port": 9}
    theirs = world.npm.call("POST", STREAMS, {**fields, "tcp_forwarding": True})
    save(world, {"game": to(services[0], ports[0])})
    done = refused(world)
    assert f"tcp/{ports[0]} is held by stream #{theirs['id']}" in done.out
    assert "proxysync adopt game" in done.out
    assert world.call("adopt", "game", "--yes").code == 0
    assert row(world, "game")["id"] == theirs["id"]
    assert passes_on(ports[0], services[0])
    world.assert_in_sync()


def test_a_state_that_was_lost_takes_nothing_down(
    world: World, services: list[DemoService], ports: list[int]
) -> None:
    save(world, {"a": to(services[0], ports[0]), "b": to(services[1], ports[1])})
    world.apply()
    before = {r["id"] for r in rows(world)}
    for path in world.state.iterdir():
        path.unlink()
    world.apply()
    world.assert_in_sync()
    assert {r["id"] for r in rows(world)} == before
    assert passes_on(ports[0], services[0])


def test_a_name_that_does_not_resolve_never_reaches_npm(world: World, ports: list[int]) -> None:
    bad = {"listen": ports[0], "upstream": "gone.invalid:9", "validation": {"mode": "off"}}
    save(world, {"game": bad})
    done = refused(world)
    assert "gone.invalid does not resolve" in done.out
    assert not [r for r in world.npm.call("GET", STREAMS) if "gone" in r["forwarding_host"]]


def test_drift_is_undone_and_what_was_switched_off_is_on_again(
    world: World, services: list[DemoService], ports: list[int]
) -> None:
    save(world, {"game": to(services[0], ports[0])})
    world.apply()
    npm_id = row(world, "game")["id"]
    world.npm.call("PUT", f"{STREAMS}/{npm_id}", {"forwarding_port": 9})
    world.npm.call("POST", f"{STREAMS}/{npm_id}/disable")
    world.apply()
    assert passes_on(ports[0], services[0])
    world.npm.call("DELETE", f"{STREAMS}/{npm_id}")
    world.apply()
    assert passes_on(ports[0], services[0])


def test_without_verification_it_says_so(
    world: World, services: list[DemoService], ports: list[int]
) -> None:
    save(world, {"game": to(services[0], ports[0])}, verify="off")
    (outcome,) = world.apply()["outcomes"]
    assert outcome["message"] == (
        f"not verified that tcp/{ports[0]} is free on NPM's machine: settings.verify is off"
    )
    assert passes_on(ports[0], services[0])


def test_status_shows_ports_and_rollback_brings_one_back(
    world: World, services: list[DemoService], ports: list[int]
) -> None:
    save(world, {"game": to(services[0], ports[0])})
    world.apply()
    (shown,) = world.call("status", "--format", "json").json["proxies"]
    assert (shown["kind"], shown["sync"]) == ("stream", "in sync")
    assert shown["domains"] == [f"tcp/{ports[0]}"]
    save(world, {})
    world.apply("--max-delete", "100%")
    done = world.call("rollback", "--yes")
    assert done.code == 0, done.out + done.err
    assert passes_on(ports[0], services[0])


def kill_at(world: World, write: int) -> None:
    """Kills an apply once NPM has acted on this one of its writes."""
    done = signal_at(
        world,
        "apply",
        "--yes",
        method="POST|PUT|DELETE",
        path="(?!/tokens).*",
        nth=write,
        first=IMPATIENT,
    )
    assert done.returncode == -signal.SIGKILL


@pytest.mark.parametrize("write", [1, *(pytest.param(n, marks=pytest.mark.long) for n in (2, 3))])
def test_killed_at_any_write_the_next_run_brings_it_in_sync(
    small_world: World, services: list[DemoService], ports: list[int], write: int
) -> None:
    save(small_world, {"game": to(services[0], ports[0])})
    kill_at(small_world, write)
    small_world.apply()
    assert passes_on(ports[0], services[0])
    assert len(rows(small_world)) == 1
    assert canaries(small_world) == []
    small_world.assert_in_sync()


@pytest.mark.parametrize("write", [3, *(pytest.param(n, marks=pytest.mark.long) for n in (2, 4))])
def test_killed_with_a_port_that_is_taken_the_next_run_is_rid_of_it(
    small_world: World, services: list[DemoService], busy: int, write: int
) -> None:
    save(small_world, {"game": to(services[0], busy)})
    kill_at(small_world, write)
    refused(small_world)
    assert rows(small_world) == []
    assert loads(small_world, services[0])
    assert canaries(small_world) == []


def test_where_the_throwaway_host_may_still_be_there_it_is_unconfirmed(
    small_world: World, services: list[DemoService], ports: list[int]
) -> None:
    save(small_world, {"game": to(services[0], ports[0])})
    with FaultProxy(small_world.npm.url) as proxy:
        proxy.inject(Fault.ERROR_500_WITHOUT_EFFECT, method="DELETE", path=HOST)
        done = small_world.call("apply", "--yes", env={"PROXYSYNC_NPM_URL": proxy.url})
    assert done.code == 1
    assert "so that it is not known whether nginx has loaded it" in done.out
    small_world.apply()
    assert canaries(small_world) == []
    assert passes_on(ports[0], services[0])
    small_world.assert_in_sync()


@pytest.mark.usefixtures("impatient")
def test_an_edge_that_is_not_npms_proves_nothing_and_refuses_nothing(
    small_world: World, services: list[DemoService], ports: list[int]
) -> None:
    save(small_world, {"game": to(services[0], ports[0])}, verify={"url": services[2].url})
    (outcome,) = small_world.apply()["outcomes"]
    assert "does not show what nginx loads" in outcome["message"]
    assert passes_on(ports[0], services[0])
    assert canaries(small_world) == []


def test_one_of_which_nothing_is_known_that_worked_is_disabled(
    small_world: World, services: list[DemoService], busy: int
) -> None:
    theirs = {"incoming_port": busy, "forwarding_host": "nope.invalid", "forwarding_port": 9}
    small_world.npm.call("POST", STREAMS, {**theirs, "tcp_forwarding": True})
    save(small_world, {"game": to(services[0], busy)})
    done = small_world.call("adopt", "game", "--yes")
    assert done.code == 1
    assert "it is disabled until then" in done.out
    assert not row(small_world, "game")["enabled"]
    assert loads(small_world, services[0])


def test_one_that_is_offline_is_not_tried_on_a_throwaway_stream_which_shows_nothing(
    small_world: World, services: list[DemoService], ports: list[int]
) -> None:
    theirs = {"incoming_port": ports[0], "forwarding_host": "nope.invalid", "forwarding_port": 9}
    small_world.npm.call("POST", STREAMS, {**theirs, "tcp_forwarding": True})
    save(small_world, {"game": to(services[0], ports[0])})
    assert small_world.npm.sandbox is not None
    small_world.npm.sandbox.writes.clear()
    assert small_world.call("adopt", "game", "--yes").code == 0
    assert passes_on(ports[0], services[0])
    assert ("POST", STREAMS) not in small_world.npm.sandbox.writes


def test_a_port_that_is_not_reached_is_told(
    small_world: World,
    services: list[DemoService],
    ports: list[int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(port_writer, "_connects", lambda *_: False)
    save(small_world, {"game": to(services[0], ports[0])})
    (outcome,) = small_world.apply()["outcomes"]
    assert f"tcp/{ports[0]} is not reached at 127.0.0.1: publish it" in outcome["message"]


def test_its_health_is_whether_tcp_connects(
    small_world: World, services: list[DemoService], ports: list[int]
) -> None:
    health = {"interval": "1s", "failure_threshold": 1}
    save(small_world, {"game": to(services[0], ports[0], health=health)})
    small_world.apply()
    with small_world.daemon():

        def standing() -> str:
            (shown,) = small_world.call("status", "--format", "json").json["proxies"]
            return str(shown["health"])

        eventually(lambda: standing() == "healthy")
        services[0].stop()
        eventually(lambda: standing() == "unhealthy")
        (told,) = [e for e in small_world.events() if e["data"].get("to") == "unhealthy"]
        assert (told["kind"], told["name"]) == ("stream", "game")


def test_a_port_is_not_kept_for_one_that_cannot_take_it(
    small_world: World, services: list[DemoService], ports: list[int]
) -> None:
    save(small_world, {"a": to(services[0], ports[0])})
    small_world.apply()
    blocked = {"listen": ports[0], "upstream": "gone.invalid:9"}
    save(small_world, {"a": to(services[0], ports[1]), "b": blocked})
    refused(small_world)
    assert passes_on(ports[1], services[0])
    assert [r["incoming_port"] for r in rows(small_world)] == [ports[1]]


@pytest.mark.parametrize("npm", [pytest.param("real", marks=pytest.mark.live)], indirect=True)
@pytest.mark.parametrize("protocols", [["udp"], ["tcp", "udp"]])
def test_a_udp_port_that_something_else_has_is_refused(
    world: World, services: list[DemoService], protocols: list[str]
) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("127.0.0.1", 0))
        port = other.getsockname()[1]
        save(world, {"bad": to(services[0], port, protocols=protocols)})
        assert f"udp/{port}" in refused(world).out
        assert rows(world) == []
        assert loads(world, services[0])
        assert canaries(world) == []
