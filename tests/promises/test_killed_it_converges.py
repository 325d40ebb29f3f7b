"""Killed at any moment and started again: no duplicate, no orphan, nothing forgotten."""

import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from itertools import count, product
from typing import Any

import pytest

from proxysync.apply import under_way as waiting
from proxysync.demo.services import DemoService
from proxysync.model import clock
from proxysync.sandbox import Sandbox
from proxysync.sandbox.rows import PROXY_HOST
from tests.apply.forkserver import DIED, ForkServer
from tests.faults import Fault, FaultProxy
from tests.signals import signal_at
from tests.world import HOST, HOSTS, PATIENCE, World, domain, eventually


@pytest.fixture(autouse=True)
def _no_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    """No write is under way in NPM here any more when a test goes on."""
    monkeypatch.setattr(waiting, "LONGEST_WRITE", 0.0)


def test_npm_set_up_anew_and_a_persons_host_has_the_id_of_an_open_row(
    small_world: World, services: list[DemoService]
) -> None:
    one, two, three = services
    small_world.write({n: {"upstream": one.url} for n in ("stays", "more", "goes")})
    small_world.apply()
    goes = small_world.npm.host("goes")["id"]
    small_world.write({n: {"upstream": one.url} for n in ("stays", "more")})
    signal_at(small_world, "apply", "--yes", method="DELETE", path=HOST, phase="before")

    with Sandbox() as anew:
        small_world.npm.url, small_world.env["PROXYSYNC_NPM_URL"] = anew.url, anew.url
        small_world.npm.log_in()
        while (theirs := small_world.npm.add_host(domain("own"), port=two.port))["id"] != goes:
            small_world.npm.call("DELETE", f"{HOSTS}/{theirs['id']}")
        anew._store.hosts[PROXY_HOST.table]._rows[goes]["created_on"] = "2031-01-01 00:00:00"
        before = small_world.npm.call("GET", f"{HOSTS}/{goes}")
        for _ in range(2):
            assert small_world.call("apply", "--yes", "--recreate").code == 0
        assert small_world.npm.call("GET", f"{HOSTS}/{goes}") == before
        assert three.url not in str(before)


def test_stop_right_after_a_creation_whose_marker_is_wiped_leaves_no_orphan(
    world: World, services: list[DemoService]
) -> None:
    world.write({"new": {"upstream": services[0].url}})
    signal_at(world, "apply", "--yes", method="GET", path=HOST, phase="before")
    (row,) = world.npm.hosts()
    world.npm.call("PUT", f"{HOSTS}/{row['id']}", {"meta": {}})
    world.apply()
    assert [(r["id"], r["domain_names"]) for r in world.npm.hosts()] == [
        (row["id"], [domain("new")])
    ]
    world.assert_in_sync()


def test_stop_before_an_adoption_has_begun_makes_nothing_ours(
    world: World, services: list[DemoService]
) -> None:
    world.npm.add_host(domain("theirs"), enabled=False)
    world.write({"theirs": {"upstream": services[0].url, "enabled": False}})
    signal_at(world, "adopt", "theirs", "--yes", method="PUT", path=HOST, phase="before")
    before = world.npm.hosts()
    world.write({"other": {"upstream": services[0].url}})
    for _ in range(2):
        world.apply()
    assert [row for row in world.npm.hosts() if row in before] == before


@pytest.mark.parametrize("phase", ["before", "after"])
def test_stop_while_a_host_is_given_back_it_is_never_deleted_for_that(
    world: World, services: list[DemoService], phase: str
) -> None:
    """Its entry is gone already, by which it would be."""
    one, two, _ = services
    world.write({"one": {"upstream": one.url}, "two": {"upstream": two.url}})
    world.apply()
    npm_id = world.npm.host("one")["id"]
    world.write({"two": {"upstream": two.url}})
    signal_at(world, "release", "one", "--yes", method="PUT", path=HOST, phase=phase)
    world.apply()
    row = world.npm.call("GET", f"{HOSTS}/{npm_id}")
    assert "proxysync" not in row["meta"]
    assert world.npm.visit(domain("one"))[1].strip() == one.text
    world.assert_in_sync()
    (recovered,) = (e for e in world.events() if e["event"] == "apply.recovered")
    assert recovered["data"]["action"] == "release"
    runs = world.call("history", "--format", "json").json["runs"]
    assert [(c["action"], c["outcome"]) for run in runs[:1] for c in run["changes"]] == [
        ("release", "done")
    ]


