"""NPM fails in every way at every kind of write, and is put in sync once it is well again."""

import re
from collections.abc import Callable, Collection, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, replace
from functools import cache
from itertools import chain, count, product
from random import Random
from threading import Event
from typing import Any

import pytest

from proxysync.kinds import Kind
from proxysync.npm import session, transport
from proxysync.sandbox import hosts
from tests.apply.harness import Checkpoint, Harness, open_harness
from tests.by_kind import KINDS, ByKind, Entries, Entry
from tests.faults import Fault
from tests.scene import add_foreign
from tests.world import HOST, HOSTS, Done

Foreign = dict[str, list[dict[str, Any]]]


def prepared(kind: ByKind) -> Entries:
    words = {"alpha": "steady", "beta": "kept", "gamma": "changed", "delta": "leaving"}
    entries = {(kind.kind.name, name): entry_at(kind, word) for name, word in words.items()}
    off = {**entry_at(kind, "disabled"), "enabled": False}
    return {**entries, (kind.kind.name, "off"): off} if kind.kind.is_host else entries


def entry_at(kind: ByKind, word: str) -> Entry:
    return {**kind.new(Random(0), None), kind.place: kind.as_place([kind.place_called(word)])}


def edit(entries: Entries, kind: ByKind, write: str) -> Entries:
    """The file after an edit that leads to this sort of write."""
    every = {name: dict(entry) for (_, name), entry in entries.items()}
    if write in ("create", "beacon", "beacon removal"):
        every["new"] = entry_at(kind, "first")
    elif write in ("update", "second update"):
        every["alpha"] = kind.changed(every["alpha"])
    elif write == "disable":
        every["alpha"]["enabled"] = False
    elif write == "enable":
        every["off"]["enabled"] = True
    elif write == "delete":
        del every["delta"]
    elif write == "rename":
        every["omega"] = every.pop("alpha")
    elif write == "release":
        places = every["alpha"][kind.place], every["beta"][kind.place]
        every["beta"][kind.place], every["alpha"][kind.place] = places
    else:
        every["alpha"]["advanced_config"] = "client_max_body_size 9m;"
    return {(kind.kind.name, name): entry for name, entry in every.items()}


@dataclass(frozen=True)
class Write:
    """A request that a sort of write makes, of so many like it the first one by default."""

    method: str
    path: str
    nth: int = 1


def writes(kind: Kind) -> dict[str, Write]:
    """The sorts of writes that there are of a kind."""
    many, one = f"/{kind.collection}", rf"/{kind.collection}/\d+"
    found = {
        "create": Write("POST", many),
        "update": Write("PUT", one),
        "delete": Write("DELETE", one),
        "release": Write("PUT", one),
    }
    if kind.is_host:
        found["disable"] = Write("POST", f"{one}/disable")
    if kind.keeps_marker:
        found["rename"] = Write("PUT", one)
    if kind.is_host and not kind.is_switched_by_put:
        found["enable"] = Write("POST", f"{one}/enable")
    if kind.is_late:
        found["second update"] = Write("PUT", one, nth=2)
    if kind.risky:
        found |= {"canary": Write("POST", many), "canary removal": Write("DELETE", one)}
    if "ports" in vars(type(kind)):
        found |= {"beacon": Write("POST", HOSTS), "beacon removal": Write("DELETE", HOST)}
    return found


FAULTS: dict[str, dict[str, Any]] = {
    "refuse": {"fault": Fault.REFUSE},
    "hang": {"fault": Fault.HANG},
    "hang with effect": {"fault": Fault.HANG, "forward": True},
    "cut before": {"fault": Fault.CUT_BEFORE},
    "cut after": {"fault": Fault.CUT_AFTER},
    "401": {"fault": Fault.STATUS_401},
    "500 without effect": {"fault": Fault.ERROR_500_WITHOUT_EFFECT},
    "500 with effect": {"fault": Fault.ERROR_500_WITH_EFFECT},
    "slow": {"fault": Fault.SLOW},
    "garbage without effect": {"fault": Fault.GARBAGE, "forward": False},
    "garbage with effect": {"fault": Fault.GARBAGE},
    "html 200": {"fault": Fault.HTML},
    "html 200 with effect": {"fault": Fault.HTML, "forward": True},
    "html 502": {"fault": Fault.HTML, "status": 502},
    "html 502 with effect": {"fault": Fault.HTML, "status": 502, "forward": True},
}

