"""The event log over time: rotation, kills, full disks, slow listeners and old rows."""

import errno
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import BinaryIO

import pytest

from proxysync.model import clock
from proxysync.model.event import Event, NewEvent
from proxysync.store import event_file
from proxysync.store.bus import Gap
from proxysync.store.database import Database, StateError, open_for_writing
from proxysync.store.events import EventLog, Retention
from tests.keys import key

SMALL = Retention(file_bytes=2000, older_files=3)
FOREVER = Retention(days=36_500, rows=10**9)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "events.jsonl"


def say(log: EventLog, message: str = "x") -> Event:
    return log.emit(NewEvent("daemon.waiting", message))


def files(path: Path) -> list[Path]:
    """The oldest first."""
    older = [path.with_name(f"{path.name}.{number}") for number in range(9, 0, -1)]
    return [file for file in [*older, path] if file.exists()]


def ids(path: Path) -> list[int]:
    """Those of all files, the oldest first."""
    text = "".join(file.read_text() for file in files(path))
    return [json.loads(line)["id"] for line in text.splitlines()]


def rows(database: Database) -> list[int]:
    return [row["id"] for row in database.query("SELECT id FROM event_log ORDER BY id")]


def test_files_stay_small_and_few_and_go_on_where_the_last_one_ends(
    database: Database, path: Path
) -> None:
    log = EventLog(database, path, retention=SMALL)
    for _ in range(100):
        say(log, "x" * 100)
    assert [file.name for file in files(path)] == [
        "events.jsonl.3",
        "events.jsonl.2",
        "events.jsonl.1",
        "events.jsonl",
    ]
    assert all(1000 < file.stat().st_size <= 2000 for file in files(path)[:3])
    assert all(file.stat().st_mode & 0o777 == 0o600 for file in files(path))
    kept = ids(path)
    assert kept == list(range(kept[0], 101))
    assert kept[0] > 1


def test_an_event_larger_than_a_file_has_one_for_itself(database: Database, path: Path) -> None:
    log = EventLog(database, path, retention=SMALL)
    for message in ("x", "x" * 5000, "x"):
        say(log, message)
    assert [len(file.read_text().splitlines()) for file in files(path)] == [1, 1, 1]


def test_a_start_without_any_file_writes_what_fits_into_them(
    database: Database, path: Path
) -> None:
    log = EventLog(database, path, retention=SMALL)
    for _ in range(60):
        say(log, "x" * 100)
    before = [(file.name, file.read_text()) for file in files(path)]
    for file in files(path):
        file.unlink()
    EventLog(database, path, retention=SMALL)
    assert [(file.name, file.read_text()) for file in files(path)] == before


def test_a_long_backlog_of_rows_is_written_whole(database: Database, path: Path) -> None:
    add(database, 2500, age=lambda _: timedelta())
    EventLog(database, path)
    assert ids(path) == rows(database) == list(range(1, 2501))


def test_a_file_taken_away_from_a_running_log_is_not_written_again(
    database: Database, path: Path
) -> None:
    log = EventLog(database, path)
    say(log)
    path.rename(path.with_name("mine.jsonl"))
    say(log)
    assert ids(path) == [2]


@pytest.mark.parametrize("missing", [1, 2, 3])
def test_a_rotation_that_was_cut_short_is_finished_by_the_next_and_loses_no_file(
    database: Database, path: Path, missing: int
) -> None:
    log = EventLog(database, path, retention=SMALL)
    for _ in range(4):
        say(log, "x" * 1500)
    for number in range(3, missing, -1):
        path.with_name(f"events.jsonl.{number - 1}").rename(
            path.with_name(f"events.jsonl.{number}")
        )
    kept = ids(path)
    say(log, "x" * 1500)
    assert len(files(path)) == 4
    assert ids(path) == [*kept, 5][-4:]


def test_a_file_that_a_rotation_has_only_just_made_goes_on_from_the_one_before(
    database: Database, path: Path
) -> None:
    log = EventLog(database, path, retention=SMALL)
    for _ in range(3):
        say(log)
    path.rename(path.with_name("events.jsonl.1"))
    say(EventLog(database, path, retention=SMALL))
    assert ids(path) == rows(database)
    path.write_bytes(b"")
    say(EventLog(database, path, retention=SMALL))
    assert ids(path) == rows(database)


