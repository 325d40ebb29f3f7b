"""What was said and goes on, for the process that comes after this one, too."""

from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

from proxysync.model import clock
from proxysync.model.event import Emit, NewEvent
from proxysync.store.database import Database
from proxysync.store.events import LateLineError

Also = Callable[[], object]
"""Writes what is to be committed with an event; see `model.event.Emit`."""


@dataclass(frozen=True)
class ActiveAlert:
    """An alert that was fired and goes on; it fires again only after it was resolved."""

    key: str
    event: str
    message: str
    since: datetime


class AlertTable:
    """The rows of one target. Each method is one transaction, with the event that it raises."""

    def __init__(self, database: Database, target: str) -> None:
        self._database = database
        self._target = target

    def active(self) -> dict[str, ActiveAlert]:
        """By their keys, the oldest first."""
        rows = self._database.query(
            "SELECT * FROM active_alert WHERE target = ? ORDER BY since, key", self._target
        )
        return {
            row["key"]: ActiveAlert(
                row["key"], row["event"], row["message"], clock.from_text(row["since"])
            )
            for row in rows
        }

    def __contains__(self, key: str) -> bool:
        return bool(
            self._database.query(
                "SELECT 1 FROM active_alert WHERE target = ? AND key = ?", self._target, key
            )
        )

    def fire(self, emit: Emit, event: NewEvent, *keys: str, also: Also = lambda: None) -> None:
        """Raises the event unless the alerts of all of `keys` are active."""
        if all(key in self for key in keys):
            return
        now = clock.now()
        alerts = [ActiveAlert(key, event.event, event.message, now) for key in keys]

        def write() -> None:
            self.activate(alerts)
            also()

        _raise(emit, event, write)

    def resolve(self, emit: Emit, event: NewEvent, key: str, also: Also = lambda: None) -> None:
        """Raises the event that ends the alert of `key`, if that is active."""
        if key not in self:
            return

        def write() -> None:
            self.end([key])
            also()

        _raise(emit, event, write)

    def activate(self, alerts: Iterable[ActiveAlert]) -> None:
        with self._database.transaction() as connection:
            connection.executemany(
                "INSERT OR REPLACE INTO active_alert VALUES (?, ?, ?, ?, ?)",
                [(self._target, a.key, a.event, a.message, clock.to_text(a.since)) for a in alerts],
            )

    def end(self, keys: Iterable[str]) -> None:
        """These may fire again."""
        with self._database.transaction() as connection:
            connection.executemany(
                "DELETE FROM active_alert WHERE target = ? AND key = ?",
                [(self._target, key) for key in keys],
            )


def _raise(emit: Emit, event: NewEvent, also: Also) -> None:
    with suppress(LateLineError):
        emit(event, also=also)
