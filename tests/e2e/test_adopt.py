"""Taking over hosts that somebody else made."""

import shutil
from typing import Any

import pytest

from proxysync.demo.services import DemoService
from tests.world import World, domain


def test_a_foreign_host_is_taken_over_and_keeps_its_id(
    world: World, services: list[DemoService]
) -> None:
    one, two, _ = services
    theirs = world.npm.add_host(domain("one"), port=two.port, meta={"letter": "kept"})
    untouched = world.npm.add_host(domain("other"))
    world.write({"one": {"upstream": one.url}, "new": {"upstream": two.url}})
    plan = world.call("plan")
    assert "proxysync adopt one" in plan.out

    done = world.call("adopt", "one", "--yes")
    assert done.code == 0, done.out + done.err
    row = world.npm.host("one")
    assert (row["id"], row["forward_port"], row["meta"]["letter"]) == (
        theirs["id"],
        one.port,
        "kept",
    )
    assert untouched in world.npm.hosts()
    assert len(world.npm.hosts()) == 2, "adopt makes nothing new"
    world.apply()
    world.assert_in_sync()


def writes(world: World) -> list[tuple[str, str]]:
    """What the sandbox was asked to do to hosts so far."""
    assert world.npm.sandbox is not None
    return [
        (method, path)
        for method, path in world.npm.sandbox.requests
        if method != "GET" and path.startswith("/nginx/")
    ]


def as_it_is(port: int, **fields: Any) -> dict[str, Any]:
    return {"upstream": f"http://127.0.0.1:{port}", **fields}


def test_what_is_as_the_file_says_is_taken_over_without_a_write(small_world: World) -> None:
    for name, port, enabled in (("on", 7, True), ("off", 8, False), ("other", 9, True)):
        small_world.npm.add_host(domain(name), port=port, enabled=enabled)
    rows, before = small_world.npm.hosts(), writes(small_world)
    small_world.write({"on": as_it_is(7), "off": as_it_is(8, enabled=False), "other": as_it_is(5)})
    done = small_world.call("adopt", "on", "off", "--yes")
    assert done.code == 0, done.out + done.err
    assert (writes(small_world), small_world.npm.hosts()) == (before, rows)

    small_world.write(
        {"on": as_it_is(7), "renamed": as_it_is(8, domains=[domain("off")], enabled=False)}
    )
    small_world.apply()
    small_world.assert_in_sync()
    assert writes(small_world) == before, "and renamed without one"
    small_world.write({"on": as_it_is(6)}, settings={"validation": {"mode": "off"}})
    small_world.apply("--max-delete", "100%")
    ids = {row["domain_names"][0]: row["id"] for row in rows}
    assert (small_world.npm.host("on")["id"], small_world.npm.host("on")["forward_port"]) == (
        ids[domain("on")],
        6,
    )
    assert {row["id"] for row in small_world.npm.hosts()} == {
        ids[domain("on")],
        ids[domain("other")],
    }


def test_state_lost_what_never_was_written_is_taken_over_once_more(small_world: World) -> None:
    small_world.npm.add_host(domain("one"), port=7)
    small_world.write({"one": as_it_is(7)})
    assert small_world.call("adopt", "--all", "--yes").code == 0
    before = writes(small_world)
    shutil.rmtree(small_world.state)
    assert [change["action"] for change in small_world.plan()["changes"]] == ["conflict"]
    assert small_world.call("adopt", "--all", "--yes").code == 0
    small_world.assert_in_sync()
    assert writes(small_world) == before


def test_a_host_of_another_instance_gets_our_marker_though_nothing_else_differs(
    small_world: World,
) -> None:
    small_world.write(
        {"one": as_it_is(7)}, settings={"instance": "theirs", "validation": {"mode": "off"}}
    )
    small_world.apply()
    small_world.write({"one": as_it_is(7)})
    assert small_world.call("adopt", "one", "--yes").code == 0
    assert small_world.npm.host("one")["meta"]["proxysync"]["instance"] == "default"


