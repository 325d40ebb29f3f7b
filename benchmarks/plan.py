"""`plan` of 50, 1,000 and 5,000 hosts that are as the file asks: `python -m benchmarks.plan`.

In turn with the least that anybody needs of NPM: a login and the list of proxy hosts. It runs
against the sandbox, and also against the NPM of `PROXYSYNC_TEST_NPM_URL` if
`PROXYSYNC_TEST_NPM_DATA` names the folder that it has as /data: the hosts are put into its
database, for to create 5,000 by its API takes it hours, and are taken out of it again.
"""

import json
import os
import sqlite3
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from benchmarks.lab import PYTHON, Npm, best, file_of, list_and_login, listed, row, run, sandbox

COUNTS = (50, 1_000, 5_000)
ROUNDS = 5


def main() -> int:
    print(
        f"{'NPM':8} {'hosts':>6} {'login+list':>11} {'list':>8} {'plan':>8} {'its cpu':>8} "
        f"{'ratio':>6} {'beyond login+list':>18} {'logins':>7}"
    )
    for count in COUNTS:
        with sandbox(count) as npm:
            measure("sandbox", npm, count)
    url, data = (os.environ.get(f"PROXYSYNC_TEST_NPM_{name}", "") for name in ("URL", "DATA"))
    if not url or not data:
        print("skipped: a real NPM, for PROXYSYNC_TEST_NPM_URL and _DATA name none")
        return 0
    for count in COUNTS:
        npm = Npm(url.rstrip("/"))
        with filled(Path(data) / "database.sqlite", count):
            measure("real", npm, count)
    return 0


def measure(what: str, npm: Npm, count: int) -> None:
    """Prints the line of one NPM that has so many hosts of ours."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "proxies.yaml").write_text(file_of(count))
        environ = npm.environ(folder)
        run(PYTHON, "-m", "proxysync", "apply", "--yes", environ=environ)  # makes the state
        plans, both, lists, logins = [], [], [], 0
        for _ in range(ROUNDS):
            both.append(list_and_login(npm))
            lists.append(listed(npm))
            before = (folder / "state" / "npm-token").exists()
            plans.append(run(PYTHON, "-m", "proxysync", "plan", environ=environ))
            logins += not before
        assert "in sync" in plans[-1].output, plans[-1].output
    plan, bare = best(plans), best(both).wall
    print(
        f"{what:8} {count:6} {bare:9.3f} s {best(lists).wall:6.3f} s {plan.wall:6.2f} s "
        f"{plan.cpu:6.2f} s {plan.wall / bare:6.2f} {plan.wall - bare:16.2f} s "
        f"{logins:3} of {ROUNDS}",
        flush=True,
    )


@contextmanager
def filled(database: Path, count: int) -> Iterator[None]:
    """An NPM whose database has these hosts, and had none of them before."""
    marked = "meta LIKE '%\"benchmark\": true%'"
    with closing(sqlite3.connect(database, timeout=30)) as connection:
        try:
            with connection:
                connection.executemany(*_insert(count))
            yield
        finally:
            with connection:
                connection.execute(f"DELETE FROM proxy_host WHERE {marked}")  # noqa: S608


def _insert(count: int) -> tuple[str, Iterator[list[object]]]:
    columns = [*row(0), "owner_user_id", "is_deleted", "created_on", "modified_on"]
    marks = ", ".join("?" for _ in columns)
    sql = f"INSERT INTO proxy_host ({', '.join(columns)}) VALUES ({marks})"  # noqa: S608

    def rows() -> Iterator[list[object]]:
        for number in range(count):
            values = row(number)
            values["meta"]["benchmark"] = True
            date = "2026-01-01 00:00:00"
            values |= {"owner_user_id": 1, "is_deleted": 0, "created_on": date, "modified_on": date}
            yield [
                json.dumps(value) if isinstance(value, dict | list) else value
                for value in (values[name] for name in columns)
            ]

    return sql, rows()


if __name__ == "__main__":
    sys.exit(main())
