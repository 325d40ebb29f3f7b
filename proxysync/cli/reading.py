"""The state, and what is to be said where it cannot be read."""

from pathlib import Path

from proxysync.app.state_folder import read_folder
from proxysync.cli.terminal import print_notes
from proxysync.store.health import HealthStore
from proxysync.store.state import State


def read_state(folder: Path) -> State | None:
    reader = read_folder(folder)
    print_notes(reader.warnings)
    return reader.state


def read_health(folder: Path) -> HealthStore | None:
    database = read_folder(folder).database
    return HealthStore(database) if database else None
