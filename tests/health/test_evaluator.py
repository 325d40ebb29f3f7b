"""What checks mean together: a proxy that is ill, or a network that is down."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest

from proxysync.health.evaluator import NETWORK, HealthEvaluator, witnesses
from proxysync.health.target import Observation, Target
from proxysync.health.writer import Writer
from proxysync.model import Upstream
from proxysync.model.clock import now
from proxysync.model.health import Check, HealthState, Rules
from proxysync.probe.model import Probe
from proxysync.store.events import EventLog
from proxysync.store.health import HealthStore
from tests.keys import key

NPM = Probe(Upstream("http", "npm", 81))


def target(name: str, host: str | None = None) -> Target:
    return Target(key(name), Probe(Upstream("http", host or f"{name}.lan", 80)), 10, Rules(1, 1))


class Scene:
    """Some targets, the hosts that answer, and what came of it in the event log."""

    def __init__(self, store: HealthStore, events: EventLog, *names: str) -> None:
        self.store = store
        self.events = events
        self.targets = {key(name): target(name) for name in names}
        self.alive = {f"{name}.lan" for name in names} | {"npm"}
        self._start()

    def _start(self) -> None:
        self.writer = Writer(self.store, self.events)
        self.writer.start()
        down = self.store.alerts.active().get(NETWORK)
        self.verdicts = HealthEvaluator(
            self.store.standings(),
            self.writer,
            self.look,
            npm=NPM,
            down_since=down.since if down else None,
        )
        self.verdicts.watch(self.targets)

    def restart(self) -> None:
        self.writer.stop()
        self._start()

    async def look(self, probe: Probe) -> Observation:
        await asyncio.sleep(0)
        ok = probe.upstream.host in self.alive
        return Observation(
            Check(now(), ok, 1, None if ok else "refused", None if ok else "hint"), ok
        )

    def check(self, *names: str, at_once: bool = False) -> None:
        async def one(name: str) -> None:
            found = self.targets[key(name)]
            await self.verdicts.take(found, await self.look(found.probe))

        async def run() -> None:
            if at_once:
                await asyncio.gather(*(one(name) for name in names))
            for name in () if at_once else names:
                await one(name)

        asyncio.run(run())


@contextmanager
def scene(store: HealthStore, events: EventLog, *names: str) -> Iterator[Scene]:
    made = Scene(store, events, *names)
    try:
        yield made
    finally:
        made.writer.stop()


def words(store: HealthStore) -> list[tuple[str, str | None]]:
    rows = store._database.query("SELECT event, name FROM event_log ORDER BY id")
    return [(row["event"], row["name"]) for row in rows]


ALL = ("a", "b", "c", "d")


def test_one_that_dies_alone_is_unhealthy(store: HealthStore, events: EventLog) -> None:
    with scene(store, events, *ALL) as made:
        made.check(*ALL)
        made.alive.discard("a.lan")
        made.check(*ALL, *ALL)
    assert words(store) == [("health.changed", "a")]
    assert {k.name: s.status for k, s in store.standings().items()} == {
        "a": "unhealthy",
        "b": "healthy",
        "c": "healthy",
        "d": "healthy",
    }


@pytest.mark.parametrize("at_once", [True, False])
def test_all_that_fail_together_keep_their_status_and_it_is_said_once(
    store: HealthStore, events: EventLog, at_once: bool
) -> None:
    with scene(store, events, *ALL) as made:
        made.check(*ALL)
        made.alive.clear()
        made.check(*ALL, at_once=at_once)
        made.check(*ALL, at_once=at_once)
        made.restart()
        made.check(*ALL, at_once=at_once)
        made.alive.update(f"{name}.lan" for name in ALL)
        made.check(*ALL, at_once=at_once)
    assert words(store) == [("health.network_down", None), ("health.network_back", None)]
    assert {standing.status for standing in store.standings().values()} == {"healthy"}
    assert store.alerts.active() == {}


def test_when_the_network_is_back_those_that_stay_ill_are_told(
    store: HealthStore, events: EventLog
) -> None:
    with scene(store, events, *ALL) as made:
        made.check(*ALL)
        made.alive.clear()
        made.check(*ALL)
        made.alive.update({"b.lan", "c.lan", "d.lan"})
        made.check("b", "a")
    assert words(store) == [
        ("health.network_down", None),
        ("health.network_back", None),
        ("health.changed", "a"),
    ]


def test_checks_during_the_outage_do_not_count(store: HealthStore, events: EventLog) -> None:
    with scene(store, events, *ALL) as made:
        made.targets = {n: replace(t, rules=Rules(2, 1)) for n, t in made.targets.items()}
        made.verdicts.watch(made.targets)
        made.check(*ALL)
        made.alive.clear()
        made.check("a", "a", "b", "c", "d")
        made.alive.update({"b.lan", "c.lan", "d.lan"})
        made.check("b", "a")
        assert made.verdicts._standing(key("a")).streak == -1
    assert words(store) == [("health.network_down", None), ("health.network_back", None)]


def test_two_that_fail_are_ill_while_npm_answers(store: HealthStore, events: EventLog) -> None:
    with scene(store, events, "a", "b") as made:
        made.check("a", "b")
        made.alive.discard("a.lan")
        made.alive.discard("b.lan")
        made.check("a", "b", at_once=True)
    assert sorted(words(store)) == [("health.changed", "a"), ("health.changed", "b")]


def test_npm_and_all_upstreams_together_are_the_network_however_few(
    store: HealthStore, events: EventLog
) -> None:
    with scene(store, events, "a") as made:
        made.check("a")
        made.alive.clear()
        made.check("a", "a")
        made.alive.add("npm")
        made.check("a")
    assert words(store) == [
        ("health.network_down", None),
        ("health.network_back", None),
        ("health.changed", "a"),
    ]


def test_those_that_were_ill_before_do_not_make_a_crowd(
    store: HealthStore, events: EventLog
) -> None:
    with scene(store, events, "a", "b", "c") as made:
        made.check("a", "b", "c")
        for name in ("a", "b", "c"):
            made.alive.discard(f"{name}.lan")
            made.check("a", "b", "c")
    assert words(store) == [("health.changed", name) for name in ("a", "b", "c")]


def test_an_answer_that_is_no_good_still_shows_that_the_network_works(
    store: HealthStore, events: EventLog
) -> None:
    with scene(store, events, *ALL) as made:
        made.check(*ALL)
        made.alive.clear()
        bad = Observation(Check(now(), False, 3, "answered HTTP 500", "hint"), reached=True)
        asyncio.run(made.verdicts.take(made.targets[key("a")], bad))
    assert words(store) == [("health.changed", "a")]


def test_a_check_of_one_that_moved_or_left_meanwhile_counts_for_nothing(
    store: HealthStore, events: EventLog
) -> None:
    with scene(store, events, "a", "b") as made:
        old = made.targets[key("a")]
        made.targets = {key("a"): target("a", "elsewhere.lan")}
        made.verdicts.watch(made.targets)
        good = Observation(Check(now(), True, 1), reached=True)
        asyncio.run(made.verdicts.take(old, good))
        asyncio.run(made.verdicts.take(target("b"), good))
    assert store.standings() == {}


def test_one_that_moved_keeps_its_status_until_enough_checks_of_the_new_place(
    store: HealthStore, events: EventLog
) -> None:
    with scene(store, events, *ALL) as made:
        made.targets = {n: replace(t, rules=Rules(2, 1)) for n, t in made.targets.items()}
        made.verdicts.watch(made.targets)
        made.check(*ALL)
        made.alive.discard("a.lan")
        made.check("a")
        elsewhere = replace(target("a", "elsewhere.lan"), rules=Rules(2, 1))
        made.targets = {**made.targets, key("a"): elsewhere}
        assert made.verdicts.watch(made.targets) == {key("a")}
        made.check("a")
        assert words(store) == []
        made.check("a")
        assert made.verdicts.watch(made.targets) == frozenset()
    assert words(store) == [("health.changed", "a")]


def test_where_one_stood_that_left_is_forgotten(store: HealthStore, events: EventLog) -> None:
    with scene(store, events, "a", "b") as made:
        made.alive.discard("a.lan")
        made.check("a", "b")
        left = made.targets.pop(key("a"))
        made.verdicts.watch({key("b"): made.targets[key("b")]})
        made.targets[key("a")] = left
        made.verdicts.watch(made.targets)
        assert made.verdicts.unknown == {key("a")}
    assert store.standings()[key("a")] == HealthState()


def test_witnesses_are_of_different_hosts_as_far_as_there_are_some() -> None:
    targets = [target(str(n), "box.lan") for n in range(5)] + [target("x"), target("y")]
    assert [t.key.name for t in witnesses(targets, 4)] == ["0", "x", "y", "1"]
