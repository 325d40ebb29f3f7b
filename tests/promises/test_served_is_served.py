"""What nginx serves is what NPM says; `apply` returns once it is so, and the daemon watches it."""

import socket
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest

from proxysync.apply.promise import Findings, Promise
from proxysync.apply.site_check import SiteCheck
from proxysync.demo.services import DemoService
from proxysync.health.schedule import phase
from tests.faults import Fault, FaultProxy
from tests.keys import key
from tests.servers import read_request, serving
from tests.world import World, domain, eventually


def seeing(world: World, **more: Any) -> dict[str, Any]:
    """Settings with which the edge is asked; on a real NPM that is the default."""
    sandbox = world.npm.sandbox
    return more if sandbox is None else {**more, "verify": {"url": world.npm.sites_url}}


def many(count: int, toy: DemoService) -> Mapping[str, Any]:
    return {f"site{number}": {"upstream": toy.url} for number in range(count)}


@pytest.fixture
def waited_for(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many hosts were waited for at once, for each time that nginx was waited for."""
    crowds: list[int] = []
    check = SiteCheck.check

    def counted(sites: SiteCheck, promises: Sequence[Promise]) -> Findings:
        crowds.append(len(promises))
        return check(sites, promises)

    monkeypatch.setattr(SiteCheck, "check", counted)
    return crowds


def test_apply_returns_when_all_of_many_creates_answer(
    world: World, services: list[DemoService], waited_for: list[int]
) -> None:
    sandbox = world.npm.sandbox
    count = 20 if sandbox is None else 5
    if sandbox is not None:
        sandbox.reload_lag = 0.3
    world.write(many(count, services[0]), settings=seeing(world))
    world.apply()
    visits = [world.npm.visit(domain(f"site{number}")) for number in range(count) for _ in "123"]
    assert all("one" in text for _, text in visits)
    assert waited_for == [count]


QUICK: Mapping[str, Any] = {"health": {"interval": "1s", "failure_threshold": 2}}


def edge_of(world: World, name: str) -> str:
    proxies = world.call("status", "--format", "json").json["proxies"]
    return str(next(proxy["edge"] for proxy in proxies if proxy["name"] == name))


def told(world: World, event: str, name: str | None = None) -> int:
    return world.event_names(name=name).count(event)


@pytest.fixture
def watched(small_world: World, services: list[DemoService]) -> World:
    """Two sites that are served, and seen to be."""
    small_world.write(
        {"one": {"upstream": services[0].url}, "two": {"upstream": services[1].url}},
        settings={**QUICK, **seeing(small_world)},
    )
    small_world.apply()
    return small_world


def test_run_notices_a_lost_file_and_has_it_served_again(watched: World) -> None:
    sandbox = watched.npm.sandbox
    assert sandbox is not None
    with watched.daemon():
        eventually(lambda: edge_of(watched, "one") == "served")
        sandbox.lose_file(watched.npm.host("one")["id"])
        assert "one" not in watched.npm.visit(domain("one"))[1]
        eventually(lambda: told(watched, "edge.served", "one"))
        assert "one" in watched.npm.visit(domain("one"))[1]
    assert told(watched, "edge.not_served", "one") == 1
    assert told(watched, "edge.served", "one") == 1
    assert told(watched, "edge.not_served", "two") == 0
    watched.assert_in_sync()


OTHERS: Mapping[str, tuple[str, str, Mapping[str, Any]]] = {
    "redirections": ("redirection-hosts", "redirection_host", {"to": "https://x.example.com"}),
    "not_found_hosts": ("dead-hosts", "dead_host", {}),
}


@pytest.mark.parametrize("section", OTHERS)
@pytest.mark.parametrize("health", ["on", "off"])
def test_run_notices_a_lost_file_of_a_host_that_forwards_nothing(
    watched: World, services: list[DemoService], section: str, health: str
) -> None:
    sandbox = watched.npm.sandbox
    assert sandbox is not None
    collection, table, entry = OTHERS[section]
    watched.write(
        {"one": {"upstream": services[0].url, **({"health": "off"} if health == "off" else {})}},
        settings={**QUICK, **seeing(watched), "max_delete": 5},
        **{section: {"old": {"domains": [domain("old")], **entry}}},
    )
    watched.apply()
    answer = watched.npm.visit(domain("old"))
    [row] = watched.npm.call("GET", f"/nginx/{collection}")
    with watched.daemon():
        eventually(lambda: edge_of(watched, "old") == "served")
        sandbox.lose_file(row["id"], table)
        assert watched.npm.visit(domain("old")) != answer
        eventually(lambda: told(watched, "edge.served", "old"))
        assert watched.npm.visit(domain("old")) == answer
    assert told(watched, "edge.not_served", "old") == 1
    assert told(watched, "health.changed", "old") == 0
    watched.assert_in_sync()


def test_run_notices_an_old_file_that_leads_elsewhere(
    watched: World, services: list[DemoService]
) -> None:
    sandbox = watched.npm.sandbox
    assert sandbox is not None
    # A service that is well, and one that is not there.
    elsewhere = {"one": services[2].port, "two": 1}
    with watched.daemon():
        for name in elsewhere:
            eventually(lambda name=name: edge_of(watched, name) == "served")  # type: ignore[misc]
        for name, port in elsewhere.items():
            sandbox.keep_old_file(watched.npm.host(name)["id"], forward_port=port)
            assert name not in watched.npm.visit(domain(name))[1]
        for name in elsewhere:
            eventually(lambda name=name: told(watched, "edge.not_served", name))  # type: ignore[misc]
            eventually(lambda name=name: name in watched.npm.visit(domain(name))[1])  # type: ignore[misc]
            eventually(lambda name=name: told(watched, "edge.served", name))  # type: ignore[misc]
    assert [told(watched, "edge.not_served", name) for name in elsewhere] == [1, 1]


@pytest.mark.usefixtures("impatient")
def test_apply_rolls_back_only_the_one_of_many_that_got_worse(
    small_world: World, services: list[DemoService]
) -> None:
    settings = seeing(small_world)
    entries = {toy.text: {"upstream": toy.url} for toy in services}
    small_world.write(entries, settings=settings)
    small_world.apply()
    worse = {**entries["two"], "advanced_config": "return 503;"}
    changed = {name: {**entry, "websockets": True} for name, entry in entries.items()}
    small_world.write({**changed, "two": worse}, settings=settings)
    done = small_world.call("apply", "--yes", "--format", "json")
    results = {one["name"]: one["result"] for one in done.json["outcomes"]}
    assert results == {"one": "done", "two": "failed", "three": "done"}
    assert small_world.npm.visit(domain("two"))[0] == 200
    assert small_world.npm.host("one")["allow_websocket_upgrade"]


@pytest.mark.usefixtures("impatient")
def test_apply_is_not_over_while_nginx_does_not_serve_what_npm_says(
    watched: World, services: list[DemoService]
) -> None:
    sandbox = watched.npm.sandbox
    assert sandbox is not None
    watched.env["PROXYSYNC_NPM_URL"] = sandbox.url
    entries = {toy.text: {"upstream": toy.url} for toy in services}
    watched.write(entries, settings=seeing(watched))
    sandbox.loses_files = True
    done = watched.call("apply", "--yes")
    assert done.code == 1
    assert "does not serve three" in done.out
    assert edge_of(watched, "three") == "not_served"
    assert watched.plan()["changes"][0]["name"] == "three"
    sandbox.loses_files = False
    watched.apply()
    assert edge_of(watched, "three") == "served"
    assert watched.event_names(name="three").count("edge.not_served") == 1
    assert watched.event_names(name="three").count("edge.served") == 1
    watched.assert_in_sync()


def test_apply_says_that_it_could_not_look(small_world: World, services: list[DemoService]) -> None:
    small_world.write(
        {"one": {"upstream": services[0].url}},
        settings={"verify": {"url": "http://127.0.0.1:1"}},
    )
    done = small_world.call("apply", "--yes", "--format", "json")
    assert done.code == 0
    assert "nobody could look" in done.err
    assert done.json["unseen"]
    small_world.write(
        {"one": {"upstream": services[1].url}},
        settings={"verify": {"url": "http://127.0.0.1:1"}},
    )
    small_world.apply()
    assert told(small_world, "edge.unreachable") == 1
    assert edge_of(small_world, "one") == "unknown"


@pytest.mark.usefixtures("impatient")
def test_apply_concludes_nothing_from_a_server_that_is_not_npms(
    small_world: World, services: list[DemoService]
) -> None:
    settings = {"verify": {"url": services[2].url}}
    small_world.write({"one": {"upstream": services[0].url}}, settings=settings)
    done = small_world.call("apply", "--yes")
    assert done.code == 0
    assert "as if it knew none of NPM's sites" in done.err


def test_apply_asks_nobody_where_verify_is_off(
    small_world: World, services: list[DemoService]
) -> None:
    small_world.write({"one": {"upstream": services[0].url}}, settings={"verify": "off"})
    small_world.apply()
    assert edge_of(small_world, "one") == "unknown"
    assert not [event for event in small_world.event_names() if event.startswith("edge.")]


def test_adopt_returns_when_the_site_is_served(world: World, services: list[DemoService]) -> None:
    world.npm.add_host(domain("one"), port=1)
    world.write({"one": {"upstream": services[0].url}}, settings=seeing(world))
    done = world.call("adopt", "one", "--yes")
    assert done.code == 0, done.out
    assert all("one" in world.npm.visit(domain("one"))[1] for _ in range(5))
    assert edge_of(world, "one") == "served"


@pytest.mark.usefixtures("impatient")
def test_rollback_returns_when_the_site_is_served(
    world: World, services: list[DemoService]
) -> None:
    for toy in services[:2]:
        world.write({"one": {"upstream": toy.url}}, settings=seeing(world))
        world.apply()
    done = world.call("rollback", "--yes")
    assert done.code == 0, done.out
    assert all("one" in world.npm.visit(domain("one"))[1] for _ in range(5))


def test_apply_returns_when_a_moved_domain_is_served_by_its_new_host(
    world: World, services: list[DemoService]
) -> None:
    one, two, _ = services
    both = {"domains": [domain("one"), domain("moved")], "upstream": one.url}
    world.write({"one": both}, settings=seeing(world))
    world.apply()
    taker = {"domains": [domain("moved")], "upstream": two.url}
    world.write({"one": {"upstream": one.url}, "taker": taker}, settings=seeing(world))
    world.apply()
    assert all("two" in world.npm.visit(domain("moved"))[1] for _ in range(5))
    world.assert_in_sync()


def test_apply_returns_when_a_wildcard_is_served(world: World, services: list[DemoService]) -> None:
    one, two, _ = services
    entries = {
        "wild": {"domains": ["*." + domain("wild")], "upstream": one.url},
        "exact": {"domains": ["exact." + domain("wild")], "upstream": two.url},
    }
    world.write(entries, settings=seeing(world))
    world.apply()
    for _ in range(5):
        assert "one" in world.npm.visit("any." + domain("wild"))[1]
        assert "two" in world.npm.visit("exact." + domain("wild"))[1]


def test_apply_takes_a_site_behind_a_password_for_served(
    small_world: World, services: list[DemoService]
) -> None:
    sandbox = small_world.npm.sandbox
    assert sandbox is not None
    sandbox.reload_lag = 0.3
    sandbox.add_access_list("staff", items=[{"username": "anna", "password": "pw"}])
    entry = {"upstream": services[0].url, "access_list": "staff"}
    small_world.write({"one": entry}, settings=seeing(small_world))
    small_world.apply()
    assert {small_world.npm.visit(domain("one"))[0] for _ in range(5)} == {401}
    assert edge_of(small_world, "one") == "served"


def test_run_notices_a_lost_file_under_a_wildcard(
    small_world: World, services: list[DemoService]
) -> None:
    one, two, _ = services
    entries = {
        "wild": {"domains": ["*." + domain("wild")], "upstream": one.url},
        "exact": {"domains": ["exact." + domain("wild")], "upstream": two.url},
    }
    small_world.write(entries, settings={**QUICK, **seeing(small_world)})
    small_world.apply()
    sandbox = small_world.npm.sandbox
    assert sandbox is not None
    with small_world.daemon():
        eventually(lambda: edge_of(small_world, "exact") == "served")
        sandbox.lose_file(small_world.npm.host("exact")["id"])
        eventually(lambda: told(small_world, "edge.served", "exact"))
        assert "two" in small_world.npm.visit("exact." + domain("wild"))[1]


def test_run_says_nothing_of_a_site_that_is_off_or_protected_or_has_a_mind_of_its_own(
    small_world: World, services: list[DemoService]
) -> None:
    sandbox = small_world.npm.sandbox
    assert sandbox is not None
    sandbox.add_access_list("staff", items=[{"username": "anna", "password": "pw"}])
    entries = {
        "off": {"upstream": services[0].url, "enabled": False},
        "staff": {"upstream": services[0].url, "access_list": "staff"},
        "own": {"upstream": services[1].url, "advanced_config": "return 503;"},
        "unwatched": {"upstream": services[2].url, "health": "off"},
    }
    small_world.write(entries, settings={**QUICK, **seeing(small_world)})
    small_world.apply()
    with small_world.daemon():
        eventually(lambda: edge_of(small_world, "staff") == "served")
        eventually(lambda: edge_of(small_world, "own") == "served")
        assert edge_of(small_world, "off") == "unknown"
        assert edge_of(small_world, "unwatched") == "unknown"
    assert not [event for event in small_world.event_names() if event.startswith("edge.")]


def test_run_says_once_that_the_edge_cannot_be_reached(
    watched: World, services: list[DemoService]
) -> None:
    sandbox = watched.npm.sandbox
    assert sandbox is not None
    with watched.daemon():
        eventually(lambda: edge_of(watched, "one") == "served")
        sandbox.stop_sites()
        eventually(lambda: told(watched, "edge.unreachable"))
        eventually(lambda: edge_of(watched, "one") == "unknown")
        sandbox.start_sites()
        eventually(lambda: told(watched, "edge.reachable"))
        eventually(lambda: edge_of(watched, "one") == "served")
    assert told(watched, "edge.unreachable") == 1
    assert told(watched, "edge.not_served") == 0


class Killed(BaseException):
    """Stands for a kill: nobody handles it."""


def kill_before_visitors_are_asked(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def die(*_: object) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr("proxysync.apply.site_check.SiteCheck.check", die)
        with pytest.raises(Killed):
            world.call("apply", "--yes")


@pytest.mark.usefixtures("impatient")
def test_stop_before_visitors_were_asked_puts_back_a_site_that_got_worse(
    small_world: World, services: list[DemoService], monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = seeing(small_world)
    entry = {"upstream": services[0].url}
    small_world.write({"one": entry}, settings=settings)
    small_world.apply()
    small_world.write({"one": {**entry, "advanced_config": "return 503;"}}, settings=settings)
    kill_before_visitors_are_asked(small_world, monkeypatch)
    assert small_world.npm.visit(domain("one"))[0] == 503
    done = small_world.call("apply", "--yes")
    assert done.code == 1
    assert "answered before" in done.out
    assert small_world.npm.visit(domain("one"))[0] == 200


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("new", [True, False])
def test_stop_before_visitors_were_asked_closes_a_site_that_was_left_open(
    small_world: World, services: list[DemoService], monkeypatch: pytest.MonkeyPatch, new: bool
) -> None:
    sandbox = small_world.npm.sandbox
    assert sandbox is not None
    sandbox.add_access_list("staff", items=[{"username": "anna", "password": "pw"}])
    settings = seeing(small_world)
    entry = {"upstream": services[0].url, "access_list": "staff"}
    if not new:
        small_world.write({"one": entry}, settings=settings)
        small_world.apply()
    open_to_all = "location / { proxy_pass $forward_scheme://$server:$port; }"
    small_world.write({"one": {**entry, "advanced_config": open_to_all}}, settings=settings)
    # As with text that opens only the site's own name, which a throwaway host cannot show.
    monkeypatch.setattr(SiteCheck, "lets_strangers_in", lambda *_: None)
    kill_before_visitors_are_asked(small_world, monkeypatch)
    assert "one" in small_world.npm.visit(domain("one"))[1]
    small_world.call("apply", "--yes")
    assert "one" not in small_world.npm.visit(domain("one"))[1]


@pytest.mark.usefixtures("impatient")
def test_npm_that_fails_while_a_site_is_put_back_has_it_put_back_later(
    small_world: World, services: list[DemoService]
) -> None:
    settings = seeing(small_world)
    entry = {"upstream": services[0].url}
    small_world.write({"one": entry}, settings=settings)
    small_world.apply()
    small_world.write({"one": {**entry, "websockets": True}}, settings=settings)
    worse = {**entry, "upstream": services[1].url, "websockets": True}
    small_world.write({"one": worse}, settings=settings)
    services[1].stop()
    small_world.write({"one": worse}, settings={**settings, "validation": {"mode": "off"}})
    with FaultProxy(small_world.npm.url) as proxy:
        small_world.env["PROXYSYNC_NPM_URL"] = proxy.url
        proxy.inject(Fault.ERROR_500_WITHOUT_EFFECT, method="PUT", nth=2)
        assert small_world.call("apply", "--yes").code == 1
        assert small_world.npm.visit(domain("one"))[0] == 502
        done = small_world.call("apply", "--yes")
        assert done.code == 1
        assert "answered before" in done.out
        assert "one" in small_world.npm.visit(domain("one"))[1]


def test_npm_that_was_away_has_all_sites_looked_at_again(
    small_world: World, services: list[DemoService]
) -> None:
    # By itself this one is looked at 27 s after the start, and then after an hour.
    late = next(name for name in map("site{}".format, range(999)) if phase(key(name)) > 0.9)
    settings = {"resync_interval": "1s", "health": {"interval": "1h"}, **seeing(small_world)}
    small_world.write({late: {"upstream": services[0].url}}, settings=settings)
    small_world.apply()
    sandbox = small_world.npm.sandbox
    assert sandbox is not None
    with FaultProxy(small_world.npm.url) as proxy:
        small_world.env["PROXYSYNC_NPM_URL"] = proxy.url
        with small_world.daemon():
            proxy.inject(Fault.REFUSE, times=None)
            eventually(lambda: any(e.startswith("npm.") for e in small_world.event_names()))
            sandbox.lose_file(small_world.npm.host(late)["id"])
            proxy.lift()
            eventually(lambda: told(small_world, "npm.back"))
            eventually(lambda: told(small_world, "edge.served", late), patience=12)
    assert told(small_world, "edge.not_served", late) == 1


def test_run_watches_a_site_that_is_on_https_only(
    small_world: World, services: list[DemoService]
) -> None:
    sandbox = small_world.npm.sandbox
    assert sandbox is not None
    # By the API: the sandbox's own short way makes none that could serve a handshake.
    replace(small_world.npm, sandbox=None).add_certificate("tests", domain("one"))
    settings = {**QUICK, "verify": {"url": sandbox.https_url}}
    entries = {
        "one": {"upstream": services[0].url, "certificate": "tests", "force_ssl": True},
        "two": {"upstream": services[1].url},
    }
    small_world.write(entries, settings=settings)
    small_world.apply()
    assert edge_of(small_world, "one") == "served"
    assert edge_of(small_world, "two") == "unknown"  # it has no certificate
    with small_world.daemon():
        eventually(lambda: edge_of(small_world, "one") == "served")
        sandbox.lose_file(small_world.npm.host("one")["id"])
        eventually(lambda: told(small_world, "edge.served", "one"))
    assert told(small_world, "edge.not_served") == 1


def page(number: int, request: bytes) -> bytes:
    """One that changes with each request, or depends on who asks, as some services' do."""
    asker = [line for line in request.split(b"\r\n") if line.lower().startswith(b"x-")]
    return b"visitor %d" % number if number % 2 else b"|".join(asker)


@pytest.mark.parametrize("asks", [lambda n: 2 * n + 1, lambda _: 0], ids=["counts", "echoes"])
def test_run_concludes_nothing_from_a_page_that_cannot_be_compared(
    small_world: World, asks: Callable[[int], int]
) -> None:
    def talk(connection: socket.socket) -> None:
        request = read_request(connection)
        requests.append(request)
        body = page(asks(len(requests)), request)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)

    requests: list[bytes] = []
    with serving(talk) as server:
        entry = {"upstream": f"http://127.0.0.1:{server.port}"}
        small_world.write({"one": entry}, settings={**QUICK, **seeing(small_world)})
        small_world.apply()
        with small_world.daemon():
            begin = len(requests)
            eventually(lambda: len(requests) > begin + 12)  # three checks at least
            assert edge_of(small_world, "one") == "served"
    assert not [event for event in small_world.event_names() if event.startswith("edge.")]


