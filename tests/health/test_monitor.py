"""The runner with real services: nobody waits for a slow one, and it ends at once."""

import asyncio
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace

import pytest

from proxysync.demo.services import DemoService
from proxysync.health.monitor import Monitor
from proxysync.health.target import Target
from proxysync.model import Upstream
from proxysync.model.health import Rules
from proxysync.probe.model import Probe
from proxysync.store.database import Database
from proxysync.store.events import EventLog
from proxysync.store.health import HealthStore
from tests.keys import key
from tests.servers import NameServer, answering, hanging
from tests.world import PATIENCE, eventually, sooner_than

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"


def target(name: str, port: int, interval: float = 0.2, **more: object) -> Target:
    probe = Probe(Upstream("http", "127.0.0.1", port), http_timeout=5.0)
    return Target(key(name), replace(probe, **more), interval, Rules(1, 1))  # type: ignore[arg-type]


def status_is(store: HealthStore, name: str, status: str) -> Callable[[], bool]:
    return lambda: key(name) in store.standings() and store.standings()[key(name)].status == status


@pytest.fixture
def monitor(store: HealthStore, events: EventLog) -> Monitor:
    return Monitor(store, events)


def test_a_slow_one_delays_nobody_and_is_not_started_twice(
    monitor: Monitor, store: HealthStore, database: Database
) -> None:
    with hanging() as slow, answering(ANSWER) as quick, monitor:
        slow_ones = [target(f"slow{n}", slow, http_timeout=60.0) for n in range(50)]
        monitor.watch([*slow_ones, target("quick", quick.port)])
        eventually(lambda: len(monitor_tasks(monitor)) >= 50)
        seen = len(quick.requests)
        eventually(lambda: len(quick.requests) >= seen + 10)
        assert 50 <= len(monitor_tasks(monitor)) <= 51
    assert database.query("SELECT count(*) AS n FROM check_result")[0]["n"] >= 9


def monitor_tasks(monitor: Monitor) -> set[object]:
    """The checks under way."""
    if monitor._loop is None:
        return set()
    tasks = asyncio.all_tasks(monitor._loop)
    return {t for t in tasks if "_check" in getattr(t.get_coro(), "__qualname__", "")}


def test_it_ends_at_once_though_checks_are_under_way(monitor: Monitor) -> None:
    with hanging() as slow, ExitStack() as leaving, monitor:
        monitor.watch([target(f"slow{n}", slow, http_timeout=60.0) for n in range(20)])
        eventually(lambda: len(monitor_tasks(monitor)) == 20)
        leaving.enter_context(sooner_than(PATIENCE))


def test_without_targets_it_waits_and_ends(monitor: Monitor) -> None:
    with monitor:
        monitor.watch([])
        eventually(lambda: monitor._loop is not None)
        assert monitor_tasks(monitor) == set()
    assert not monitor._thread.is_alive()


def test_new_targets_take_over_while_it_runs(monitor: Monitor, store: HealthStore) -> None:
    with answering(ANSWER) as first, answering(ANSWER) as second, monitor:
        monitor.watch([target("a", first.port)])
        eventually(status_is(store, "a", "healthy"))
        monitor.watch([target("b", second.port)])
        eventually(status_is(store, "b", "healthy"))
        eventually(status_is(store, "a", "unknown"))
        count = len(first.requests)
        seen = len(second.requests)
        eventually(lambda: len(second.requests) > seen + 3)
        assert len(first.requests) == count


def test_what_was_known_is_known_after_a_restart_and_not_said_again(
    store: HealthStore, events: EventLog
) -> None:
    toy, others = DemoService("x").start(), [DemoService(str(n)).start() for n in range(2)]
    targets = [target("x", toy.port), *(target(o.text, o.port) for o in others)]
    with Monitor(store, events) as monitor:
        monitor.watch(targets)
        eventually(status_is(store, "x", "healthy"))
        toy.stop()
        eventually(status_is(store, "x", "unhealthy"))
    checked = store.standings()[key("x")].checked_at
    with Monitor(store, events) as monitor:
        monitor.watch(targets)
        eventually(lambda: store.standings()[key("x")].checked_at != checked)
    for other in others:
        other.stop()
    assert [event.event for event in store.last_events(key("x"))] == ["health.changed"]


def test_a_name_is_looked_up_afresh_for_each_check(monitor: Monitor, store: HealthStore) -> None:
    server = NameServer()
    name = Probe(
        Upstream("http", "media.example", 0), resolver=server.address, skip=frozenset({"http"})
    )
    with answering(ANSWER) as upstream, monitor:
        probe = replace(name, upstream=Upstream("http", "media.example", upstream.port))
        monitor.watch([Target(key("media"), probe, 0.2, Rules(1, 1))])
        eventually(status_is(store, "media", "unhealthy"))
        server.records["media.example", "A"] = ["127.0.0.1"]
        eventually(status_is(store, "media", "healthy"))
    server.close()


def test_checks_of_many_are_spread_over_the_interval(monitor: Monitor) -> None:
    with answering(ANSWER) as upstream, monitor:
        begin = time.monotonic()
        monitor.watch([target(f"p{n}", upstream.port, 2.0) for n in range(40)])
        eventually(lambda: len(upstream.requests) >= 36)
        assert time.monotonic() - begin > 1.0
