"""The state and the event log, with whatever a kill or a bad disk can do to them."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import textwrap
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from proxysync.model import Applied, clock
from proxysync.model.event import Event, NewEvent
from proxysync.model.health import Check, HealthState
from proxysync.store.bus import Bus
from proxysync.store.database import Database, StateError, open_for_reading, open_for_writing
from proxysync.store.events import EventLog
from proxysync.store.health import HealthStore, Record
from proxysync.store.schema import MIGRATIONS
from proxysync.store.state import FailedEntry, State
from tests.keys import key

ROW = Applied(key("media"), 7, {"forward_port": 8096}, "2026-01-31 12:00:00")


def lines(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_what_was_applied_is_remembered_and_forgotten(database: Database) -> None:
    state = State(database)
    state.record(ROW)
    assert state.applied() == (ROW,)
    state.forget([key("media")])
    assert state.applied() == ()


def test_a_renamed_entry_leaves_no_row_of_its_old_name(database: Database) -> None:
    state = State(database)
    state.record(ROW)
    renamed = Applied(key("films"), 7, ROW.fields, ROW.created_on)
    state.record(renamed, replaces="media")
    assert state.applied() == (renamed,)


def test_targets_do_not_see_each_other(database: Database) -> None:
    State(database, "home").record(ROW)
    assert State(database, "office").applied() == ()


def test_failures_are_remembered_until_cleared(database: Database) -> None:
    state = State(database)
    failure = FailedEntry(key("media"), {"a": 1}, None, "nginx refuses it", retry=False)
    state.add_failure(failure)
    assert state.failures() == (failure,)
    state.clear_failure(key("media"))
    assert state.failures() == ()


def test_tries_of_a_blocked_entry_count_until_its_definition_changes(database: Database) -> None:
    state = State(database)
    pause = timedelta(seconds=15)
    state.block(key("media"), "digest", "refused", "start it", pause)
    first = state.blocked()[0]
    state.block(key("media"), "digest", "refused", "start it", pause)
    second = state.blocked()[0]
    assert (second.tries, second.since) == (2, first.since)
    state.block(key("media"), "other", "refused", "start it", pause)
    assert state.blocked()[0].tries == 1
    state.unblock([key("media")])
    assert state.blocked() == ()


def test_entries_of_one_name_and_of_two_kinds_are_apart(database: Database, tmp_path: Path) -> None:
    state, health = State(database), HealthStore(database)
    proxy, stream = key("media"), key("media", "stream")
    for number, entry in enumerate((proxy, stream)):
        state.record(replace(ROW, key=entry, npm_id=number))
        state.add_failure(FailedEntry(entry, {}, None, "no", retry=False))
        state.block(entry, "digest", entry.kind, None, timedelta(seconds=15))
        health.save([Record(entry, HealthState("healthy"), Check(clock.now(), ok=True))])
        events = EventLog(database, tmp_path / "events.jsonl")
        state.edges.tell(events.emit, {entry: ("not_served", entry.kind)})
    state.forget([stream])
    state.unblock([stream])
    health.forget([stream])
    assert [row.key for row in state.applied()] == [proxy]
    assert [failure.key for failure in state.failures()] == [proxy]
    assert [(one.key, one.reason) for one in state.blocked()] == [(proxy, "proxy")]
    assert health.standings() == {proxy: HealthState("healthy"), stream: HealthState()}
    assert state.edges.standings().keys() == state.edges.told() == {proxy}
    assert [event.message for event in health.last_events(stream)] == [
        "media is not served: stream"
    ]


def test_state_survives_and_is_for_its_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "state" / "state.db"
    opened, _ = open_for_writing(path)
    State(opened).record(ROW)
    opened.close()
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    again = open_for_reading(path)
    assert again is not None
    assert State(again).applied() == (ROW,)
    with pytest.raises(StateError, match="cannot be written"):
        State(again).record(ROW)
    again.close()


@pytest.mark.parametrize(
    "damage", [b"not a database at all", b"SQLite format 3\x00" + b"\xff" * 9000]
)
def test_a_damaged_file_is_set_aside_and_a_new_one_begun(tmp_path: Path, damage: bytes) -> None:
    path = tmp_path / "state.db"
    path.write_bytes(damage)
    with pytest.raises(StateError, match="cannot be read"):
        open_for_reading(path)
    opened, aside = open_for_writing(path)
    assert aside is not None
    assert aside.read_bytes() == damage
    assert State(opened).applied() == ()
    opened.close()


def test_a_database_of_a_newer_release_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    opened, _ = open_for_writing(path)
    opened.close()
    with sqlite3.connect(path) as connection:
        connection.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
    connection.close()
    with pytest.raises(StateError, match="newer proxysync"):
        open_for_writing(path)
    with pytest.raises(StateError, match="newer proxysync"):
        open_for_reading(path)


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StateError, match="is no folder") as caught:
        open_for_writing(tmp_path / "file" / "state.db")
    assert "PROXYSYNC_STATE_DIR" in str(caught.value)


def test_events_go_to_both_places_with_the_same_ids_and_to_listeners(
    database: Database, tmp_path: Path
) -> None:
    path = tmp_path / "events.jsonl"
    bus = Bus()
    listener = bus.subscribe(10)
    events = EventLog(database, path, bus=bus)
    events.emit(NewEvent("daemon.started", "up"))
    data = {"to": "unhealthy"}
    events.emit(NewEvent("health.changed", "ill", key("media"), data, "warn"))
    rows = [dict(row) for row in database.query("SELECT id, event, kind, name FROM event_log")]
    assert rows == [{k: line[k] for k in ("id", "event", "kind", "name")} for line in lines(path)]
    assert lines(path)[1] == {
        "id": 2,
        "ts": lines(path)[1]["ts"],
        "severity": "warn",
        "source": "health",
        "event": "health.changed",
        "kind": "proxy",
        "name": "media",
        "message": "ill",
        "data": {"to": "unhealthy"},
    }
    listener.close()
    assert [event.id for event in listener if isinstance(event, Event)] == [1, 2]


def test_a_value_that_came_from_a_variable_is_masked(database: Database, tmp_path: Path) -> None:
    events = EventLog(database, tmp_path / "events.jsonl")
    events.mask({"hunter2": "${TOKEN}"})
    data = {"problems": [{"hunter2": "a hunter2 b"}]}
    events.emit(NewEvent("config.invalid", "set hunter2", data=data))
    assert "hunter2" not in (tmp_path / "events.jsonl").read_text()
    assert lines(tmp_path / "events.jsonl")[0]["message"] == "set ${TOKEN}"


def test_a_torn_last_line_is_mended_and_what_is_missing_is_added(
    database: Database, tmp_path: Path
) -> None:
    path = tmp_path / "events.jsonl"
    events = EventLog(database, path)
    for number in range(3):
        events.emit(NewEvent("daemon.waiting", str(number)))
    whole = path.read_bytes()
    path.write_bytes(whole[:-20])
    EventLog(database, path).emit(NewEvent("daemon.waiting", "3"))
    assert [line["id"] for line in lines(path)] == [1, 2, 3, 4]
    assert path.read_bytes().startswith(whole)


def test_ids_go_on_after_the_database_was_lost(database: Database, tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    EventLog(database, path).emit(NewEvent("daemon.waiting", "old"))
    fresh, _ = open_for_writing(tmp_path / "new" / "state.db")
    assert EventLog(fresh, path).emit(NewEvent("daemon.waiting", "new")).id == 2
    fresh.close()
    assert [line["id"] for line in lines(path)] == [1, 2]


BUSY = """
    import sys
    from pathlib import Path
    from proxysync.model.event import NewEvent
    from proxysync.store.database import open_for_writing
    from proxysync.store.events import EventLog
    folder = Path(sys.argv[1])
    database, _ = open_for_writing(folder / "state.db")
    events = EventLog(database, folder / "events.jsonl")
    print("ready", flush=True)
    while True:
        events.emit(NewEvent("daemon.waiting", "x" * 500))
