"""The event log: one row in SQLite and one line of JSONL for each thing that happened."""

import json
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from proxysync.model import Key, clock
from proxysync.model.catalogue import type_of
from proxysync.model.event import UNRECORDED, Event, NewEvent
from proxysync.model.redact import redact
from proxysync.model.text import clean
from proxysync.store.bus import Bus, Subscription
from proxysync.store.database import Database, StateError, explain
from proxysync.store.event_file import EventFile
from proxysync.store.secrets import known_secrets, remember_secrets

BATCH = 1000
"""Rows that are written to the file, or pruned, at a time: others get their turn between."""


class LateLineError(StateError):
    """An event is recorded, but its line in the file has to wait until one can be written."""


@dataclass(frozen=True)
class Retention:
    """How much is kept: of the rows, and of the files in bytes each and in number.

    Rows go once they are over by a share of `slack`, so that this happens seldom. For their age
    they go only if others are from the last 30 days but not from today: else it may well be the
    clock that is wrong.
    """

    days: float = 90
    rows: int = 1_000_000
    slack: float = 0.05
    file_bytes: int = 10_000_000
    older_files: int = 5


class EventLog:
    """Writes events with the same ids, in the same order, to both places and to listeners.

    A row is committed before its line is written, and the file is brought up to the rows
    under a lock. So a kill at any moment loses nothing that SQLite has: the next writer,
    of whatever process, adds what is missing.

    Listeners hear of them over the bus, which never waits for them; see `subscribe`.
    """

    def __init__(
        self,
        database: Database,
        path: Path,
        *,
        bus: Bus | None = None,
        retention: Retention = Retention(),
    ) -> None:
        self._database = database
        self._path = path
        self._retention = retention
        self._secrets = known_secrets(database)
        self._to_remember: Mapping[str, str] = {}
        self._bus = bus or Bus()
        self._file = EventFile(path, max_bytes=retention.file_bytes, kept=retention.older_files)
        with self._writing() as damage:
            if damage is None:
                self._catch_up()
        self.prune()

    def mask(self, secrets: Mapping[str, str]) -> None:
        """From now on these values, and all earlier ones, are written as their `${NAME}`.

        They are remembered before anything else can be written to the database.
        """
        self._secrets = {**self._secrets, **secrets}
        self._to_remember = dict(secrets)
        with suppress(StateError):  # what cannot be written now is with the next event
            self._remember_secrets()

    def subscribe(self, size: int = 1000) -> Subscription:
        """What this process emits from now on, in order; at most `size` events wait."""
        return self._bus.subscribe(size)

    def emit(self, event: NewEvent, /, *, also: Callable[[], object] | None = None) -> Event:
        """Records one event and returns it with its id and time; see `model.event.Emit`.

        Raises StateError if it cannot be written, because the disk is full, say, and
        LateLineError if only its line cannot be.
        """
        return self.record(self.make(event), also)

    def make(self, new: NewEvent) -> Event:
        """The event of this moment, masked, and not yet recorded.

        Raises ValueError for one that the catalogue does not know as it is.
        """
        kind = type_of(new)
        text = _writable(json.dumps(redact(dict(new.data), self._secrets), ensure_ascii=False))
        return Event(
            UNRECORDED,
            clock.to_text(clock.now()),
            kind.severity_of(new),
            kind.source,
            new.event,
            None if new.key is None else Key(new.key.kind, _writable(new.key.name)),
            _writable(redact(new.message, self._secrets)),
            json.loads(text),
        )

    def announce(self, event: Event) -> None:
        """Lets listeners hear of an event that cannot be recorded yet."""
        self._bus.publish(event)

    def record(
        self,
        event: Event,
        also: Callable[[], object] | None = None,
        *,
        announced: bool = False,
    ) -> Event:
        """Records an event of `make`; see `emit`.

        One that listeners have heard of already, because it had to wait, keeps its time.
        """
        recorded: Event | None = None
        try:
            with self._writing() as damage:
                # Read under the lock, so that times are in the order of ids.
                self._remember_secrets()
                ts = event.ts if announced else clock.to_text(clock.now())
                recorded = replace(event, id=self._insert(replace(event, ts=ts), also), ts=ts)
                if not announced:
                    self._bus.publish(recorded)
                if damage is not None:
                    raise damage
                self._catch_up()
        except StateError as error:
            if recorded is None:
                raise
            raise LateLineError(error.message, hint=error.hint, passing=error.passing) from error
        return recorded

    def _insert(self, event: Event, also: Callable[[], object] | None) -> int:
        with self._database.transaction() as connection:
            cursor = connection.execute(
                "INSERT INTO event_log (ts, severity, source, event, kind, name, message, data)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    event.ts,
                    event.severity,
                    event.source,
                    event.event,
                    event.key.kind if event.key else None,
                    event.key.name if event.key else None,
                    event.message,
                    json.dumps(event.data, ensure_ascii=False),
                ),
            )
            if also is not None:
                also()
        return int(cursor.lastrowid or 0)

    def prune(self) -> int:
        """Deletes the oldest rows if there are too many or too old ones; returns how many.

        For the start and for a schedule: cheap if there is nothing to do, but seconds else.
        """
        retention = self._retention
        deleted = 0
        # Counting a million rows takes a while; ids say at once when there cannot be too many.
        span = self._number("max(id)") - self._number("min(id)") + 1
        if span > retention.rows * (1 + retention.slack):
            surplus = self._number("id", "ORDER BY id DESC LIMIT 1 OFFSET ?", retention.rows)
            deleted += self._delete("id <= ?", surplus)
        now = clock.now()

        def ago(days: float) -> str:
            return clock.to_text(now - timedelta(days=days))

        overdue = self._number(
            "id", "WHERE ts < ? LIMIT 1", ago(retention.days * (1 + retention.slack))
        )
        # A clock that is wrong since this start must not empty the log: it has no such row.
        lately = self._number("id", "WHERE ts BETWEEN ? AND ? LIMIT 1", ago(30), ago(1))
        if overdue and lately:
            deleted += self._delete("ts < ?", ago(retention.days))
        return deleted

    def _remember_secrets(self) -> None:
        if self._to_remember:
            with self._database.transaction() as connection:
                remember_secrets(connection, self._to_remember)
            self._to_remember = {}

    @contextmanager
    def _writing(self) -> Iterator[OSError | None]:
        """Holds the lock, with the file mended and no id of it given out again.

        Yields what keeps the file from being mended: then rows can be written, but no lines.
        """
        try:
            with self._file.locked():
                yield self._repaired()
        except (OSError, StateError) as error:
            cause = error.__cause__ if isinstance(error, StateError) else error
            if not isinstance(cause, OSError | sqlite3.DatabaseError):
                raise
            raise explain(cause, f"the event log {self._path} cannot be written") from cause

    def _repaired(self) -> OSError | None:
        if self._file.is_current():
            return None
        try:
            self._file.repair()
        except OSError as error:
            return error
        self._skip_ids(self._file.last_id)
        return None

    def _catch_up(self) -> None:
        """Adds to the file what only SQLite has."""
        while True:
            rows = self._database.query(
                "SELECT * FROM event_log WHERE id > ? ORDER BY id LIMIT ?",
                self._file.last_id,
                BATCH,
            )
            self._file.append((row["id"], _line(to_event(row))) for row in rows)
            if len(rows) < BATCH:
                return

    def _skip_ids(self, written: int) -> None:
        """After a new start of the database, no id of the file is given out again."""
        rows = self._database.query("SELECT seq FROM sqlite_sequence WHERE name = 'event_log'")
        if written <= (rows[0]["seq"] if rows else 0):
            return
        with self._database.transaction() as connection:
            connection.execute("DELETE FROM sqlite_sequence WHERE name = 'event_log'")
            connection.execute("INSERT INTO sqlite_sequence VALUES ('event_log', ?)", (written,))

    def _number(self, what: str, rest: str = "", *values: object) -> int:
        """A number that SQLite says of the rows; 0 if there are none."""
        rows = self._database.query(f"SELECT {what} FROM event_log {rest}", *values)  # noqa: S608
        return int(rows[0][0] or 0) if rows else 0

    def _delete(self, where: str, value: object) -> int:
        deleted = 0
        while True:
            with self._database.transaction() as connection:
                batch = connection.execute(
                    "DELETE FROM event_log WHERE id IN"  # noqa: S608
                    f" (SELECT id FROM event_log WHERE {where} LIMIT ?)",
                    (value, BATCH),
                ).rowcount
            deleted += batch
            if batch < BATCH:
                return deleted


def to_event(row: Any) -> Event:
    """A row of `event_log` as an event."""
    return Event(
        id=row["id"],
        ts=row["ts"],
        severity=row["severity"],
        source=row["source"],
        event=row["event"],
        key=None if row["kind"] is None else Key(row["kind"], row["name"]),
        message=row["message"],
        data=json.loads(row["data"]),
    )


def _line(event: Event) -> str:
    return clean(json.dumps(event.to_json(), ensure_ascii=False))


def _writable(text: str) -> str:
    """The text without half surrogates, which a file name may bring and UTF-8 cannot hold."""
    return text.encode(errors="replace").decode()
