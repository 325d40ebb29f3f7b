"""Each thing is said once, whatever happens between the event and the rows that say so."""

import errno
import os
import sqlite3
from collections.abc import Callable
from typing import Any

import pytest

from proxysync.health import writer as module
from proxysync.health.writer import Finding, Writer
from proxysync.model.clock import now
from proxysync.model.event import NewEvent
from proxysync.model.health import Check, HealthState
from proxysync.store.database import Database
from proxysync.store.events import EventLog
from proxysync.store.health import HealthStore
from tests.keys import key

DOWN = NewEvent("health.network_down", "down")
BACK = NewEvent("health.network_back", "back")
ILL = NewEvent("health.changed", "ill", key("media"), {"to": "unhealthy"}, "warn")


class Killed(BaseException):
    """The process is gone: nothing after this line happens."""


def finding() -> Finding:
    return Finding(key("media"), HealthState("unhealthy", now(), -2), Check(now(), ok=False), ILL)


def dying_at(connection: sqlite3.Connection, step: int) -> Any:
    """The connection of a process that is killed before the statement of this number."""

    class Mortal:
        left = step

        def __getattr__(self, name: str) -> Any:
            return getattr(connection, name)

        def execute(self, sql: str, *values: Any) -> Any:
            if sql != "ROLLBACK":
                self._age()
            return connection.execute(sql, *values)

        def executemany(self, sql: str, rows: Any) -> Any:
            self._age()
            return connection.executemany(sql, rows)

        def _age(self) -> None:
            self.left -= 1
            if self.left < 0:
                raise Killed

    return Mortal()


JOBS: dict[str, Callable[[Writer], object]] = {
    "network_down": lambda writer: writer.fire(DOWN, "network"),
    "network_back": lambda writer: writer.resolve(BACK, "network"),
    "certificate": lambda writer: writer.fire(DOWN, "certificate 1 7", "certificate 1 21"),
    "changed": lambda writer: writer._take(finding()),
}


@pytest.mark.parametrize("job", JOBS)
def test_a_kill_at_any_statement_leaves_both_the_event_and_its_rows_or_neither(
    job: str, database: Database, store: HealthStore, events: EventLog
) -> None:
    writer = Writer(store, events)
    before = job == "network_back"

    def rows() -> tuple[int, bool]:
        said = database.query("SELECT id FROM event_log WHERE event != 'health.failed'")
        return len(said), bool(store.alerts.active() or store.standings()) != before

    if before:
        writer.fire(NewEvent("health.failed", "down"), "network")
    whole, step = database._connection, 0
    while rows()[0] == 0:
        database._connection = dying_at(whole, step)
        try:
            JOBS[job](writer)
        except Killed:
            step += 1
        finally:
            database._connection = whole
        assert rows() in ((0, False), (1, True))
        assert step < 30
    if job != "changed":
        JOBS[job](writer)
    assert rows() == (1, True)
    assert step > 3


def test_what_is_recorded_is_not_said_again_because_its_line_has_to_wait(
    database: Database, store: HealthStore, events: EventLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PAUSE", 0.01)

    def full(_file: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    writer = Writer(store, events)
    writer.start()
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        writer.put(finding())
        writer.put(lambda writer: writer.fire(DOWN, "network"))
        writer.stop()
    said = [row["event"] for row in database.query("SELECT event FROM event_log ORDER BY id")]
    assert said == ["health.changed", "health.network_down"]
    assert store.standings()[key("media")].status == "unhealthy"


def test_what_the_database_does_not_take_now_is_tried_again(
    database: Database, store: HealthStore, events: EventLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PAUSE", 0.01)
    writer = Writer(store, events)
    with monkeypatch.context() as patch:
        patch.setattr(database, "_connection", dying_with_an_error(database._connection))
        writer._todo.append(finding())
        writer._write()
        assert len(writer._todo) == 1
    writer._write()
    assert [event.event for event in store.last_events(key("media"))] == ["health.changed"]


def dying_with_an_error(connection: sqlite3.Connection) -> Any:
    class Full:
        def __getattr__(self, name: str) -> Any:
            return getattr(connection, name)

        def execute(self, sql: str, *values: Any) -> Any:
            if sql == "COMMIT":
                connection.execute("ROLLBACK")  # as SQLite does when the disk is full
                raise sqlite3.OperationalError("database or disk is full")
            return connection.execute(sql, *values)

    return Full()