"""


def test_two_busy_writers_killed_again_and_again_lose_and_repeat_nothing(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    for _ in range(8):
        writers = [
            subprocess.Popen(
                [sys.executable, "-c", textwrap.dedent(BUSY), str(tmp_path)],
                stdout=subprocess.PIPE,
                env={"PATH": os.environ["PATH"]},
            )
            for _ in range(2)
        ]
        for writer in writers:
            assert writer.stdout is not None
            writer.stdout.readline()
        size = path.stat().st_size
        while path.stat().st_size < size + 20_000:
            pass
        for writer in writers:
            writer.send_signal(signal.SIGKILL)
            writer.communicate()
    database, _ = open_for_writing(tmp_path / "state.db")
    EventLog(database, path)
    ids = [line["id"] for line in lines(path)]
    assert ids == [row["id"] for row in database.query("SELECT id FROM event_log ORDER BY id")]
    database.close()


def test_a_state_of_another_user_is_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "state.db"
    open_for_writing(path)[0].close()
    monkeypatch.setattr(os, "access", lambda _path, _mode: False)  # root may read everything
    with pytest.raises(StateError, match="Permission denied") as caught:
        open_for_reading(path)
    assert caught.value.hint is not None
    assert "sudo -u" in caught.value.hint


def test_a_transaction_within_another_is_a_part_of_it(database: Database) -> None:
    def forget_and_fail() -> None:
        with database.transaction(), database.transaction() as connection:
            connection.execute("DELETE FROM hold")
            raise KeyError

    State(database).set_hold({"f"}, 1)
    with pytest.raises(KeyError):
        forget_and_fail()
    assert State(database).hold() is not None
    with database.transaction(), database.transaction() as connection:
        connection.execute("DELETE FROM hold")
    assert State(database).hold() is None