def test_two_writers_take_turns_across_rotations(
    database: Database, path: Path, tmp_path: Path
) -> None:
    other, _ = open_for_writing(tmp_path / "state.db")
    logs = EventLog(database, path, retention=SMALL), EventLog(other, path, retention=SMALL)
    for number in range(40):
        say(logs[number % 2], "x" * (50 * (number % 5)))
    kept = ids(path)
    assert kept == list(range(kept[0], 41))
    other.close()


def test_two_databases_on_one_file_give_no_id_twice(
    database: Database, path: Path, tmp_path: Path
) -> None:
    other, _ = open_for_writing(tmp_path / "other" / "state.db")
    logs = EventLog(database, path), EventLog(other, path)
    assert [say(logs[number % 2]).id for number in range(6)] == [1, 2, 3, 4, 5, 6]
    assert ids(path) == [1, 2, 3, 4, 5, 6]
    other.close()


def test_the_file_is_read_again_only_after_another_wrote(
    database: Database, path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other, _ = open_for_writing(tmp_path / "state.db")
    log, beside = EventLog(database, path), EventLog(other, path)
    looks: list[BinaryIO] = []
    look = event_file._last_line

    def counted(file: BinaryIO) -> tuple[int, int | None]:
        looks.append(file)
        return look(file)

    monkeypatch.setattr(event_file, "_last_line", counted)
    for _ in range(5):
        say(log)
    assert looks == []
    say(beside)
    say(log)
    assert len(looks) == 2, "each of the two looked once"
    other.close()


@pytest.mark.parametrize("size", [10, 70_000, 700_000])
def test_a_line_of_any_length_is_mended(database: Database, path: Path, size: int) -> None:
    log = EventLog(database, path)
    for message in ("first", "x" * size, "y" * size):
        say(log, message)
    whole = path.read_bytes()
    for cut in (1, size // 2, size + 150):
        path.write_bytes(whole[:-cut])
        EventLog(database, path)
        assert path.read_bytes() == whole


def test_lines_that_are_no_events_at_the_end_are_cut_off(database: Database, path: Path) -> None:
    say(EventLog(database, path))
    whole = path.read_bytes()
    for rubbish in (b"\0" * 4096, b"\0\n\0\n", b'{"id": null}\n', b"[]\n7\n", b"\n\n"):
        path.write_bytes(whole + rubbish)
        EventLog(database, path)
        assert path.read_bytes() == whole


def killed(folder: Path, what: str) -> dict[str, int]:
    done = subprocess.run(
        [sys.executable, "-m", "tests.store.event_log_crash", str(folder), what],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True,
        text=True,
        check=False,
        timeout=55,
    )
    assert done.returncode == 0, done.stderr
    figures: dict[str, int] = json.loads(done.stdout)
    return figures


def test_killed_at_each_step_of_a_rotation_it_loses_and_repeats_nothing(tmp_path: Path) -> None:
    assert killed(tmp_path, "steps")["kills"] > 15


def test_killed_a_hundred_times_while_two_are_busy_it_loses_and_repeats_nothing(
    tmp_path: Path,
) -> None:
    figures = killed(tmp_path, "50")
    assert figures["kills"] == 100
    assert figures["events"] > 2 * figures["in files"], "the oldest must have been rotated away"


def test_a_full_disk_is_a_sentence_and_once_there_is_room_nothing_is_missing(
    database: Database, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = EventLog(database, path)
    say(log)

    def full(_file: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(StateError, match=r"events.jsonl cannot be written: No space left"):
            say(log)
    path.write_bytes(path.read_bytes()[:-30])
    say(log)
    assert ids(path) == rows(database) == [1, 2, 3]


def test_a_name_that_is_no_text_is_recorded_all_the_same(database: Database, path: Path) -> None:
    name = os.fsdecode(b"caf\xe9")
    new = NewEvent("config.invalid", name, key(name), {"problems": [{name: 1}]})
    event = EventLog(database, path).emit(new)
    assert (event.message, event.key) == ("caf?", key("caf?"))
    assert event.data == {"problems": [{"caf?": 1}]}
    assert json.loads(path.read_text()) == event.to_json()


def test_a_subscriber_hears_what_comes_from_then_on_until_it_ends(
    database: Database, path: Path
) -> None:
    log = EventLog(database, path)
    say(log)
    with log.subscribe() as heard:
        assert heard.get(timeout=0) is None
        event = say(log)
        assert heard.get(timeout=0) == event
    say(log)
    assert list(heard) == []


def test_a_slow_listener_holds_up_nobody_and_is_told_what_it_missed(
    database: Database, path: Path
) -> None:
    log = EventLog(database, path)
    slow, quick = log.subscribe(size=3), log.subscribe(size=100)
    for _ in range(10):
        say(log)
    slow.close()
    first, *others = list(slow)
    assert first == Gap(missed=7)
    assert [item.id for item in others if isinstance(item, Event)] == [8, 9, 10]
    assert isinstance(quick.get(timeout=0), Event)


def test_events_of_many_threads_reach_a_waiting_listener_in_the_order_of_their_ids(
    database: Database, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = EventLog(database, path)
    subscription = log.subscribe()
    heard: list[int] = []
    overtaken = threading.Event()
    publish = log._bus.publish

    def slowly(event: Event) -> None:
        if event.id == 1:
            overtaken.wait(0.3)
        overtaken.set()
        publish(event)

    def listen() -> None:
        heard.extend(item.id for item in subscription if isinstance(item, Event))

    monkeypatch.setattr(log._bus, "publish", slowly)
    listener = threading.Thread(target=listen)
    speakers = [threading.Thread(target=lambda: [say(log) for _ in range(5)]) for _ in range(4)]
    for thread in (listener, *speakers):
        thread.start()
    for thread in speakers:
        thread.join()
    subscription.close()
    listener.join()
    assert heard == list(range(1, 21)) == ids(path)
    times = [row["ts"] for row in database.query("SELECT ts FROM event_log ORDER BY id")]
    assert times == sorted(times)


def add(database: Database, count: int, *, age: Callable[[int], timedelta]) -> None:
    """Rows straight into the table; `age` is given 0 for the oldest."""
    now = clock.now()
    with database.transaction() as connection:
        connection.executemany(
            "INSERT INTO event_log (ts, severity, source, event, message, data)"
            " VALUES (?, 'info', 'daemon', 'x', 'x', '{}')",
            [(clock.to_text(now - age(number)),) for number in range(count)],
        )


def test_rows_are_pruned_to_their_number_once_they_are_well_over(
    database: Database, path: Path
) -> None:
    log = EventLog(database, path, retention=replace(FOREVER, rows=2000))
    add(database, 2100, age=lambda _: timedelta())
    assert log.prune() == 0
    add(database, 1, age=lambda _: timedelta())
    assert log.prune() == 101
    assert rows(database) == list(range(102, 2102))
    assert log.prune() == 0


def test_old_rows_are_pruned_once_one_is_well_over(database: Database, path: Path) -> None:
    retention = replace(FOREVER, days=100)
    add(database, 4, age=lambda number: timedelta(days=(104, 101, 99, 2)[number]))
    log = EventLog(database, path, retention=retention)
    assert rows(database) == [1, 2, 3, 4]
    add(database, 1, age=lambda _: timedelta(days=106))
    assert log.prune() == 3
    assert rows(database) == [3, 4]


@pytest.mark.parametrize("ahead", [120, 60, 40_000])
def test_a_clock_that_is_set_forward_does_not_empty_the_log(
    database: Database, path: Path, monkeypatch: pytest.MonkeyPatch, ahead: int
) -> None:
    """Neither at a start, nor hourly, nor at the starts of a crash loop."""
    retention = replace(FOREVER, days=90)
    add(database, 50, age=lambda number: timedelta(days=number))
    before = rows(database)
    real = clock.now
    monkeypatch.setattr(clock, "now", lambda: real() + timedelta(days=ahead))
    for _ in range(3):
        log = EventLog(database, path, retention=retention)
        say(log)
        log.prune()
    assert rows(database)[: len(before)] == before


def test_a_start_prunes_and_ids_go_on_even_if_no_row_is_left(
    database: Database, path: Path
) -> None:
    add(database, 2500, age=lambda number: timedelta(days=200 if number < 2499 else 2))
    log = EventLog(database, path, retention=SMALL)
    assert rows(database) == [2500]
    with database.transaction() as connection:
        connection.execute("DELETE FROM event_log")
    assert say(log).id == 2501


def test_gaps_in_the_ids_do_not_count_as_rows(database: Database, path: Path) -> None:
    log = EventLog(database, path, retention=replace(FOREVER, rows=10))
    say(log)
    with database.transaction() as connection:
        connection.execute("UPDATE sqlite_sequence SET seq = 5000")
    say(log)
    assert log.prune() == 0


def test_emitting_never_prunes(database: Database, path: Path) -> None:
    log = EventLog(database, path, retention=replace(FOREVER, rows=5))
    for _ in range(20):
        say(log)
    assert rows(database) == list(range(1, 21))
