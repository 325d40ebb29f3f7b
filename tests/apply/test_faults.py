"""NPM fails in every way at every kind of write, and is put in sync once it is well again."""

import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, replace
from threading import Event
from typing import Any

import pytest

from proxysync.npm import session, transport
from proxysync.sandbox import hosts
from tests.apply.harness import Checkpoint, Harness, open_harness
from tests.faults import Fault
from tests.world import HOST, HOSTS, Done, domain

Entries = dict[str, dict[str, Any]]


def prepared(harness: Harness) -> Entries:
    urls = [toy.url for toy in harness.toys]
    return {
        "alpha": {"upstream": urls[0]},
        "beta": {"upstream": urls[1]},
        "gamma": {"upstream": urls[2]},
        "delta": {"upstream": urls[0]},
    }


def edit(entries: Entries, kind: str, upstream: str) -> Entries:
    """The file after an edit that leads to this kind of write."""
    entries = {name: dict(entry) for name, entry in entries.items()}
    if kind == "create":
        entries["new"] = {"upstream": upstream}
    elif kind == "update":
        entries["alpha"]["upstream"] = upstream
    elif kind == "disable":
        entries["alpha"]["enabled"] = False
    elif kind == "delete":
        del entries["delta"]
    elif kind == "rename":
        entries["omega"] = {"domains": [domain("alpha")], **entries.pop("alpha")}
    elif kind == "release":
        entries["alpha"]["domains"] = [domain("beta")]
        entries["beta"]["domains"] = [domain("alpha")]
    else:
        entries["alpha"]["advanced_config"] = "client_max_body_size 9m;"
    return entries


REQUESTS = {
    "create": ("POST", HOSTS),
    "update": ("PUT", HOST),
    "disable": ("POST", f"{HOST}/disable"),
    "delete": ("DELETE", HOST),
    "rename": ("PUT", HOST),
    "release": ("PUT", HOST),
    "canary": ("POST", HOSTS),
    "canary removal": ("DELETE", HOST),
}

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


@dataclass
class Prepared:
    harness: Harness
    start: Checkpoint
    entries: Entries


@pytest.fixture(scope="module")
def prepared_harness() -> Iterator[Prepared]:
    with open_harness() as harness:
        entries = prepared(harness)
        harness.write(entries)
        assert harness.call("apply", "--yes").code == 0
        yield Prepared(harness, Checkpoint(harness.sandbox, harness.world.folder), entries)


@pytest.fixture
def at_start(prepared_harness: Prepared, monkeypatch: pytest.MonkeyPatch) -> Prepared:
    prepared_harness.start.restore()
    prepared_harness.harness.proxy.lift()
    prepared_harness.harness.proxy.forget()
    prepared_harness.harness.proxy.on_request = None
    monkeypatch.setattr(session, "RETRY", replace(session.RETRY, first=0.001))
    return prepared_harness


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


def assert_recovers(harness: Harness, entries: Entries, foreign: object) -> None:
    """Whether one or two runs bring NPM in sync, without a touch of what is not ours."""
    first = harness.call("apply", "--yes")
    assert_truthful(harness, first, entries)
    if first.code:
        second = harness.call("apply", "--yes")
        assert second.code == 0, second.out + second.err
        harness.assert_in_sync(entries)
    assert harness.foreign() == foreign
    theirs = tuple(f"{HOSTS}/{row['id']}" for row in harness.foreign())
    assert not [path for _, path in harness.sandbox.writes if path.startswith(theirs)]


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("kind", REQUESTS)
def test_a_fault_at_a_write_is_told_and_mended_by_the_next_run(
    at_start: Prepared,
    impatient: Callable[[], AbstractContextManager[object]],
    kind: str,
    fault: str,
) -> None:
    harness, foreign = at_start.harness, at_start.harness.foreign()
    method, path = REQUESTS[kind]
    entries = edit(at_start.entries, kind, harness.toys[2].url)
    harness.write(entries)
    harness.proxy.inject(**FAULTS[fault], method=method, path=path)
    with impatient() if FAULTS[fault]["fault"] is Fault.HANG else nullcontext():
        done = harness.call("apply", "--yes")
    assert any(seen.fault for seen in harness.proxy.requests), "the fault was never met"
    if fault == "slow":
        assert done.code == 0, done.out + done.err
    assert_truthful(harness, done, entries)
    assert_recovers(harness, entries, foreign)


@pytest.mark.parametrize("effect", [True, False], ids=["that took effect", "that never came"])
@pytest.mark.parametrize("outage", OUTAGES)
@pytest.mark.parametrize("kind", REQUESTS)
def test_an_npm_that_goes_away_at_a_write_is_put_in_line_when_it_is_back(
    at_start: Prepared, kind: str, outage: str, effect: bool
) -> None:
    harness, foreign = at_start.harness, at_start.harness.foreign()
    method, path = REQUESTS[kind]
    entries = edit(at_start.entries, kind, harness.toys[2].url)
    harness.write(entries)

    gone = Event()

    def go_away(_number: int, asked: str, where: str, phase: str) -> bool:
        now = (
            asked == method
            and re.fullmatch(path, where)
            and phase == ("after" if effect else "before")
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


@pytest.mark.parametrize("kind", ["create", "update"])
@pytest.mark.parametrize("fields", [{"forward_port": 9}, {"advanced_config": "# mine"}])
def test_hand_that_saves_right_after_a_write_is_drift_and_no_refusal(
    at_start: Prepared, kind: str, fields: dict[str, Any]
) -> None:
    harness = at_start.harness
    entries = edit(at_start.entries, kind, harness.toys[1].url)
    harness.write(entries)
    save_by_hand_after(harness, REQUESTS[kind][0], **fields)
    done = harness.call("apply", "--yes")
    assert done.code == 0, done.out
    assert len(harness.sandbox.proxy_hosts()) == len(entries) + 2
    plan = harness.call("plan", "--format", "json").json
    assert [(c["drift"], sorted(c["fields"])) for c in plan["changes"]] == [(True, sorted(fields))]
    assert harness.call("apply", "--yes").code == 0
    harness.assert_in_sync(entries)


def test_what_npm_itself_stores_otherwise_is_still_a_refusal(
    at_start: Prepared, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The answer to the write shows it, too, so that nobody else can have done it."""
    harness = at_start.harness
    entries = edit(at_start.entries, "create", harness.toys[1].url)
    harness.write(entries)
    stored = hosts._stored
    monkeypatch.setattr(hosts, "_stored", lambda data: {**stored(data), "forward_port": 9})
    done = harness.call("apply", "--yes")
    assert done.code == 1
    assert "NPM did not store forward_port as sent" in done.out
    assert len(harness.sandbox.proxy_hosts()) == len(at_start.entries) + 2