def test_a_person_is_shown_all_of_it_asked_once_and_told_how_many(small_world: World) -> None:
    names = ["a", "b", "c"]
    for port, name in enumerate(names, start=7):
        small_world.npm.add_host(domain(name), port=port)
    assert small_world.npm.sandbox is not None
    small_world.npm.sandbox.add_redirection_host([domain("other-kind")])
    off = {"enabled": False}
    small_world.write(
        {"a": as_it_is(7), "b": as_it_is(8), "c": as_it_is(6, **off), "other-kind": as_it_is(5)}
    )
    for answer, code in (("n\n", 1), ("y\n", 1)):
        done = small_world.call("adopt", "--all", typed=answer)
        assert (done.code, done.err.count("[y/N]")) == (code, 1), done.out + done.err
        assert "Take over 3 hosts?" in done.err
        assert "upstream: http://127.0.0.1:9 → http://127.0.0.1:6" in done.out
    assert "taken over: 3; 1 could not be: other-kind\n" in done.out
    assert "[1/3]" not in done.err, "progress is for a terminal"


def test_progress_counts_on_a_terminal(
    small_world: World, services: list[DemoService], monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    monkeypatch.setattr("proxysync.cli.terminal.step", told.append)
    for name in ("a", "b"):
        small_world.npm.add_host(domain(name), port=7)
    small_world.write({"a": as_it_is(7), "b": as_it_is(7)})
    done = small_world.call("adopt", "b", "a", "--yes", "--format", "json")
    assert told == ["[1/2] adopt a", "[2/2] adopt b"]
    assert done.json["taken_over"] == [{"kind": "proxy", "name": name} for name in ("a", "b")]
    assert done.json["not_taken_over"] == []


def test_all_takes_nothing_that_another_proxysync_manages(small_world: World) -> None:
    theirs = {"proxysync": {"name": "theirs", "instance": "other"}}
    small_world.npm.add_host(domain("theirs"), port=7, meta=theirs)
    small_world.npm.add_host(domain("mine"), port=8)
    small_world.write({"theirs": as_it_is(7), "mine": as_it_is(8)})
    done = small_world.call("adopt", "--all", "--yes")
    assert (done.code, "taken over: 1; 1 could not be: theirs" in done.out) == (1, True)
    rows = {row["domain_names"][0]: row["meta"] for row in small_world.npm.hosts()}
    assert rows[domain("theirs")]["proxysync"] == theirs["proxysync"]
    assert small_world.call("adopt", "theirs", "--yes").code == 0
    small_world.assert_in_sync()


def test_adopt_needs_a_name_of_the_file_or_all(
    small_world: World, services: list[DemoService]
) -> None:
    small_world.npm.add_host(domain("one"))
    small_world.write({"one": {"upstream": services[0].url}})
    assert small_world.call("adopt", "--yes").code == 1
    assert "no entry named nobody" in small_world.call("adopt", "nobody", "--yes").err
    assert small_world.call("adopt", "--all", "--yes").code == 0
    small_world.assert_in_sync()


def test_a_host_of_another_type_cannot_be_adopted(
    small_world: World, services: list[DemoService]
) -> None:
    assert small_world.npm.sandbox is not None
    small_world.npm.sandbox.add_redirection_host([domain("one")])
    small_world.write({"one": {"upstream": services[0].url}})
    done = small_world.call("adopt", "one", "--yes")
    assert done.code == 1
    assert "redirection host" in done.out


def test_a_takeover_takes_along_what_frees_the_domains_that_it_needs(
    world: World, services: list[DemoService]
) -> None:
    one, two, three = services
    a, b, c, d = (domain(name) for name in "abcd")
    world.write(
        {
            "two": {"domains": [b, c], "upstream": two.url},
            "three": {"domains": [d], "upstream": three.url},
        }
    )
    world.apply()
    world.npm.add_host(a, port=three.port)
    world.write(
        {
            "one": {"domains": [a, b], "upstream": one.url},
            "two": {"domains": [c, d], "upstream": two.url},
            "three": {"domains": [domain("e")], "upstream": three.url},
            "new": {"domains": [domain("f")], "upstream": three.url},
        }
    )
    done = world.call("adopt", "one", "--yes")
    assert done.code == 0, done.out + done.err
    hosts = {row["meta"]["proxysync"]["name"]: row["domain_names"] for row in world.npm.hosts()}
    assert hosts == {"one": [a, b], "two": [c, d], "three": [domain("e")]}