@pytest.mark.parametrize(
    ("marked", "begin"),
    [
        (False, 2),
        pytest.param(True, 1, marks=pytest.mark.long),
        pytest.param(True, 2, marks=pytest.mark.long),
        pytest.param(False, 1, marks=pytest.mark.long),
    ],
)
def test_stop_at_each_commit_of_a_release_leaves_the_host_to_one_of_both(
    small_world: World, services: list[DemoService], *, marked: bool, begin: int
) -> None:
    with ForkServer(small_world.folder.parent, {}) as forks:
        for number in count(begin, 2):
            one = {"upstream": services[number // 2 % 2 if marked else 0].url}
            two = {"upstream": services[2].url}
            small_world.write({"one": one, "two": two})
            small_world.call("adopt", "one", "--yes")
            small_world.apply()
            words = "release", "one", "--yes"
            code = forks.run(*words, env=small_world.env, die_at=number).code
            if code == 0:
                break
            assert code == DIED
            assert small_world.call(*words).code == 0
            small_world.write({"two": two})
            small_world.apply()
            markers = ["proxysync" in row["meta"] for row in small_world.npm.hosts()]
            assert sorted(markers) == [False, True]
    assert number > 4


def test_stop_of_a_release_by_a_500_is_finished_by_the_next_run(
    small_world: World, services: list[DemoService]
) -> None:
    one, two, _ = services
    small_world.write({"one": {"upstream": one.url}, "two": {"upstream": two.url}})
    small_world.apply()
    sandbox = small_world.npm.sandbox
    assert sandbox is not None
    sandbox.break_nginx("somebody else's file is broken")
    assert small_world.call("release", "one", "--yes").code == 1
    sandbox.mend_nginx()
    small_world.write({"two": {"upstream": two.url}})
    small_world.apply()
    assert len(small_world.npm.hosts()) == 2
    assert small_world.npm.visit(domain("one"))[1].strip() == one.text
    small_world.assert_in_sync()


def test_commands_an_adopted_host_behind_a_500_keeps_what_npm_had(
    small_world: World, services: list[DemoService]
) -> None:
    one, two, _ = services
    row = small_world.npm.add_host(domain("theirs"), port=one.port)
    small_world.write({"theirs": {"upstream": two.url}})
    _fails_then_is_refused(small_world, row["id"], two.url, "adopt", "theirs")
    assert small_world.npm.visit(domain("theirs"))[1].strip() == one.text


def test_state_lost_and_a_500_keeps_what_npm_had(
    small_world: World, services: list[DemoService]
) -> None:
    one, two, _ = services
    small_world.write({"site": {"upstream": one.url}})
    small_world.apply()
    row = small_world.npm.host("site")
    for path in small_world.state.iterdir():
        path.unlink()
    small_world.write({"site": {"upstream": two.url}})
    _fails_then_is_refused(small_world, row["id"], two.url, "apply")
    assert small_world.npm.visit(domain("site"))[1].strip() == one.text


def _fails_then_is_refused(world: World, npm_id: int, url: str, *words: str) -> None:
    """NPM fails at the write, and what the file asks for after that is refused by nginx."""
    sandbox = world.npm.sandbox
    assert sandbox is not None
    sandbox.break_nginx("somebody else's file is broken")
    assert world.call(*words, "--yes").code == 1
    sandbox.mend_nginx()
    name = world.npm.call("GET", f"{HOSTS}/{npm_id}")["domain_names"][0].split(".")[0]
    world.write({name: {"upstream": url, "advanced_config": "no_such_directive on;"}})
    assert world.call("apply", "--yes").code == 1
    assert [row["id"] for row in world.npm.hosts()] == [npm_id]


def test_commands_a_name_whose_new_host_failed_is_not_a_reason_to_delete_another_one(
    small_world: World, services: list[DemoService]
) -> None:
    one, two, _ = services
    sandbox = small_world.npm.sandbox
    assert sandbox is not None
    small_world.write({"site": {"upstream": one.url}})
    sandbox.break_nginx("somebody else's file is broken")
    assert small_world.call("apply", "--yes").code == 1
    sandbox.mend_nginx()
    small_world.npm.call("DELETE", f"{HOSTS}/{small_world.npm.hosts()[0]['id']}")

    theirs = small_world.npm.add_host(domain("site"), port=two.port, advanced_config="nonsense;")
    small_world.write({"site": {"upstream": one.url, "advanced_config": "no_such_directive on;"}})
    assert small_world.call("adopt", "site", "--yes").code == 1
    assert [row["id"] for row in small_world.npm.hosts()] == [theirs["id"]]


def test_stop_while_npm_makes_a_host_brings_one_host(
    world: World, services: list[DemoService]
) -> None:
    world.write({"new": {"upstream": services[0].url}})
    signal_at(world, "apply", "--yes", method="POST", path=HOSTS)
    world.apply()
    assert len(world.npm.hosts()) == 1
    world.assert_in_sync()


@pytest.mark.parametrize(
    ("command", "number", "twice"),
    [
        ("apply", signal.SIGTERM, False),
        ("apply", signal.SIGINT, True),
        ("apply", signal.SIGHUP, False),
        ("rollback", signal.SIGTERM, False),
        ("run", signal.SIGTERM, True),
        ("run", signal.SIGINT, False),
        pytest.param("apply", signal.SIGTERM, True, marks=pytest.mark.long),
        pytest.param("apply", signal.SIGINT, False, marks=pytest.mark.long),
        pytest.param("apply", signal.SIGHUP, True, marks=pytest.mark.long),
        pytest.param("rollback", signal.SIGTERM, True, marks=pytest.mark.long),
        pytest.param("run", signal.SIGTERM, False, marks=pytest.mark.long),
        pytest.param("run", signal.SIGINT, True, marks=pytest.mark.long),
    ],
)
def test_stop_by_a_signal_between_the_writes_of_an_exchange(
    world: World, services: list[DemoService], command: str, number: int, *, twice: bool
) -> None:
    """A wildcard has no other name by which it would be served while it moves."""
    one, two, _ = services
    wild = f"*.{domain('wild')}"
    before = {
        "giver": {"domains": [domain("giver"), wild], "upstream": one.url},
        "taker": {"upstream": two.url},
        "zebra": {"upstream": one.url},
    }
    after = {
        "giver": {"upstream": one.url},
        "taker": {"domains": [domain("taker"), wild], "upstream": two.url},
        "zebra": {"upstream": two.url},
    }
    world.write(before)
    world.apply()
    world.write(after)
    if command == "rollback":
        world.apply()
    words = (command,) if command == "run" else (command, "--yes")
    done = signal_at(
        world, *words, method="PUT", path=HOST, phase="before", number=number, twice=twice
    )
    assert done.returncode == (0 if command == "run" else 1), done.stderr
    expected, zebra = (one, two) if command == "rollback" else (two, one)
    assert world.npm.visit(domain("any.wild"))[1].strip() == expected.text
    assert world.npm.visit(domain("zebra"))[1].strip() == zebra.text, "it stops after that"
    (run, *_) = world.call("history", "--format", "json").json["runs"]
    assert "stopped by signal" in run["outcome"]


@contextmanager
def under_way(
    world: World, seconds: float, method: str = "PUT", path: str = HOST
) -> Iterator[FaultProxy]:
    """A killed apply whose write reaches NPM only so many seconds later, if it is let."""
    with FaultProxy(world.npm.url) as proxy:
        proxy.inject(Fault.SLOW, method=method, path=path, seconds=seconds)
        process = subprocess.Popen(
            [sys.executable, "-m", "proxysync", "apply", "--yes"],
            env={**world.env, "PROXYSYNC_NPM_URL": proxy.url},
            cwd=world.folder,
        )
        eventually(lambda: any(seen.fault for seen in proxy.requests))
        process.kill()
        process.wait()
        yield proxy


LATE: dict[str, tuple[str, str, Mapping[str, Any]]] = {
    "an update": ("PUT", HOST, {"site": 1, "more": 0}),
    "a creation": ("POST", HOSTS, {"site": 0, "more": 0, "new": 1}),
    "a deletion": ("DELETE", HOST, {"more": 0}),
}


@pytest.mark.parametrize("what", LATE)
def test_stop_a_write_that_arrives_late_undoes_nothing(
    small_world: World, services: list[DemoService], monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    monkeypatch.setattr(waiting, "LONGEST_WRITE", 8.0)
    monkeypatch.setattr(waiting, "POLL", 0.1)
    monkeypatch.setattr(waiting, "LAST_TEST", 0.1)
    monkeypatch.setattr(waiting, "AT_WORK", 0.3)
    method, path, entries = LATE[what]
    small_world.write({name: {"upstream": services[0].url} for name in ("site", "more")})
    small_world.apply()
    small_world.write({n: {"upstream": services[at].url} for n, at in entries.items()})
    with under_way(small_world, 1.5, method, path):
        small_world.write({n: {"upstream": services[2].url} for n in ("site", "more")})
        done = small_world.call("apply", "--yes")
        assert done.code == 0, done.out + done.err
        assert "may still be under way" in done.err
    assert {row["domain_names"][0]: row["forward_port"] for row in small_world.npm.hosts()} == {
        domain("site"): services[2].port,
        domain("more"): services[2].port,
    }
    small_world.assert_in_sync()


def test_stop_where_nothing_is_under_way_nobody_waits(
    small_world: World, services: list[DemoService], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed while it reads; while the answer is written, so that the host shows the result; and
    after NPM was not even there."""
    monkeypatch.setattr(waiting, "LONGEST_WRITE", 120.0)
    small_world.write({"site": {"upstream": services[0].url}})
    signal_at(small_world, "apply", "--yes", method="GET", path=HOST, phase="before")
    small_world.write({"site": {"upstream": services[1].url}})
    signal_at(small_world, "apply", "--yes", method="PUT", path=HOST, phase="after")
    small_world.env["PROXYSYNC_NPM_URL"] = "http://127.0.0.1:9"
    assert small_world.call("apply", "--yes").code == 1
    small_world.env["PROXYSYNC_NPM_URL"] = small_world.npm.url
    done = small_world.call("apply", "--yes")
    assert (done.code, "may still be under way" in done.err) == (0, False)


def test_stop_by_a_signal_while_it_waits_for_an_earlier_write(
    small_world: World, services: list[DemoService]
) -> None:
    _leave_a_write_that_never_arrives(small_world, services)
    before = small_world.npm.hosts()
    with small_world.daemon() as daemon:
        eventually(lambda: "daemon.waiting" in small_world.event_names())
        daemon.send_signal(signal.SIGTERM)
        assert daemon.wait(timeout=5) == 0
    assert small_world.npm.hosts() == before


@pytest.mark.parametrize("hours", [-25, 25])
def test_clock_that_was_set_makes_the_wait_no_longer_and_no_shorter(
    small_world: World, services: list[DemoService], monkeypatch: pytest.MonkeyPatch, hours: int
) -> None:
    monkeypatch.setattr(waiting, "LONGEST_WRITE", 3.0)
    _leave_a_write_that_never_arrives(small_world, services)
    start = time.monotonic()
    real = clock.now
    monkeypatch.setattr(clock, "now", lambda: real() + timedelta(hours=hours))
    small_world.call("apply", "--yes")
    assert 1.0 < time.monotonic() - start < PATIENCE
    assert services[1].port == small_world.npm.hosts()[0]["forward_port"]


def _leave_a_write_that_never_arrives(world: World, services: list[DemoService]) -> None:
    world.write({"site": {"upstream": services[0].url}})
    world.apply()
    world.write({"site": {"upstream": services[1].url}})
    signal_at(world, "apply", "--yes", method="PUT", path=HOST, phase="before")


ENTRIES: Mapping[str, Mapping[str, Any]] = {
    "proxies": {},
    "redirections": {"to": "https://elsewhere.example.com"},
    "not_found_hosts": {},
}
MOVES: Mapping[str, Mapping[str, tuple[str, str]]] = {
    "to a redirection": {"x": ("proxies", "redirections")},
    "to a not-found host": {"x": ("redirections", "not_found_hosts")},
    "to a proxy": {"x": ("not_found_hosts", "proxies")},
    "in a ring": {
        "x": ("redirections", "proxies"),
        "y": ("not_found_hosts", "redirections"),
        "z": ("proxies", "not_found_hosts"),
    },
}
"""The kinds of the hosts that domains go from, and to. All of the entries have one name."""

ANY_HOST = r"/nginx/(proxy|redirection|dead)-hosts(/\d+)?(/\w+)?"
POINTS = [
    (method, phase, nth)
    for method, most in (("POST", 1), ("PUT", 4), ("DELETE", 1))
    for phase in ("before", "after")
    for nth in range(1, most + 1)
]


def save_by_kind(world: World, toy: DemoService, kinds: Mapping[str, str]) -> None:
    sections: dict[str, dict[str, Any]] = {section: {} for section in ENTRIES}
    sections["proxies"]["stays"] = {"upstream": toy.url}
    for section in set(kinds.values()):
        more = {"upstream": toy.url} if section == "proxies" else {}
        names = [domain(name) for name in sorted(kinds) if kinds[name] == section]
        sections[section]["one"] = {"domains": names, **ENTRIES[section], **more}
    world.write(sections.pop("proxies"), **sections)


def answers(world: World, kinds: Mapping[str, str]) -> dict[str, tuple[int, str]]:
    return {name: world.npm.visit(domain(name)) for name in kinds}


THEN = ("the same file", "the old file")


@pytest.mark.parametrize(
    ("move", "point", "then"),
    [
        *((m, POINTS[n], THEN[n % 2]) for m, n in zip(MOVES, (1, 6, 10, 7), strict=True)),
        *(pytest.param(*each, marks=pytest.mark.long) for each in product(MOVES, POINTS, THEN)),
    ],
)
def test_stop_in_a_move_between_kinds_leaves_every_name_served(
    small_world: World,
    services: list[DemoService],
    move: str,
    point: tuple[str, str, int],
    then: str,
) -> None:
    world, toy, (method, phase, nth) = small_world, services[0], point
    old = {name: kinds[0] for name, kinds in MOVES[move].items()}
    new = {name: kinds[1] for name, kinds in MOVES[move].items()}
    save_by_kind(world, toy, old)
    world.apply()
    before, nobody = answers(world, old), world.npm.visit("nobody.example.com")
    save_by_kind(world, toy, new)
    words = "apply", "--yes"
    try:
        signal_at(world, *words, method=method, path=ANY_HOST, phase=phase, nth=nth)
    except AssertionError as error:
        if "there was no such request" not in str(error):
            raise
        pytest.skip("the move takes fewer writes of this sort")
    assert nobody not in answers(world, old).values()
    if then == "the old file":
        save_by_kind(world, toy, old)
    world.apply()
    world.assert_in_sync()
    after = answers(world, old)
    assert nobody not in after.values()
    assert (after == before) is (then == "the old file")
    collections = ("proxy-hosts", "redirection-hosts", "dead-hosts")
    rows = [row for name in collections for row in world.npm.call("GET", f"/nginx/{name}")]
    names = [name for row in rows for name in row["domain_names"]]
    assert sorted(names) == sorted(map(domain, ("stays", *old)))


@pytest.mark.parametrize("nth", [1, 2])
@pytest.mark.parametrize("phase", ["before", "after"])
def test_a_not_found_host_is_served_as_written_after_a_kill_at_any_of_its_writes(
    small_world: World, services: list[DemoService], phase: str, nth: int
) -> None:
    world, one = small_world, {"domains": [domain("x")]}
    both = {"domains": [domain("x"), domain("y")]}
    proxies = {"stays": {"upstream": services[0].url}}
    world.write(proxies, not_found_hosts={"one": one})
    world.apply()
    world.write(proxies, not_found_hosts={"one": both})
    signal_at(world, "apply", "--yes", method="PUT", path=ANY_HOST, phase=phase, nth=nth)
    world.apply()
    world.assert_in_sync()
    assert world.npm.visit(domain("y")) == world.npm.visit(domain("x"))
    assert world.npm.visit(domain("y")) != world.npm.visit("nobody.example.com")
