"""Measures pages of an event log with a million rows: `python benchmarks/events_query.py`.

Each filter is asked for its first page and for a deep one, in turn with the least that SQLite
could do for a page: `SELECT … WHERE id < ? ORDER BY id DESC LIMIT 50`. Exits with 1 if any
page takes more than it may at its best; the others hold what else the machine did.
"""

import argparse
import json
import random
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from proxysync.model import clock
from proxysync.store.database import Database, open_for_reading, open_for_writing
from proxysync.store.query import EventQuery, select

LIMIT_MS = 50.0
NEWEST = datetime(2026, 1, 31, 12, tzinfo=UTC)
SPAN = timedelta(days=90)
BUSY = "site0000"
"""A proxy that has a third of all events, and only a handful of them are not about its health."""

QUERIES = {
    "everything": EventQuery(),
    "warn and graver": EventQuery("warn"),
    "error": EventQuery("error"),
    "source apply": EventQuery(source="apply"),
    "error of npm": EventQuery("error", source="npm"),
    "one proxy": EventQuery(kind="proxy", name="site0500"),
    "error of one proxy": EventQuery("error", kind="proxy", name="site0500"),
    "busy proxy, rare source": EventQuery(kind="proxy", name=BUSY, source="apply"),
    "busy proxy, absent source": EventQuery(kind="proxy", name=BUSY, source="config"),
    "busy proxy, error": EventQuery("error", kind="proxy", name=BUSY),
    "name of any kind": EventQuery(name="site0500"),
    "kind that is seldom": EventQuery(kind="certificate"),
    "absent proxy": EventQuery(kind="proxy", name="nobody"),
    "since 2 h": EventQuery(since=NEWEST - timedelta(hours=2)),
    "warn since 60 d": EventQuery("warn", since=NEWEST - timedelta(days=60)),
    "since tomorrow": EventQuery(since=NEWEST + timedelta(days=1)),
    "all at once": EventQuery(
        "warn", source="health", kind="proxy", name=BUSY, since=NEWEST - timedelta(days=60)
    ),
    "a page of 1000": EventQuery("warn", limit=1000),
}


def rows(count: int) -> Iterator[tuple[str, str, str, str, str, str, str, str]]:
    chance = random.Random(1)  # noqa: S311 - the same rows each time
    data = json.dumps({"from": "healthy", "to": "unhealthy", "hint": "x" * 60})
    for number in range(count):
        ts = clock.to_text(NEWEST - SPAN * (1 - number / count))
        severity = chance.choices(("info", "warn", "error"), (90, 8, 2))[0]
        proxy = BUSY if chance.random() < 1 / 3 else f"site{chance.randrange(1, 1000):04}"
        source = chance.choices(("health", "apply", "npm", "daemon"), (80, 10, 5, 5))[0]
        if proxy == BUSY:
            source = "apply" if number % (count // 20) == 0 else "health"
        yield ts, severity, source, "health.changed", "proxy", proxy, f"{proxy}: {'m' * 60}", data


def fill(path: Path, count: int) -> None:
    database, _ = open_for_writing(path)
    with database.transaction() as connection:
        connection.executemany(
            "INSERT INTO event_log (ts, severity, source, event, kind, name, message, data)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            rows(count),
        )
    database.close()


def timed(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return (time.perf_counter() - start) * 1000


def measure(database: Database, bare: sqlite3.Connection, query: EventQuery, runs: int) -> float:
    """Prints the times of one page in ms; returns the least."""

    def least() -> None:
        bare.execute(
            "SELECT * FROM event_log WHERE id < ? ORDER BY id DESC LIMIT 50",
            (query.before or 2**62,),
        ).fetchall()

    ours, theirs = [], []
    for _ in range(runs):
        ours.append(timed(lambda: select(database, query)))
        theirs.append(timed(least))
    middle = statistics.median(ours)
    print(
        f"{len(select(database, query)):5}  {min(ours):8.2f}  {middle:8.2f}  {max(ours):8.2f}"
        f"  {middle / statistics.median(theirs):6.1f} x  {max(theirs):8.2f}"
    )
    return min(ours)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--runs", type=int, default=50)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "state.db"
        seconds = timed(lambda: fill(path, arguments.rows)) / 1000
        size = path.stat().st_size / 1e6
        print(f"{arguments.rows} rows made in {seconds:.0f} s, {size:.0f} MB")
        print(f"{'filter':26} {'page':6}  rows  min (ms)    median       max    ratio  bare max")
        database = open_for_reading(path)
        assert database is not None
        bare = sqlite3.connect(path)
        slowest = 0.0
        for name, query in QUERIES.items():
            for page, before in (("first", None), ("deep", arguments.rows // 10)):
                print(f"{name:26} {page:6}", end=" ")
                paged = replace(query, before=before)
                slowest = max(slowest, measure(database, bare, paged, arguments.runs))
        bare.close()
        database.close()
    print(f"The slowest page takes {slowest:.2f} ms; {LIMIT_MS:.0f} ms are allowed.")
    return 0 if slowest < LIMIT_MS else 1


if __name__ == "__main__":
    sys.exit(main())
