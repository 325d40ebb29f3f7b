"""Fixtures for the tests of health checks."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from proxysync.store.database import Database, open_for_writing
from proxysync.store.events import EventLog
from proxysync.store.health import HealthStore


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    opened, _ = open_for_writing(tmp_path / "state.db")
    yield opened
    opened.close()


@pytest.fixture
def store(database: Database) -> HealthStore:
    return HealthStore(database)


@pytest.fixture
def events(database: Database, tmp_path: Path) -> EventLog:
    return EventLog(database, tmp_path / "events.jsonl")
