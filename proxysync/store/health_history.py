"""What health checks found, day by day and lately, of all targets in one reading."""

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime

from proxysync.model import Key
from proxysync.model.figures import Figures
from proxysync.store.database import Database
from proxysync.store.health import DAY


@dataclass(frozen=True)
class PastCheck:
    """A check that was made; `latency_ms` is None where it got no answer."""

    at: datetime
    ok: bool
    latency_ms: int | None


class HealthHistory:
    """The history of each target; days are those of UTC."""

    def __init__(self, database: Database, target: str = "default") -> None:
        self._database = database
        self._target = target

    def days(
        self, first: date, now: datetime, only: Key | None = None
    ) -> dict[Key, dict[date, Figures]]:
        """The figures of each day since `first` of which something is known, of all or of one.

        A day that is not over has no percentiles: there are such of whole days only.
        """
        begin = int(datetime(first.year, first.month, first.day, tzinfo=UTC).timestamp())
        rows = self._database.query(
            """
            SELECT h.kind, h.name, f.start AS start, f.total, f.ok, f.p50, f.p95
            FROM health h JOIN check_figures f ON f.health_id = h.id
            WHERE h.target = ?1 AND f.span = 'day' AND f.start BETWEEN ?2 AND ?3
                AND (?5 IS NULL OR h.kind = ?5 AND h.name = ?6)
            UNION ALL
            SELECT h.kind, h.name, c.at / 1000 / ?4 * ?4 AS start,
                count(*), sum(c.ok), NULL, NULL
            FROM health h JOIN check_result c ON c.health_id = h.id
            WHERE h.target = ?1 AND c.at BETWEEN ?2 * 1000 AND ?3 * 1000
                AND (?5 IS NULL OR h.kind = ?5 AND h.name = ?6)
                AND c.at >= 1000 * (
                    SELECT coalesce(max(start) + ?4, 0) FROM check_figures
                    WHERE health_id = h.id AND span = 'day' AND start <= ?3
                )
            GROUP BY h.id, c.at / 1000 / ?4
            """,
            self._target,
            begin,
            int(now.timestamp()) + 1,
            DAY,
            only and only.kind,
            only and only.name,
        )
        found: dict[Key, dict[date, Figures]] = {}
        for row in rows:
            day = datetime.fromtimestamp(row["start"], UTC).date()
            figures = Figures(row["total"], row["ok"], row["p50"], row["p95"])
            found.setdefault(Key(row["kind"], row["name"]), {})[day] = figures
        return found

    def last_checks(self, number: int, only: Key | None = None) -> dict[Key, list[PastCheck]]:
        """The last checks of all targets or of one, at most so many each, the oldest first."""
        rows = self._database.query(
            """
            SELECT h.kind, h.name, c.at, c.ok, c.latency_ms
            FROM health h JOIN check_result c ON c.health_id = h.id
            WHERE h.target = ?1 AND (?3 IS NULL OR h.kind = ?3 AND h.name = ?4)
                AND c.at >= coalesce((
                    SELECT at FROM check_result WHERE health_id = h.id
                    ORDER BY at DESC LIMIT 1 OFFSET ?2
                ), 0)
            ORDER BY c.health_id, c.at
            """,
            self._target,
            number - 1,
            only and only.kind,
            only and only.name,
        )
        return _by_key(rows)


def _by_key(rows: Iterable[sqlite3.Row]) -> dict[Key, list[PastCheck]]:
    found: dict[Key, list[PastCheck]] = {}
    for row in rows:
        check = PastCheck(
            datetime.fromtimestamp(row["at"] / 1000, UTC), bool(row["ok"]), row["latency_ms"]
        )
        found.setdefault(Key(row["kind"], row["name"]), []).append(check)
    return found
