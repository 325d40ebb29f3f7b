"""Asking the event log: pages of it, and what is new."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

from proxysync.model import clock
from proxysync.model.event import SEVERITIES, Event
from proxysync.store.database import Database, StateError, open_for_reading, wrap_read_errors
from proxysync.store.events import BATCH, to_event

LARGEST_ID = 2**63 - 1
"""SQLite knows no larger number."""


@dataclass(frozen=True)
class EventQuery:
    """Which events; None lets all pass.

    `severity` is the least that counts. `since` is where in the log to begin: with the first
    event stamped then or later. `before` is an id; that of a page's last event gives the next
    page.
    """

    severity: str = SEVERITIES[0]
    source: str | None = None
    kind: str | None = None
    name: str | None = None
    since: datetime | None = None
    before: int | None = None
    limit: int = 50

    @property
    def matches_all(self) -> bool:
        """Whether the page holds events of every severity, about whatever and from whomever."""
        every = (SEVERITIES[0], None, None, None)
        return (self.severity, self.source, self.kind, self.name) == every

    def matches(self, event: Event) -> bool:
        """Whether it lets a new event pass; `before` and `limit` are for pages of older ones."""
        key = event.key
        return (
            SEVERITIES.index(self.severity) <= _rank(event.severity)
            and self.source in (None, event.source)
            and self.kind in (None, key and key.kind)
            and self.name in (None, key and key.name)
            and (self.since is None or event.ts >= clock.to_text(self.since))
        )


def last_id(database: Database) -> int:
    """The id of the newest event; 0 where there is none. Raises StateError like `select`."""
    newest = select(database, EventQuery(limit=1))
    return newest[0].id if newest else 0


def select(database: Database, query: EventQuery) -> list[Event]:
    """A page of events, newest first. Raises StateError if the database is damaged."""
    return _select(database, query, after=0, order="DESC")


def select_after(database: Database, query: EventQuery, after: int) -> list[Event]:
    """The events that come next after an id, oldest first. Raises StateError like `select`."""
    return _select(database, query, after=after, order="ASC")


def names_in_log(database: Database) -> frozenset[str]:
    """The names of all entries that an event is about."""
    with wrap_read_errors("the event log"):
        rows = database.query("SELECT DISTINCT name FROM event_log WHERE name IS NOT NULL")
    return frozenset(row["name"] for row in rows)


class Follower:
    """What is new in the event log, whichever database is in its place by then."""

    def __init__(self, path: Path, query: EventQuery) -> None:
        """`path` is that of the database, which need not be there yet."""
        self._path = path
        self._query = query
        self._database: Database | None = None
        self._last_id = 0
        # What comes in this very millisecond is new.
        self._last_ts = clock.to_text(clock.now() - timedelta(milliseconds=1))

    def begin(self) -> list[Event]:
        """The newest events so far, up to the query's limit, oldest first.

        Raises StateError if the database is damaged or of a newer release.
        """
        database = self._current()
        if database is None:
            return []
        newest = select(database, EventQuery(limit=1))
        self._seen(newest)
        return select(database, replace(self._query, before=self._last_id + 1))[::-1]

    def new(self) -> list[Event]:
        """What came since the last call, oldest first; of many, the rest comes with the next.

        Raises StateError like `begin`; a later call takes up the database that has come in
        its place.
        """
        try:
            database = self._current()
            if database is None:
                return []
            newest = select(database, EventQuery(limit=1))
            query = replace(self._query, since=None, before=None, limit=BATCH)
            found = select_after(database, query, self._last_id)
        except StateError:
            self.close()
            raise
        self._seen(found[-1:] if len(found) == BATCH else newest + found[-1:])
        return found

    def close(self) -> None:
        if self._database is not None:
            self._database.close()
        self._database = None

    def _current(self) -> Database | None:
        """The database that is there now, opened anew if it is another than before."""
        if self._database is not None and self._database.is_lost():
            self.close()
        if self._database is None:
            self._database = open_for_reading(self._path)
            if self._database is not None:
                self._find_place(self._database)
        return self._database

    def _find_place(self, database: Database) -> None:
        """Where to go on in a database met just now: ids may have begun anew, times do not."""
        newest = select(database, EventQuery(limit=1))
        if self._last_id and newest and newest[0].id >= self._last_id:
            return
        with wrap_read_errors("the event log"):
            rows = database.query(
                "SELECT id FROM event_log WHERE ts <= ? ORDER BY ts DESC, id DESC LIMIT 1",
                self._last_ts,
            )
        self._last_id = rows[0]["id"] if rows else 0

    def _seen(self, events: list[Event]) -> None:
        for event in events:
            if event.id > self._last_id:
                self._last_id, self._last_ts = event.id, event.ts


def _select(database: Database, query: EventQuery, *, after: int, order: str) -> list[Event]:
    """One index gives the events of one severity in order; SQLite merges those as it reads.

    So a page costs what it holds, however many rows there are.
    """
    with wrap_read_errors("the event log"):
        if query.since is not None:
            after = max(after, _last_before(database, query.since))
        where, values = _conditions(query, after)
        least = SEVERITIES.index(query.severity)
        branches = [f"{where} AND severity = '{severity}'" for severity in SEVERITIES[least:]]
        if query.matches_all:
            branches = [where]
        rows = database.query(
            " UNION ALL ".join(f"SELECT * FROM event_log WHERE {branch}" for branch in branches)  # noqa: S608
            + f" ORDER BY id {order} LIMIT ?",
            *values * len(branches),
            query.limit,
        )
        return [to_event(row) for row in rows]


def _rank(severity: str) -> int:
    known: tuple[str, ...] = SEVERITIES
    return known.index(severity)


def _last_before(database: Database, since: datetime) -> int:
    """The id after which the log begins, for ids and times rise together."""
    rows = database.query(
        "SELECT id FROM event_log WHERE ts >= ? ORDER BY ts, id LIMIT 1", clock.to_text(since)
    )
    return int(rows[0]["id"]) - 1 if rows else LARGEST_ID


def _conditions(query: EventQuery, after: int) -> tuple[str, list[object]]:
    conditions: list[tuple[str, object]] = [("id > ?", after)]
    if query.before is not None:
        conditions.append(("id < ?", query.before))
    if query.source is not None:
        conditions.append(("source = ?", query.source))
    if query.name is not None:
        conditions.append(("name = ?", query.name))
    if query.kind is not None:
        # The plus keeps SQLite from the index of kinds where that of names is the better one.
        conditions.append(("kind = ?" if query.name is None else "+kind = ?", query.kind))
    if query.since is not None:
        # A clock set back leaves older times among them. The plus keeps SQLite from the
        # index of times, for it would then have to sort by id.
        conditions.append(("+ts >= ?", clock.to_text(query.since)))
    return " AND ".join(text for text, _ in conditions), [value for _, value in conditions]