OUTAGES: dict[str, dict[str, Any]] = {
    "closed ports": {"fault": Fault.REFUSE},
    "pages of a proxy": {"fault": Fault.HTML, "status": 502},
}


def cases(ways: Collection[str]) -> list[Any]:
    """Each way to fail at each write; but when time is short only some of them.

    Of the first kind, each way is met at every other write, and each write meets every other way.
    """
    first, *others = [[(k.kind.name, write) for write in writes(k.kind)] for k in KINDS]
    rest = product(chain.from_iterable(others), ways)
    return [
        *(
            pytest.param(*where, way, marks=[pytest.mark.long] if (one + two) % 2 else [])
            for (one, where), (two, way) in product(enumerate(first), enumerate(ways))
        ),
        *(
            pytest.param(*where, way, marks=[pytest.mark.long] if number % EACH else [])
            for number, (where, way) in enumerate(rest)
        ),
    ]


EACH = 31
"""So many of the others are left to `make test-long` for each one that is not."""


@dataclass
class Prepared:
    harness: Harness
    start: Checkpoint
    kind: ByKind
    entries: Entries


@contextmanager
def open_prepared(name: str) -> Iterator[Prepared]:
    with open_harness() as harness:
        kind = harness.kinds[name]
        if kind is not harness.kinds["proxy"]:
            add_foreign(harness.world.npm, kind)
        if "ports" in vars(type(kind.kind)):
            harness.settings["verify"] = {"url": harness.sandbox.sites_url}
        entries = prepared(kind)
        harness.write(entries)
        assert harness.call("apply", "--yes").code == 0
        start = Checkpoint(harness.sandbox, harness.world.folder)
        yield Prepared(harness, start, kind, entries)


@pytest.fixture(scope="module")
def prepared_for() -> Iterator[Callable[[str], Prepared]]:
    """One for each kind: pytest would end a fixture of many parameters after each test."""
    with ExitStack() as stack:
        yield cache(lambda name: stack.enter_context(open_prepared(name)))


@pytest.fixture
def at_start(
    kind: str, prepared_for: Callable[[str], Prepared], monkeypatch: pytest.MonkeyPatch
) -> Prepared:
    prepared = prepared_for(kind)
    prepared.start.restore()
    prepared.harness.proxy.lift()
    prepared.harness.proxy.forget()
    prepared.harness.proxy.on_request = None
    monkeypatch.setattr(session, "RETRY", replace(session.RETRY, first=0.001))
    return prepared


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> Callable[[], AbstractContextManager[object]]:
    @contextmanager
    def short_timeouts() -> Iterator[None]:
        with monkeypatch.context() as patch:
            patch.setattr(transport, "READ_TIMEOUT", 0.4)
            patch.setattr(transport, "WRITE_TIMEOUT", 0.4)
            yield

    return short_timeouts


def assert_truthful(harness: Harness, done: Done, entries: Entries) -> None:
    """Whether a command ended as one should, and its exit code is no lie."""
    assert "proxysync itself failed" not in done.err
    assert "Traceback" not in done.out + done.err
    if done.code == 0:
        harness.assert_in_sync(entries)
    else:
        assert done.code == 1
        assert "NPM is not in sync with the file." in done.out or done.err.startswith("Error: ")


def assert_recovers(harness: Harness, entries: Entries, foreign: Foreign) -> None:
    """Whether one or two runs bring NPM in sync, without a touch of what is not ours."""
    first = harness.call("apply", "--yes")
    assert_truthful(harness, first, entries)
    if first.code:
        second = harness.call("apply", "--yes")
        assert second.code == 0, second.out + second.err
        harness.assert_in_sync(entries)
    assert harness.foreign() == foreign
    theirs = tuple(
        f"{harness.kinds[name].path}/{row['id']}" for name, rows in foreign.items() for row in rows
    )
    assert not [path for _, path in harness.sandbox.writes if path.startswith(theirs)]


