"""The event log: one row in SQLite and one line of JSONL for each thing that happened."""

import fcntl
import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from proxysync.redact import redact
from proxysync.store import clock
from proxysync.store.database import Database

SEVERITIES = ("info", "warn", "error")
TAIL = 64 * 1024
"""Bytes read back from the end of the file to find its last whole line."""


@dataclass(frozen=True)
class Event:
    """One thing that happened; `to_json` is the shape that scripts rely on."""

    id: int
    ts: str
    severity: str
    source: str
    event: str
    proxy: str | None
    message: str
    data: Mapping[str, Any]

    def to_json(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "ts": self.ts,
            "severity": self.severity,
            "source": self.source,
            "event": self.event,
            "proxy": self.proxy,
            "message": self.message,
            "data": dict(self.data),
        }


class EventLog:
    """Writes events with the same ids, in the same order, to both places and to listeners.

    A row is committed before its line is written, and the file is brought up to the rows
    under a lock. So a kill at any moment loses nothing that SQLite has: the next writer,
    of whatever process, adds what is missing.
    """

    def __init__(
        self,
        database: Database,
        path: Path,
        listeners: tuple[Callable[[Event], object], ...] = (),
    ) -> None:
        self._database = database
        self._path = path
        self._listeners = listeners
        self._secrets: Mapping[str, str] = {}
        with self._locked():
            written = self._mend()
            self._skip_ids(written)
            self._catch_up(written)

    def mask(self, secrets: Mapping[str, str]) -> None:
        """From now on these values are written as their `${NAME}`; see `redact`."""
        self._secrets = secrets

    def emit(
        self,
        severity: str,
        source: str,
        event: str,
        message: str,
        *,
        proxy: str | None = None,
        data: Mapping[str, Any] | None = None,
    ) -> Event:
        """Records one event and returns it with its id and time."""
        ts = clock.to_text(clock.now())
        message, data = redact(message, self._secrets), redact(data or {}, self._secrets)
        text = json.dumps(data, ensure_ascii=False)
        with self._locked():
            with self._database.transaction() as connection:
                cursor = connection.execute(
                    "INSERT INTO event_log (ts, severity, source, event, proxy, message, data)"
                    " VALUES (?, ?, ?, ?, ?, ?, ?)",
                    (ts, severity, source, event, proxy, message, text),
                )
                number = int(cursor.lastrowid or 0)
            self._catch_up(self._mend())
        recorded = Event(number, ts, severity, source, event, proxy, message, data or {})
        for listener in self._listeners:
            listener(recorded)
        return recorded

    @contextmanager
    def _locked(self) -> Iterator[None]:
        with self._path.with_suffix(".lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _mend(self) -> int:
        """Cuts off a last line that is not whole; returns the id of the last whole one, or 0."""
        self._path.touch(mode=0o600)
        with self._path.open("r+b") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - TAIL))
            tail = file.read()
            whole = tail.rfind(b"\n") + 1
            if whole != len(tail):
                file.truncate(size - len(tail) + whole)
        lines = tail[:whole].splitlines()
        try:
            return int(json.loads(lines[-1])["id"]) if lines else 0
        except (ValueError, KeyError, TypeError):
            return self._newest_id()

    def _newest_id(self) -> int:
        return int(self._database.query("SELECT max(id) AS id FROM event_log")[0]["id"] or 0)

    def _skip_ids(self, written: int) -> None:
        """After a new start of the database, no id of the file is given out again."""
        rows = self._database.query("SELECT seq FROM sqlite_sequence WHERE name = 'event_log'")
        if written <= (rows[0]["seq"] if rows else 0):
            return
        with self._database.transaction() as connection:
            connection.execute("DELETE FROM sqlite_sequence WHERE name = 'event_log'")
            connection.execute("INSERT INTO sqlite_sequence VALUES ('event_log', ?)", (written,))

    def _catch_up(self, written: int) -> None:
        rows = self._database.query("SELECT * FROM event_log WHERE id > ? ORDER BY id", written)
        if not rows:
            return
        lines = "".join(
            json.dumps(to_event(row).to_json(), ensure_ascii=False) + "\n" for row in rows
        )
        with self._path.open("ab") as file:
            file.write(lines.encode())
            file.flush()
            os.fsync(file.fileno())


def to_event(row: Any) -> Event:
    """A row of `event_log` as an event."""
    return Event(
        id=row["id"],
        ts=row["ts"],
        severity=row["severity"],
        source=row["source"],
        event=row["event"],
        proxy=row["proxy"],
        message=row["message"],
        data=json.loads(row["data"]),
    )