@pytest.mark.usefixtures("impatient")
def test_npm_that_loses_what_was_only_written_again_makes_the_entry_no_failure(
    small_world: World, services: list[DemoService], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A repair changes nothing, so that there is nothing to put back, and nothing to blame."""
    sandbox = small_world.npm.sandbox
    assert sandbox is not None
    settings = seeing(small_world)
    for toy in services[:2]:
        small_world.write({"one": {"upstream": toy.url}}, settings=settings)
        with FaultProxy(sandbox.url) as proxy:
            small_world.env["PROXYSYNC_NPM_URL"] = proxy.url
            if toy is services[1]:
                proxy.inject(Fault.ERROR_500_WITH_EFFECT, method="PUT")
            small_world.call("apply", "--yes")
    small_world.env["PROXYSYNC_NPM_URL"] = sandbox.url
    check = SiteCheck.check

    def check_late(*arguments: Any) -> Any:
        sandbox.keep_old_file(small_world.npm.host("one")["id"], forward_port=1)
        return check(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(SiteCheck, "check", check_late)
        assert small_world.call("apply", "--yes").code == 1
    assert edge_of(small_world, "one") == "not_served"
    small_world.apply()
    assert "two" in small_world.npm.visit(domain("one"))[1]
    assert told(small_world, "proxy.failed") == 0
