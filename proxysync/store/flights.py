"""Writes to NPM of which no answer has come, kept beyond the end of the process that sent them."""

import json
from dataclasses import dataclass

from proxysync.model.clock import Moment
from proxysync.model.flight import Flight
from proxysync.store.database import Database


@dataclass(frozen=True)
class Sent:
    """A write that may be under way. `since` is when it was sent, or given up by a proxy."""

    number: int
    flight: Flight
    since: Moment
    given_up: bool


class Flights:
    """The writes of one target; see `npm.flight.Recorder`."""

    def __init__(self, database: Database, target: str) -> None:
        self._database = database
        self._target = target

    def sent(self, flight: Flight) -> int:
        shows = None if flight.shows is None else json.dumps(dict(flight.shows))
        with self._database.transaction() as connection:
            cursor = connection.execute(
                "INSERT INTO flight (target, kind, npm_id, shows, since) VALUES (?, ?, ?, ?, ?)",
                (self._target, flight.kind, flight.npm_id, shows, Moment.now().to_text()),
            )
            return int(cursor.lastrowid or 0)

    def ended(self, number: int) -> None:
        with self._database.transaction() as connection:
            connection.execute("DELETE FROM flight WHERE id = ?", (number,))

    def given_up(self, number: int) -> None:
        with self._database.transaction() as connection:
            connection.execute(
                "UPDATE flight SET given_up = 1, since = ? WHERE id = ?",
                (Moment.now().to_text(), number),
            )

    def open(self) -> list[Sent]:
        """Those of which nobody knows whether they have ended, oldest first."""
        rows = self._database.query(
            "SELECT * FROM flight WHERE target = ? ORDER BY id", self._target
        )
        return [
            Sent(
                number=row["id"],
                flight=Flight(
                    row["kind"],
                    row["npm_id"],
                    None if row["shows"] is None else json.loads(row["shows"]),
                ),
                since=Moment.from_text(row["since"]),
                given_up=bool(row["given_up"]),
            )
            for row in rows
        ]
