"""An account that may not see one kind works with all others, says so once, and loses nothing."""

from collections.abc import Mapping
from dataclasses import dataclass
from random import Random
from typing import Any

import pytest

from proxysync.demo.services import DemoService
from proxysync.kinds import KINDS
from tests.by_kind import KINDS as ALL_KINDS
from tests.by_kind import SECRETS, ByKind, Entries, Surroundings, free_ports, in_surroundings
from tests.changes_of_kinds import sections
from tests.faults import FaultProxy
from tests.world import LIMITED, World, eventually

pytestmark = pytest.mark.timeout(300)

HIDDEN = [kind.kind.name for kind in ALL_KINDS if not kind.kind.is_essential]


@dataclass
class House:
    """Entries of all kinds, beside an account whose rights may change."""

    world: World
    kinds: Mapping[str, ByKind]
    entries: Entries

    def save(self, **settings: Any) -> None:
        every = sections(self.kinds.values(), self.entries)
        self.world.write(every.pop("proxies"), **every, settings=settings)

    def hide(self, *names: str) -> None:
        """From now on the account may not see these kinds."""
        self.world.npm.limit(KINDS[name].right for name in names)
        self.world.env["PROXYSYNC_NPM_IDENTITY"] = LIMITED

    def objects(self) -> dict[str, list[dict[str, Any]]]:
        return {name: kind.rows(self.world.npm) for name, kind in self.kinds.items()}


@pytest.fixture
def house(world: World, services: list[DemoService]) -> House:
    """All is applied by an account that sees all."""
    world.env.update(SECRETS)
    kinds = in_surroundings(Surroundings(tuple(s.url for s in services), free_ports()))
    entries = {
        (name, word): {
            **kind.new(Random(0), None),
            kind.place: kind.as_place([kind.place_called(word)]),
        }
        for name, kind in kinds.items()
        for word in ("steady", "leaving")
    }
    entries["proxy", "steady"]["access_list"] = "steady"
    found = House(world, kinds, entries)
    found.save()
    world.apply()
    return found


def warnings(text: str, hidden: str) -> int:
    """How often it warns of the kind as a whole, with what to do about it."""
    kind = KINDS[hidden]
    right = f"set {kind.right_label} to Manage"
    lines = [line for line in text.splitlines() if f"may not see {kind.label}s" in line]
    return sum(right in line and "is left as it is" in line for line in lines)


@pytest.mark.parametrize("hidden", HIDDEN)
def test_commands_say_it_once_and_do_all_else(house: House, hidden: str) -> None:
    world = house.world
    before = house.objects()[hidden]
    house.hide(hidden)
    del house.entries[hidden, "leaving"]
    new = {**house.entries["proxy", "leaving"], "domains": ["new.proxysync-test.example"]}
    house.entries["proxy", "new"] = new
    house.save()

    plan = world.call("plan", "--format", "json")
    found = {(c["action"], c["kind"], c["name"]) for c in plan.json["changes"]}
    assert found == {("conflict", hidden, "steady"), ("create", "proxy", "new")}
    assert warnings(plan.err, hidden) == 1
    for command in ("apply", "adopt"):
        words = ["--all"] if command == "adopt" else []
        done = world.call(command, *words, "--yes")
        assert done.code == 1, done.out
        assert (warnings(done.err, hidden), warnings(done.out, hidden)) == (1, 0)
    assert world.npm.host("new")
    status = world.call("status", "--format", "json").json
    odd = {(p["kind"], p["name"]): p["sync"] for p in status["proxies"] if p["sync"] != "in sync"}
    assert odd == {(hidden, "steady"): "conflict"}
    assert [warnings(one["message"], hidden) for one in status["warnings"]] == [1]
    imported = world.call("import")
    assert imported.err.count(f"may not see {KINDS[hidden].label}s") == 1

    assert world.call("validate").code == 0
    assert world.call("history").code == 0
    back = world.call("rollback", "--yes")
    assert back.code == 0, back.out
    assert warnings(back.err, hidden) == 1
    assert world.call("resume").code == 0
    assert house.objects()[hidden] == before

    house.hide()
    found = {(c["action"], c["kind"], c["name"]) for c in world.plan()["changes"]}
    assert found == {("delete", hidden, "leaving"), ("create", "proxy", "new")}


@pytest.mark.parametrize(
    "hidden",
    [pytest.param(n, marks=[] if n == "stream" else [pytest.mark.long]) for n in HIDDEN],
)
def test_run_says_once_that_a_right_was_taken_away_and_goes_on_when_it_is_back(
    house: House, hidden: str
) -> None:
    world = house.world
    before = house.objects()[hidden]
    house.hide()
    house.save(resync_interval="1s")
    with FaultProxy(world.npm.url) as proxy:
        world.env["PROXYSYNC_NPM_URL"] = proxy.url
        with world.daemon():
            house.hide(hidden)
            eventually(lambda: "npm.visibility" in world.event_names())
            proxy.forget()
            path = f"/{KINDS[hidden].collection}"
            eventually(lambda: [seen.path for seen in proxy.requests].count(path) >= 2)
            assert world.event_names().count("npm.visibility") == 1
            told = [e for e in world.events() if e["event"] == "npm.visibility"]
            assert warnings(told[0]["message"], hidden) == 1
            house.hide()
            del house.entries[hidden, "leaving"]
            house.save(resync_interval="1s")
            eventually(lambda: len(house.objects()[hidden]) == 1)
    assert house.objects()[hidden] == [row for row in before if not is_of(house, hidden, row)]
    assert [e["message"] for e in world.events() if e["severity"] == "error"] == []


def is_of(house: House, hidden: str, row: dict[str, Any]) -> bool:
    """Whether it is what the entry called leaving had."""
    kind = house.kinds[hidden]
    place = kind.as_place([kind.place_called("leaving")])
    return kind.has_place_of(row, {kind.place: place})


def test_commands_leave_a_host_whose_list_is_hidden_until_it_may_be_taken_down(
    house: House,
) -> None:
    """Nobody can say that the list is there still, and without it the site would be open."""
    world = house.world
    before = world.npm.host("steady")
    house.hide("access_list")
    house.entries["proxy", "steady"]["websockets"] = True
    house.save()
    done = world.call("apply", "--yes")
    assert done.code == 1
    assert "proxy/steady: needs its access list; the account at" in done.out
    assert world.npm.host("steady") == before
    house.entries["proxy", "steady"]["enabled"] = False
    house.save()
    world.call("apply", "--yes")
    after = world.npm.host("steady")
    assert (after["enabled"], after["access_list_id"]) == (False, before["access_list_id"])
