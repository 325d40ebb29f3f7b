"""`proxysync events`, run as its users run it."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import pytest

from proxysync.model.event import SEVERITIES, NewEvent
from proxysync.store.database import Database, open_for_writing
from proxysync.store.events import EventLog, Retention
from tests.keys import key
from tests.world import eventually


@dataclass
class Home:
    """A state folder and the command that reads it."""

    state: Path

    def command(self, *words: str) -> list[str]:
        return [sys.executable, "-m", "proxysync", "events", *words]

    @property
    def env(self) -> dict[str, str]:
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.state.parent),
            "PYTHONWARNINGS": "error",
            "PROXYSYNC_STATE_DIR": str(self.state),
            "TZ": "EAST-3",
        }

    def run(self, *words: str, **env: str) -> "subprocess.CompletedProcess[str]":
        done = subprocess.run(
            self.command(*words),
            env={**self.env, **env},
            capture_output=True,
            text=True,
            check=False,
            timeout=30,
        )
        assert "Traceback" not in done.stderr
        return done

    def events(self, *words: str) -> list[dict[str, Any]]:
        """What it prints as JSON, to its end and with success."""
        done = self.run(*words, "--format", "json")
        assert (done.returncode, done.stderr) == (0, "")
        events: list[dict[str, Any]] = json.loads(done.stdout)["events"]
        return events

    def ids(self, *words: str) -> list[int]:
        return [event["id"] for event in self.events(*words)]

    @contextmanager
    def following(self, *words: str) -> Iterator["subprocess.Popen[str]"]:
        process = subprocess.Popen(
            self.command("--follow", *words),
            env=self.env,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            yield process
        finally:
            process.kill()
            process.communicate()

    def open(self) -> tuple[Database, EventLog]:
        database, _ = open_for_writing(self.state / "state.db")
        retention = Retention(file_bytes=500, older_files=2)
        return database, EventLog(database, self.state / "events.jsonl", retention=retention)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "state")


@pytest.fixture
def log(home: Home) -> Iterator[EventLog]:
    """A log with four events, open as a daemon has it."""
    database, log = home.open()
    log.emit(NewEvent("daemon.started", "up"))
    log.emit(NewEvent("health.changed", "media is ill", key("media"), severity="warn"))
    log.emit(NewEvent("proxy.failed", "films:\n\033[31mrefused", key("films")))
    log.emit(NewEvent("health.changed", "media is well", key("media"), severity="info"))
    yield log
    database.close()


def line(stream: IO[str] | None) -> str:
    assert stream is not None
    return stream.readline()


def test_json_is_newest_first_and_whole(home: Home, log: EventLog) -> None:
    written = [json.loads(text) for text in (home.state / "events.jsonl").read_text().splitlines()]
    events = home.events()
    assert [event["id"] for event in events] == [4, 3, 2, 1]
    assert events[0] == written[-1]


def test_filters_and_pages(home: Home, log: EventLog) -> None:
    assert home.ids("--severity", "warn") == [3, 2]
    assert home.ids("--severity", "error") == [3]
    assert home.ids("--source", "health") == [4, 2]
    assert home.ids("--proxy", "media", "--severity", "warn") == [2]
    assert home.ids("--proxy", "nobody") == []
    assert home.ids("--kind", "proxy", "--limit", "2") == [4, 3]
    assert home.ids("--name", "films") == home.ids("--kind", "proxy", "--name", "films") == [3]
    assert home.ids("--kind", "stream", "--name", "films") == []
    assert home.ids("--limit", "3") == [4, 3, 2]
    assert home.ids("--limit", "3", "--before", "2") == [1]


def test_since_takes_ages_and_times_with_and_without_a_zone(home: Home, log: EventLog) -> None:
    database, _ = home.open()
    with database.transaction() as connection:
        connection.execute("UPDATE event_log SET ts = '2026-01-31T12:00:00.000Z' WHERE id = 1")
        connection.execute("UPDATE event_log SET ts = '2026-02-01T12:00:00.000Z' WHERE id = 2")
    database.close()
    assert home.ids("--since", "2h") == home.ids("--since", "1h30m") == [4, 3]
    assert home.ids("--since", "1.5h") == home.ids("--since", "1h29m60s") == [4, 3]
    assert home.ids("--since", "2026-02-01") == [4, 3, 2]
    assert home.ids("--since", "2026-01-31T15:00") == [4, 3, 2, 1]
    assert home.ids("--since", "2026-01-31T15:01") == [4, 3, 2]
    assert home.ids("--since", "2026-01-31T13:00+01:00") == [4, 3, 2, 1]
    assert home.ids("--since", "99999d") == [4, 3, 2, 1]


@pytest.mark.parametrize("since", ["yesterday", "2x", "", "h", "999999999w", "2026-13-01", "7"])
def test_a_since_that_cannot_be_meant_is_told_what_could(home: Home, since: str) -> None:
    done = home.run("--since", since)
    assert (done.returncode, done.stdout) == (1, "")
    assert f'--since "{since}" is neither an age nor a time' in done.stderr
    assert "2h" in done.stderr
    assert "2026-01-31T12:00" in done.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--limit", "many"], '"many" is not a whole number (e.g. 50)'),
        (["--limit", "-1"], "hint:"),
        (["--before", "9" * 30], "is not a whole number"),
        (["--severity", "fatal"], "error"),
        (["--source", "nginx"], "npm"),
        (["--follow", "--before", "7"], "Give one of them"),
    ],
)
def test_what_cannot_be_meant_exits_with_1_and_a_hint(
    home: Home, words: list[str], said: str
) -> None:
    done = home.run(*words)
    assert (done.returncode, done.stdout) == (1, "")
    assert said in done.stderr


def test_the_severities_are_those_of_the_log(home: Home) -> None:
    assert "{" + ",".join(SEVERITIES) + "}" in home.run("--help").stdout


def test_text_is_a_line_an_event_with_local_time_and_nothing_that_could_fool_a_terminal(
    home: Home, log: EventLog
) -> None:
    database, _ = home.open()
    with database.transaction() as connection:
        connection.execute("UPDATE event_log SET ts = '2026-01-31T22:30:00.000Z'")
    database.close()
    done = home.run()
    assert (done.returncode, done.stderr) == (0, "")
    assert [text.split() for text in done.stdout.splitlines()] == [
        ["2026-02-01", "01:30:00", "info", "health", "media", "media", "is", "well"],
        ["2026-02-01", "01:30:00", "error", "apply", "films", "films:", r"\x1b[31mrefused"],
        ["2026-02-01", "01:30:00", "warn", "health", "media", "media", "is", "ill"],
        ["2026-02-01", "01:30:00", "info", "daemon", "-", "up"],
    ]
    assert "\033[31merror" in home.run(FORCE_COLOR="1").stdout
    assert "\033" not in home.run(FORCE_COLOR="1", NO_COLOR="1").stdout


def test_without_any_state_there_are_no_events_and_none_is_made(home: Home) -> None:
    done = home.run()
    assert (done.returncode, done.stdout) == (0, "")
    assert f"there is no state in {home.state}" in done.stderr
    assert not home.state.exists()


def test_a_damaged_state_is_a_sentence(home: Home) -> None:
    home.state.mkdir()
    (home.state / "state.db").write_bytes(b"no database")
    for words in ([], ["--follow"]):
        done = home.run(*words)
        assert done.returncode == 1
        assert "cannot be read" in done.stderr
        assert "hint:" in done.stderr


def test_a_state_of_an_older_release_is_told_apart_from_an_empty_one(
    home: Home, log: EventLog
) -> None:
    database, _ = home.open()
    with database.transaction() as connection:
        connection.execute("PRAGMA user_version = 0")
    database.close()
    done = home.run()
    assert (done.returncode, done.stdout) == (0, "")
    assert "older release" in done.stderr
    assert "proxysync apply" in done.stderr


def test_follow_shows_the_newest_then_what_comes_across_rotations_until_interrupted(
    home: Home, log: EventLog
) -> None:
    with home.following("--limit", "2", "--format", "json") as process:
        assert [json.loads(line(process.stdout))["id"] for _ in range(2)] == [3, 4]
        for number in range(5, 10):
            log.emit(NewEvent("daemon.waiting", "x" * 400))
            assert json.loads(line(process.stdout))["id"] == number
        assert (home.state / "events.jsonl.2").exists()
        process.send_signal(signal.SIGINT)
        assert process.communicate(timeout=20) == ("", "")
        assert process.returncode == 0


def test_follow_survives_a_database_that_is_damaged_and_replaced(home: Home) -> None:
    database, log = home.open()
    log.emit(NewEvent("proxy.failed", "refused"))
    with home.following("--severity", "warn", "--limit", "1") as process:
        assert "refused" in line(process.stdout)
        database.close()
        for file in home.state.glob("state.db*"):
            file.unlink()
        (home.state / "state.db").write_bytes(b"no database")
        assert "cannot be read" in line(process.stderr)
        assert "hint:" in line(process.stderr)
        database, log = home.open()
        log.emit(NewEvent("daemon.started", "up again"))
        log.emit(NewEvent("npm.unavailable", "away"))
        assert line(process.stdout).split()[2:] == ["error", "npm", "-", "away"]
        database.close()


def test_follow_waits_where_there_is_no_state_yet(home: Home) -> None:
    with home.following("--format", "json") as process:
        home.state.mkdir()
        database, log = home.open()
        log.emit(NewEvent("daemon.started", "up"))
        assert json.loads(line(process.stdout))["message"] == "up"
        database.close()


def test_follow_ends_quietly_and_at_once_when_its_reader_goes(home: Home, log: EventLog) -> None:
    with home.following() as process:
        assert "up" in line(process.stdout)
        assert process.stdout is not None
        process.stdout.close()
        eventually(lambda: process.poll() is not None)
        assert process.returncode == 0
        assert process.stderr is not None
        assert process.stderr.read() == ""
        process.stdout = None
