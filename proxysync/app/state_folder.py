"""The state folder as the use cases open it: for reading without touching it, or for writing."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from proxysync.model.event import NewEvent
from proxysync.store.bus import Bus
from proxysync.store.database import Database, StateError, open_for_reading, open_for_writing
from proxysync.store.events import EventLog
from proxysync.store.journal import Journal
from proxysync.store.secrets import known_secrets
from proxysync.store.state import State

DATABASE = "state.db"


@dataclass(frozen=True)
class StateFolder:
    """All that is kept in a state folder, opened for writing."""

    database: Database
    state: State
    journal: Journal
    events: EventLog


@dataclass(frozen=True)
class StateReader:
    """What a state folder holds; None where there is nothing, or nothing that can be read.

    `warning` says why it cannot be read.
    """

    database: Database | None = None
    warning: str | None = None

    @property
    def state(self) -> State | None:
        return State(self.database) if self.database else None

    @property
    def journal(self) -> Journal | None:
        return Journal(self.database) if self.database else None

    @property
    def warnings(self) -> tuple[str, ...]:
        return (f"Warning: {self.warning}",) if self.warning else ()

    def close(self) -> None:
        if self.database is not None:
            self.database.close()


def open_folder(folder: Path, bus: Bus | None = None) -> StateFolder:
    """The state and the event log for writing; a damaged database is set aside, and said so.

    The events go over `bus`, too, if there are listeners to them already. Raises StateError.
    """
    database, set_aside = open_for_writing(folder / DATABASE)
    events = EventLog(database, folder / "events.jsonl", bus=bus)
    if set_aside:
        message = (
            f"the state was damaged and is set aside as {set_aside}; ownership is rebuilt from "
            "the markers in NPM"
        )
        events.emit(NewEvent("state.damaged", message, data={"path": str(set_aside)}))
    return StateFolder(database, State(database), Journal(database), events)


@contextmanager
def opened(folder: Path) -> Iterator[StateFolder]:
    """The same, closed at the end."""
    store = open_folder(folder)
    try:
        yield store
    finally:
        store.database.close()


def read_folder(folder: Path, *, must_be_readable: bool = True) -> StateReader:
    """The state without touching it.

    One that is damaged counts as lost, which is what the next run makes of it. Raises StateError
    for one that somebody else can read, unless it need not be readable: then it is not there.
    """
    try:
        return StateReader(open_for_reading(folder / DATABASE))
    except StateError as error:
        if must_be_readable and not error.damaged:
            raise
        return StateReader(warning=str(error))


def nothing_there(folder: Path) -> tuple[str, ...]:
    """What to say where a state is asked for and there is none: it may be elsewhere."""
    if (folder / DATABASE).exists():
        return ()
    note = (
        f"Note: there is no state in {folder} yet\n"
        "  hint: --state-dir or PROXYSYNC_STATE_DIR names the folder that the daemon has."
    )
    return (note,)


def earlier_secrets(folder: Path) -> dict[str, str]:
    """What the state knows of secrets; of a state that cannot be read, others tell."""
    with suppress(StateError, sqlite3.DatabaseError):
        database = open_for_reading(folder / DATABASE)
        if database is not None:
            with closing(database):
                return known_secrets(database)
    return {}
