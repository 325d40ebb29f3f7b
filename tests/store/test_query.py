"""Pages of the event log and what is new in it, against what a plain list would say."""

import shutil
import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from proxysync.model import Key, clock
from proxysync.model.event import SEVERITIES, Event, NewEvent
from proxysync.store.database import Database, StateError, open_for_reading, open_for_writing
from proxysync.store.events import EventLog
from proxysync.store.query import EventQuery, Follower, select, select_after
from tests.keys import key

START = datetime(2026, 1, 31, 12, tzinfo=UTC)
SOURCES = ("health", "apply", "npm")
ENTRIES = (key("media"), key("films"), key("media", "stream"), None)
COUNT = 120
MINUTES = st.integers(-2, COUNT + 2)
RELAXED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

queries = st.builds(
    EventQuery,
    severity=st.sampled_from(SEVERITIES),
    source=st.none() | st.sampled_from((*SOURCES, "config")),
    kind=st.none() | st.sampled_from(("proxy", "stream", "certificate")),
    name=st.none() | st.sampled_from(("media", "films", "nobody")),
    since=st.none() | st.builds(lambda minutes: START + timedelta(minutes=minutes), MINUTES),
    before=st.none() | st.integers(0, COUNT + 2),
    limit=st.integers(0, 20),
)


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    """An event each minute, of all sorts in turn."""
    path = tmp_path_factory.mktemp("state") / "state.db"
    writing, _ = open_for_writing(path)
    for number in range(COUNT):
        add(
            writing,
            START + timedelta(minutes=number),
            severity=SEVERITIES[number * 7 % 5 % 3],
            source=SOURCES[number // 2 % 3],
            about=ENTRIES[number // 5 % 4],
        )
    reading = open_for_reading(path)
    assert reading is not None
    yield reading
    reading.close()
    writing.close()


def add(
    database: Database,
    moment: datetime,
    *,
    severity: str = "info",
    source: str = "daemon",
    about: Key | None = None,
) -> None:
    with database.transaction() as connection:
        connection.execute(
            "INSERT INTO event_log (ts, severity, source, event, kind, name, message, data)"
            " VALUES (?, ?, ?, 'x', ?, ?, 'x', '{}')",
            (clock.to_text(moment), severity, source, about and about.kind, about and about.name),
        )


def matches(event: Event, query: EventQuery) -> bool:
    return (
        SEVERITIES.index(event.severity) >= SEVERITIES.index(query.severity)
        and query.source in (None, event.source)
        and query.kind in (None, event.key and event.key.kind)
        and query.name in (None, event.key and event.key.name)
        and (query.since is None or clock.from_text(event.ts) >= query.since)
        and (query.before is None or event.id < query.before)
    )


def everything(database: Database) -> list[Event]:
    events = select(database, EventQuery(limit=10 * COUNT))
    assert [event.id for event in events] == list(range(COUNT, 0, -1))
    return events


@RELAXED
@given(query=queries)
def test_a_page_holds_the_newest_that_match(database: Database, query: EventQuery) -> None:
    expected = [event for event in everything(database) if matches(event, query)]
    assert select(database, query) == expected[: query.limit]


@RELAXED
@given(query=queries, after=st.integers(0, COUNT + 2))
def test_what_comes_after_an_id_holds_the_oldest_that_match(
    database: Database, query: EventQuery, after: int
) -> None:
    later = [event for event in everything(database)[::-1] if event.id > after]
    expected = [event for event in later if matches(event, query)]
    assert select_after(database, query, after) == expected[: query.limit]


@RELAXED
@given(query=queries)
def test_page_after_page_shows_each_event_once(database: Database, query: EventQuery) -> None:
    query = replace(query, limit=7)
    whole = select(database, replace(query, limit=COUNT))
    pages: list[Event] = []
    while page := select(database, query):
        pages += page
        query = replace(query, before=page[-1].id)
    assert pages == whole


@RELAXED
@given(query=queries)
def test_no_query_scans_or_sorts_the_table(database: Database, query: EventQuery) -> None:
    said: list[str] = []
    connection = database._connection
    connection.set_trace_callback(said.append)
    select(database, query)
    connection.set_trace_callback(None)
    assert said
    for sql in said:
        for row in connection.execute(f"EXPLAIN QUERY PLAN {sql}"):
            assert "TEMP B-TREE" not in row["detail"]
            assert not row["detail"].startswith("SCAN ")
            by_id = "USING INTEGER PRIMARY KEY" in row["detail"]
            assert not by_id or query.matches_all


def test_a_clock_that_was_set_back_hides_no_later_event(tmp_path: Path) -> None:
    database, _ = open_for_writing(tmp_path / "state.db")
    for hours in (0, 1, -5, 2):
        add(database, START + timedelta(hours=hours))
    found = select(database, EventQuery(since=START + timedelta(minutes=30)))
    assert [event.id for event in found] == [4, 2]
    database.close()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "state.db"


def open_log(path: Path) -> tuple[Database, EventLog]:
    database, _ = open_for_writing(path)
    return database, EventLog(database, path.with_name("events.jsonl"))


OF_SEVERITY = {"info": "daemon.waiting", "warn": "daemon.held", "error": "daemon.fault"}


def say(log: EventLog, *messages: str, severity: str = "info") -> None:
    for message in messages:
        log.emit(NewEvent(OF_SEVERITY[severity], message))


def messages(events: list[Event]) -> list[str]:
    return [event.message for event in events]


def test_a_follower_begins_with_the_newest_and_goes_on_with_what_is_new(path: Path) -> None:
    database, log = open_log(path)
    say(log, "one", "two", "three")
    follower = Follower(path, EventQuery(limit=2))
    assert messages(follower.begin()) == ["two", "three"]
    assert follower.new() == []
    say(log, "four", "five", "six")
    assert messages(follower.new()) == ["four", "five", "six"]
    assert follower.new() == []
    follower.close()
    database.close()


def test_a_follower_gets_a_backlog_of_any_length(path: Path) -> None:
    database, log = open_log(path)
    follower = Follower(path, EventQuery("warn", limit=0))
    say(log, "before", severity="error")
    assert follower.begin() == []
    for number in range(2500):
        add(database, clock.now(), severity=SEVERITIES[number % 2])
    found: list[Event] = []
    while batch := follower.new():
        found += batch
    assert [event.id for event in found] == list(range(3, 2502, 2))
    follower.close()
    database.close()


def test_a_follower_waits_for_a_state_to_come(path: Path) -> None:
    follower = Follower(path, EventQuery())
    assert follower.begin() == []
    assert follower.new() == []
    database, log = open_log(path)
    say(log, "one")
    assert messages(follower.new()) == ["one"]
    follower.close()
    database.close()


def test_a_follower_of_an_older_release_s_state_shows_only_what_comes_after_its_update(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clock, "now", lambda: START)
    database, log = open_log(path)
    say(log, "old")
    with database.transaction() as connection:
        connection.execute("UPDATE event_log SET ts = '2026-01-31T11:59:00.000Z'")
    set_version(path, -1)
    follower = Follower(path, EventQuery())
    assert follower.begin() == []
    set_version(path, +1)
    say(log, "new")
    assert messages(follower.new()) == ["new"]
    follower.close()
    database.close()


def set_version(path: Path, step: int) -> None:
    connection = sqlite3.connect(path)
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    connection.execute(f"PRAGMA user_version = {version + step}")
    connection.close()


def test_a_follower_goes_on_with_a_database_that_replaced_a_damaged_one(path: Path) -> None:
    database, log = open_log(path)
    say(log, "one", "two")
    follower = Follower(path, EventQuery())
    assert messages(follower.begin()) == ["one", "two"]
    database.close()
    for file in path.parent.glob("state.db*"):
        file.unlink()
    path.write_bytes(b"no database")
    with pytest.raises(StateError, match="cannot be read"):
        follower.new()
    database, log = open_log(path)
    say(log, "three")
    assert [(event.id, event.message) for event in follower.new()] == [(3, "three")]
    follower.close()
    database.close()


def test_a_follower_goes_on_with_a_state_that_was_begun_anew(path: Path) -> None:
    database, log = open_log(path)
    say(log, "one", "two")
    follower = Follower(path, EventQuery())
    follower.begin()
    database.close()
    shutil.rmtree(path.parent)
    assert follower.new() == []
    database, log = open_log(path)
    say(log, "afresh")
    assert [(event.id, event.message) for event in follower.new()] == [(1, "afresh")]
    follower.close()
    database.close()


def test_a_follower_does_not_repeat_what_a_restored_copy_holds(path: Path, tmp_path: Path) -> None:
    database, log = open_log(path)
    say(log, "one", "two")
    copy, to = tmp_path / "copy.db", sqlite3.connect(tmp_path / "copy.db")
    database._connection.backup(to)
    to.close()
    say(log, "three")
    follower = Follower(path, EventQuery())
    assert messages(follower.begin()) == ["one", "two", "three"]
    database.close()
    copy.replace(path)
    assert follower.new() == []
    database, log = open_log(path)
    say(log, "four")
    assert messages(follower.new()) == ["four"]
    follower.close()
    database.close()


def test_reading_works_while_another_writes_and_shows_only_what_is_whole(path: Path) -> None:
    database, log = open_log(path)
    say(log, "one")
    reading = open_for_reading(path)
    assert reading is not None
    with database.transaction() as connection:
        connection.execute("UPDATE event_log SET message = 'half'")
        assert messages(select(reading, EventQuery())) == ["one"]
    reading.close()
    database.close()


def test_damage_found_while_reading_is_a_sentence(path: Path) -> None:
    database, log = open_log(path)
    say(log, *["x" * 3000] * 50)
    database.close()
    content = bytearray(path.read_bytes())
    content[4096 * 3 :] = b"\xff" * (len(content) - 4096 * 3)
    path.write_bytes(content)
    reading = open_for_reading(path)
    assert reading is not None
    with pytest.raises(StateError, match="cannot be read") as caught:
        select(reading, EventQuery())
    assert "proxysync apply" in str(caught.value)
    reading.close()
