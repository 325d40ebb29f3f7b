"""Uptime counts time: stretches in which check after check said the same, without a pause.

A check speaks for the time until the next one. Where that comes much too late (no daemon ran,
the network was down), what was in between is unknown and belongs to no stretch.
"""

import sqlite3
from datetime import UTC, datetime

from proxysync.model import Key
from proxysync.model.figures import Uptime
from proxysync.model.health import Check
from proxysync.store.database import Database

LATE = 30_000
"""Milliseconds that a check may take and be late, beyond one that was left out."""


def extend(connection: sqlite3.Connection, target: str, key: Key, check: Check) -> None:
    """Lets a check, the newest one, prolong the last stretch or begin another."""
    (health_id,) = connection.execute(
        "SELECT id FROM health WHERE target = ? AND kind = ? AND name = ?",
        (target, key.kind, key.name),
    ).fetchone()
    at, lasts = round(check.at.timestamp() * 1000), round(check.lasts * 1000)
    # What claims to come after the newest check is of a clock that was ahead.
    connection.execute(
        "DELETE FROM uptime_period WHERE health_id = ? AND start > ?", (health_id, at)
    )
    last = connection.execute(
        "SELECT start, until, lasts, ok FROM uptime_period WHERE health_id = ?"
        " ORDER BY start DESC LIMIT 1",
        (health_id,),
    ).fetchone()
    if last is not None and at - last["until"] <= 2 * last["lasts"] + LATE:
        connection.execute(
            "UPDATE uptime_period SET until = ?, lasts = ? WHERE health_id = ? AND start = ?",
            (at, lasts, health_id, last["start"]),
        )
        if last["ok"] == check.ok:
            return
    connection.execute(
        "INSERT OR REPLACE INTO uptime_period VALUES (?, ?, ?, ?, ?)",
        (health_id, at, at, lasts, int(check.ok)),
    )


def within(database: Database, health_id: int, now: datetime, seconds: float) -> Uptime:
    """The uptime in the last `seconds` before `now`."""
    end = round(now.timestamp() * 1000)
    begin = end - round(seconds * 1000)
    row = database.query(
        """
        SELECT sum(stop - begin) AS known, sum(ok * (stop - begin)) AS good, min(begin) AS since
        FROM (
            SELECT ok, max(start, ?) AS begin, min(?, until + iif(
                start = (SELECT max(start) FROM uptime_period WHERE health_id = ?), lasts, 0
            )) AS stop
            FROM uptime_period WHERE health_id = ?
        ) WHERE stop > begin
        """,
        begin,
        end,
        health_id,
        health_id,
    )[0]
    if not row["known"]:
        return Uptime()
    since = datetime.fromtimestamp(row["since"] / 1000, UTC)
    return Uptime(round(row["good"] / row["known"], 5), since, row["known"] / 1000)


def prune(connection: sqlite3.Connection, health_id: int, before: int) -> None:
    """Drops the stretches that ended before this moment, in seconds of the epoch."""
    connection.execute(
        "DELETE FROM uptime_period WHERE health_id = ? AND until < ?", (health_id, before * 1000)
    )
