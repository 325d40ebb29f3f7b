"""What the daemon says about what it finds, in the process of the test."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from proxysync.app.workspace import Workspace
from proxysync.apply.lock import write_lock
from proxysync.daemon.monitoring import Monitoring
from proxysync.daemon.service import Service
from proxysync.health.monitor import Monitor
from proxysync.model.event import UNRECORDED, Event, NewEvent
from proxysync.npm.client import NpmClient
from proxysync.npm.session import Session
from proxysync.npm.transport import Transport
from proxysync.sandbox import Sandbox
from proxysync.store import event_queue
from proxysync.store.database import StateError, open_for_writing
from proxysync.store.event_queue import EventQueue
from proxysync.store.events import EventLog
from proxysync.store.health import HealthStore
from proxysync.store.journal import Journal
from proxysync.store.state import State

GOOD = "proxies: {one: {domains: [one.example.com], upstream: 'http://127.0.0.1:1'}}\n"
BAD = "proxies: [\n"


class Stage:
    """A service that nothing drives, and what it said."""

    def __init__(self, folder: Path, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self.file = folder / "proxies.yaml"
        self.database, _ = open_for_writing(folder / "state.db")
        self.events = EventLog(self.database, folder / "events.jsonl")
        sandbox.add_user("own@example.com", "pw", permissions={"proxy_hosts": "manage"})
        npm = NpmClient(
            Session(Transport(sandbox.url), "own@example.com", "pw", pause=lambda _seconds: None)
        )
        self.url = npm.url
        self.service = Service(
            self.file,
            folder,
            Workspace(npm, State(self.database), Journal(self.database), self.events.emit),
            EventQueue(self.events),
            self.database,
            Monitoring(npm, Monitor(HealthStore(self.database), self.events)),
            environ={},
            stop=lambda: False,
        )

    def names(self) -> list[str]:
        """Of the entries that are in NPM."""
        return sorted(row["meta"]["proxysync"]["name"] for row in self.sandbox.proxy_hosts())

    def said(self) -> list[str]:
        rows = self.database.query("SELECT event FROM event_log ORDER BY id")
        return [row["event"] for row in rows]

    def messages(self) -> list[str]:
        rows = self.database.query("SELECT message FROM event_log ORDER BY id")
        return [row["message"] for row in rows]

    def load(self, text: str, *, asked: bool = False) -> bool:
        self.file.write_text(text)
        return self.service.load(asked=asked)


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    with Sandbox() as sandbox:
        made = Stage(tmp_path, sandbox)
        yield made
        made.database.close()


def test_an_account_that_does_not_see_all_is_told_of_once(stage: Stage) -> None:
    stage.load("settings: {validation: {mode: 'off'}}\n" + GOOD)
    for _ in range(2):
        stage.service.reconcile()
    assert stage.said().count("npm.visibility") == 1


def test_who_asks_hears_what_came_of_it_and_nobody_else_twice(stage: Stage) -> None:
    assert stage.load(GOOD)
    assert not stage.load(GOOD)
    assert not stage.load(GOOD, asked=True)
    assert not stage.load(BAD)
    assert not stage.load(BAD)
    assert not stage.load(BAD, asked=True)
    assert stage.load(GOOD, asked=False)
    assert stage.load(GOOD + "# edited\n", asked=True)
    assert stage.said() == [
        "config.loaded",
        "config.unchanged",
        "config.invalid",
        "config.invalid",
        "config.loaded",
        "config.loaded",
    ]


def test_a_writer_that_never_ends_is_told_once_as_an_error(
    stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("proxysync.daemon.service.LOCK_PATIENCE", 0.0)
    stage.load(GOOD)
    other = tmp_path / "other"
    other.mkdir()
    with write_lock(other, stage.url):
        for _ in range(2):
            assert stage.service.reconcile() is None, "the next resync tries again"
    assert stage.said() == ["config.loaded", "daemon.locked"]


def test_an_entry_of_a_file_that_is_gone_stays_until_the_wait_is_over(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage.file.mkdir()
    one, two = stage.file / "1.yaml", stage.file / "2.yaml"
    one.write_text("settings: {validation: {mode: 'off'}}\n" + GOOD)
    two.write_text(GOOD.replace("one", "two"))
    assert stage.service.load()
    stage.service.reconcile()
    assert stage.names() == ["one", "two"]

    two.unlink()
    assert stage.service.load()
    pause = stage.service.reconcile()
    assert pause is not None
    assert 0 < pause <= 30
    assert stage.names() == ["one", "two"]
    assert stage.said().count("config.missing") == 1

    monkeypatch.setattr("proxysync.daemon.vanished.GIVE_UP_AFTER", 0.0)
    assert stage.service.reconcile() is None
    assert stage.names() == ["one"]
    assert stage.said().count("config.missing") == 1


def test_an_entry_that_was_blocked_for_days_ends_nothing(stage: Stage) -> None:
    """The pause doubles with each try, and no time is that long."""
    stage.load(GOOD)
    stage.service.reconcile()
    with stage.database.transaction() as connection:
        connection.execute("UPDATE blocked SET tries = 5000, next_try = since")
    pause = stage.service.reconcile()
    assert pause is not None
    assert 500 < pause <= 600


def test_what_cannot_be_recorded_is_recorded_later_in_order_and_with_its_time(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue = EventQueue(stage.events)
    heard = stage.events.subscribe()
    connection = stage.database._connection
    monkeypatch.setattr(stage.database, "_connection", Unwritable())
    for number in range(5):
        queue.emit(NewEvent("daemon.waiting", str(number)))
    with pytest.raises(StateError):
        queue.flush()
    with pytest.raises(StateError):
        queue.emit(NewEvent("edge.served", "what goes with it"), also=pytest.fail)
    monkeypatch.setattr(stage.database, "_connection", connection)
    queue.emit(NewEvent("daemon.waiting", "5"))
    queue.flush()
    assert stage.messages() == [str(number) for number in range(6)]
    told = [heard.get(0) for _ in range(6)]
    assert [event.id for event in told if isinstance(event, Event)] == [UNRECORDED] * 6
    times = [row["ts"] for row in stage.database.query("SELECT ts FROM event_log ORDER BY id")]
    assert times == [event.ts for event in told if isinstance(event, Event)]


def test_of_too_many_that_wait_the_oldest_are_lost_and_counted(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_queue, "MOST_KEPT", 3)
    queue = EventQueue(stage.events)
    connection = stage.database._connection
    monkeypatch.setattr(stage.database, "_connection", Unwritable())
    for number in range(5):
        queue.emit(NewEvent("daemon.waiting", str(number)))
    monkeypatch.setattr(stage.database, "_connection", connection)
    queue.flush()
    assert stage.messages()[:3] == ["2", "3", "4"]
    assert stage.said() == ["daemon.waiting"] * 3 + ["events.lost"]


class Unwritable:
    """A connection to a database that another program has locked."""

    in_transaction = False

    def execute(self, *_: object) -> None:
        raise sqlite3.OperationalError("database is locked")
