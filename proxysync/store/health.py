"""What health checks found: where each proxy stands, and the history."""

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from proxysync.model import Key, clock
from proxysync.model.event import Event
from proxysync.model.figures import Figures, Uptime, summarise
from proxysync.model.health import Check, HealthState
from proxysync.store import uptime
from proxysync.store.alerts import AlertTable
from proxysync.store.database import Database
from proxysync.store.edges import EdgeTable
from proxysync.store.events import to_event

HOUR = 3600
DAY = 24 * HOUR
SPANS = {"hour": HOUR, "day": DAY}
KEEP = {"raw": DAY, "hour": 31 * DAY, "day": 90 * DAY}
"""Seconds that single results, hourly and daily figures are kept at least."""

WINDOWS = {"24h": DAY, "7d": 7 * DAY, "30d": 30 * DAY}
"""Seconds of the windows for which an uptime is told."""


@dataclass(frozen=True)
class Record:
    """A target's new standing and the check behind it, None if that one is not to count."""

    key: Key
    standing: HealthState
    check: Check | None = None


class HealthStore:
    """The rows of one target. Each method is one transaction, `roll_up` one for each proxy."""

    def __init__(self, database: Database, target: str = "default") -> None:
        self._database = database
        self._target = target
        self.edges = EdgeTable(database, target)
        self.alerts = AlertTable(database, target)

    def standings(self) -> dict[Key, HealthState]:
        """Where each proxy stands."""
        rows = self._database.query("SELECT * FROM health WHERE target = ?", self._target)
        return {
            Key(row["kind"], row["name"]): HealthState(
                status=row["status"],
                since=_moment(row["since"]),
                streak=row["streak"],
                stale=bool(row["stale"]),
                checked_at=_moment(row["checked_at"]),
                latency_ms=row["latency_ms"],
                detail=row["detail"],
                hint=row["hint"],
            )
            for row in rows
        }

    def save(self, records: Sequence[Record]) -> None:
        """Remembers where these proxies stand, the last record of each, and all the checks."""
        with self._database.transaction() as connection:
            connection.executemany(
                """
                INSERT INTO health (target, kind, name, status, since, streak, stale, checked_at,
                    latency_ms, detail, hint)
                VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
                ON CONFLICT (target, kind, name) DO UPDATE SET
                    status = excluded.status, since = excluded.since, streak = excluded.streak,
                    stale = excluded.stale, checked_at = excluded.checked_at,
                    latency_ms = excluded.latency_ms, detail = excluded.detail,
                    hint = excluded.hint
                """,
                [self._row(record) for record in records],
            )
            connection.executemany(
                "INSERT OR REPLACE INTO check_result (health_id, at, ok, latency_ms)"
                " SELECT id, ?, ?, ? FROM health WHERE target = ? AND kind = ? AND name = ?",
                [
                    (
                        round(record.check.at.timestamp() * 1000),
                        int(record.check.ok),
                        record.check.latency_ms,
                        self._target,
                        record.key.kind,
                        record.key.name,
                    )
                    for record in records
                    if record.check is not None
                ],
            )
            for record in records:
                if record.check is not None:
                    uptime.extend(connection, self._target, record.key, record.check)

    def forget(self, keys: Iterable[Key]) -> None:
        """These are not checked any more: where they stand is unknown; their history stays."""
        with self._database.transaction() as connection:
            connection.executemany(
                "UPDATE health SET status = 'unknown', since = NULL, streak = 0, stale = 0,"
                " checked_at = NULL, latency_ms = NULL, detail = NULL, hint = NULL"
                " WHERE target = ? AND kind = ? AND name = ?",
                [(self._target, key.kind, key.name) for key in keys],
            )

    def roll_up(self, now: datetime, stop: Callable[[], bool] = lambda: False) -> None:
        """Makes hourly and daily figures of what is complete, and drops what is old enough.

        A proxy's figures are written before the results they are made of are dropped, so it
        may be ended by `stop`, or killed, at any point.
        """
        moment = int(now.timestamp())
        for row in self._database.query("SELECT id FROM health WHERE target = ?", self._target):
            if stop():
                return
            for span, seconds in SPANS.items():
                self._summarise(row["id"], span, seconds, moment)
            self._prune(row["id"], moment)

    def uptimes(
        self, now: datetime, keys: Collection[Key] | None = None
    ) -> dict[Key, dict[str, Uptime]]:
        """The uptime in each of WINDOWS."""
        rows = self._database.query(
            "SELECT id, kind, name FROM health WHERE target = ?", self._target
        )
        ids = {Key(row["kind"], row["name"]): row["id"] for row in rows}
        return {
            key: {
                label: uptime.within(self._database, health_id, now, seconds)
                for label, seconds in WINDOWS.items()
            }
            for key, health_id in ids.items()
            if keys is None or key in keys
        }

    def figures(self, key: Key, span: str) -> list[tuple[datetime, Figures]]:
        """A proxy's figures by `hour` or `day`, the oldest first, with the start of each."""
        rows = self._database.query(
            "SELECT f.* FROM check_figures f JOIN health h ON h.id = f.health_id"
            " WHERE h.target = ? AND h.kind = ? AND h.name = ? AND span = ? ORDER BY start",
            self._target,
            key.kind,
            key.name,
            span,
        )
        return [
            (
                datetime.fromtimestamp(row["start"], UTC),
                Figures(row["total"], row["ok"], row["p50"], row["p95"]),
            )
            for row in rows
        ]

    def last_events(self, key: Key, limit: int = 5) -> list[Event]:
        """The last events about this proxy, the newest first."""
        rows = self._database.query(
            "SELECT * FROM event_log WHERE +kind = ? AND name = ? ORDER BY id DESC LIMIT ?",
            key.kind,
            key.name,
            limit,
        )
        return [to_event(row) for row in rows]

    def _row(self, record: Record) -> tuple[object, ...]:
        standing = record.standing
        return (
            self._target,
            record.key.kind,
            record.key.name,
            standing.status,
            _text(standing.since),
            standing.streak,
            int(standing.stale),
            _text(standing.checked_at),
            standing.latency_ms,
            standing.detail,
            standing.hint,
        )

    def _summarise(self, health_id: int, span: str, seconds: int, now: int) -> None:
        """Figures of each whole span since the last one that has some.

        There may be later ones than now, if the clock was wrong: those count for nothing.
        """
        rows = self._database.query(
            "SELECT at / 1000 / ? * ? AS start, ok, latency_ms FROM check_result"
            " WHERE health_id = ? AND at >= 1000 * (SELECT coalesce(max(start) + ?, 0)"
            " FROM check_figures WHERE health_id = ? AND span = ? AND start < ?) AND at < ?",
            seconds,
            seconds,
            health_id,
            seconds,
            health_id,
            span,
            now,
            now // seconds * seconds * 1000,
        )
        if not rows:
            return
        groups: dict[int, list[tuple[bool, int | None]]] = {}
        for row in rows:
            groups.setdefault(row["start"], []).append((bool(row["ok"]), row["latency_ms"]))
        figures = {start: summarise(checks) for start, checks in groups.items()}
        with self._database.transaction() as connection:
            connection.executemany(
                "INSERT OR REPLACE INTO check_figures VALUES (?, ?, ?, ?, ?, ?, ?)",
                [
                    (health_id, span, start, f.total, f.ok, f.p50, f.p95)
                    for start, f in figures.items()
                ],
            )

    def _prune(self, health_id: int, now: int) -> None:
        lately = self._database.query(
            "SELECT 1 FROM check_result WHERE health_id = ? AND at BETWEEN ? AND ? LIMIT 1",
            health_id,
            (now - KEEP["raw"] - HOUR) * 1000,
            (now - KEEP["raw"] // 2) * 1000,
        )
        if not lately:
            return  # the clock may be wrong since a moment ago: nothing is lost by waiting
        with self._database.transaction() as connection:
            connection.execute(
                "DELETE FROM check_result WHERE health_id = ? AND at < ?",
                (health_id, (now - KEEP["raw"] - HOUR) * 1000),
            )
            for span, seconds in SPANS.items():
                connection.execute(
                    "DELETE FROM check_figures WHERE health_id = ? AND span = ? AND start < ?",
                    (health_id, span, now - KEEP[span] - seconds),
                )
            uptime.prune(connection, health_id, now - KEEP["hour"])


def _moment(text: str | None) -> datetime | None:
    return clock.from_text(text) if text else None


def _text(moment: datetime | None) -> str | None:
    return clock.to_text(moment) if moment else None
