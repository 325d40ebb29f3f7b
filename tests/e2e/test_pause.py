"""A pause: the daemon writes nothing, goes on watching, and catches up when it is over."""

import time

import pytest

from proxysync.demo.services import DemoService
from tests.world import World, domain, eventually


@pytest.fixture
def one(small_world: World, services: list[DemoService]) -> World:
    small_world.write({"one": {"upstream": services[0].url}})
    return small_world


def shows(world: World, word: str) -> bool:
    return word in world.npm.visit(domain("one"))[1]


def test_a_paused_daemon_writes_nothing_until_it_is_resumed(
    one: World, services: list[DemoService]
) -> None:
    with one.daemon():
        eventually(lambda: shows(one, "one"))
        done = one.call("pause")
        assert done.out.startswith("Paused for now: the daemon writes nothing; ")
        eventually(lambda: "daemon.paused" in one.event_names())
        one.write({"one": {"upstream": services[1].url}})
        eventually(lambda: one.event_names().count("config.loaded") == 2)
        assert "! paused for now" in one.call("status").out
        assert "Note: paused for now" in one.call("plan").err
        assert shows(one, "one")
        assert one.call("resume").out.splitlines() == ["The pause is over.", "Resumed."]
        eventually(lambda: shows(one, "two"))
    assert one.event_names().count("daemon.paused") == 1
    assert one.event_names().count("daemon.resumed") == 1
    assert one.call("resume").out == "Nothing was on hold.\n"


def test_a_pause_ends_by_itself(one: World) -> None:
    begin = time.monotonic()
    told = one.call("pause", "--for", "3s", "--format", "json")
    assert told.json["daemon_runs"] is False
    assert told.json["until"] is not None
    with one.daemon():
        eventually(lambda: shows(one, "one"))
        assert time.monotonic() - begin >= 3
    assert "paused" not in one.call("status").out


def test_a_person_applies_all_the_same(one: World) -> None:
    one.call("pause", "--for", "1h")
    one.apply()
    assert shows(one, "one")


@pytest.mark.parametrize("text", ["0", "-5s", "nan", "900d", "soon"])
def test_how_long_is_to_make_sense(one: World, text: str) -> None:
    done = one.call("pause", f"--for={text}")
    assert (done.code, "Traceback" in done.err) == (1, False)
    assert one.call("resume").out == "Nothing was on hold.\n"