@pytest.mark.parametrize(("kind", "write", "fault"), cases(FAULTS))
def test_a_fault_at_a_write_is_told_and_mended_by_the_next_run(
    at_start: Prepared,
    impatient: Callable[[], AbstractContextManager[object]],
    write: str,
    fault: str,
) -> None:
    harness, foreign = at_start.harness, at_start.harness.foreign()
    asked = writes(at_start.kind.kind)[write]
    entries = edit(at_start.entries, at_start.kind, write)
    harness.write(entries)
    harness.proxy.inject(**FAULTS[fault], **vars(asked))
    with impatient() if FAULTS[fault]["fault"] is Fault.HANG else nullcontext():
        done = harness.call("apply", "--yes")
    assert any(seen.fault for seen in harness.proxy.requests), "the fault was never met"
    if fault == "slow":
        assert done.code == 0, done.out + done.err
    assert_truthful(harness, done, entries)
    assert_recovers(harness, entries, foreign)


@pytest.mark.parametrize("effect", [True, False], ids=["that took effect", "that never came"])
@pytest.mark.parametrize(("kind", "write", "outage"), cases(OUTAGES))
def test_an_npm_that_goes_away_at_a_write_is_put_in_line_when_it_is_back(
    at_start: Prepared, write: str, outage: str, effect: bool
) -> None:
    harness, foreign = at_start.harness, at_start.harness.foreign()
    wanted = writes(at_start.kind.kind)[write]
    entries = edit(at_start.entries, at_start.kind, write)
    harness.write(entries)

    gone, met = Event(), count(1)

    def go_away(_number: int, method: str, path: str, phase: str) -> bool:
        now = (
            method == wanted.method
            and re.fullmatch(wanted.path, path)
            and phase == ("after" if effect else "before")
            and next(met) == wanted.nth
        )
        if now:
            gone.set()
            harness.proxy.on_request = None
            harness.proxy.inject(**OUTAGES[outage], times=None)
        return bool(now)

    harness.proxy.on_request = go_away
    done = harness.call("apply", "--yes")
    assert done.code == 1
    assert_truthful(harness, done, entries)
    assert gone.is_set(), "NPM never went away"

    harness.proxy.lift()
    assert_recovers(harness, entries, foreign)


def save_by_hand_after(harness: Harness, method: str, **fields: Any) -> None:
    """Somebody saves the host in NPM's page when proxysync has written it and not read it again."""

    def hook(_number: int, arrived: str, path: str, phase: str) -> bool:
        if arrived != method or phase != "after" or not re.fullmatch(f"{HOSTS}|{HOST}", path):
            return False
        harness.proxy.on_request = None
        newest = max(row["id"] for row in harness.sandbox.proxy_hosts())
        npm_id = path.rpartition("/")[2] if method == "PUT" else newest
        harness.world.npm.call("PUT", f"{HOSTS}/{npm_id}", fields)
        return False

    harness.proxy.on_request = hook


@pytest.mark.parametrize("kind", ["proxy"])
@pytest.mark.parametrize("write", ["create", "update"])
@pytest.mark.parametrize("fields", [{"forward_port": 9}, {"advanced_config": "# mine"}])
def test_hand_that_saves_right_after_a_write_is_drift_and_no_refusal(
    at_start: Prepared, write: str, fields: dict[str, Any]
) -> None:
    harness = at_start.harness
    entries = edit(at_start.entries, at_start.kind, write)
    harness.write(entries)
    save_by_hand_after(harness, writes(at_start.kind.kind)[write].method, **fields)
    done = harness.call("apply", "--yes")
    assert done.code == 0, done.out
    assert len(harness.sandbox.proxy_hosts()) == len(entries) + 2
    plan = harness.call("plan", "--format", "json").json
    assert [(c["drift"], sorted(c["fields"])) for c in plan["changes"]] == [(True, sorted(fields))]
    assert harness.call("apply", "--yes").code == 0
    harness.assert_in_sync(entries)


@pytest.mark.parametrize("kind", ["proxy"])
def test_what_npm_itself_stores_otherwise_is_still_a_refusal(
    at_start: Prepared, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The answer to the write shows it, too, so that nobody else can have done it."""
    harness = at_start.harness
    entries = edit(at_start.entries, at_start.kind, "create")
    harness.write(entries)
    stored = hosts._stored
    monkeypatch.setattr(hosts, "_stored", lambda data: {**stored(data), "forward_port": 9})
    done = harness.call("apply", "--yes")
    assert done.code == 1
    assert "NPM did not store forward_port as sent" in done.out
    assert len(harness.sandbox.proxy_hosts()) == len(at_start.entries) + 2
