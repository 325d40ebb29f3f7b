"""What is about to be written to NPM, and what was there: known before each write."""

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from proxysync.model import Fields, Key, Keyed, clock
from proxysync.store.database import Database
from proxysync.store.flights import Flights

ENTRIES = "SELECT journal.*, run.instance FROM journal JOIN run ON run.id = run_id"


@dataclass(frozen=True)
class Run:
    """One apply: why it was made and how it ended; `ended` is None while it is under way.

    `fingerprint` is the file's, `instance` whose hosts it wrote, `commit` what a file from a
    repository was from.
    """

    id: int
    trigger: str
    fingerprint: str
    instance: str
    started: str
    ended: str | None
    outcome: str | None
    commit: str | None = None


@dataclass(frozen=True)
class JournalEntry(Keyed):
    """One write. `before` and `after` are definitions, None where there is no host.

    `npm_id` and `created_on` together are the host; None until NPM has given a new one its id.
    `instance` is that of its run. `responding` are the names by which visitors got an answer
    before it, and `protected` tells that nobody may get in without a password.
    """

    id: int
    run_id: int
    key: Key
    old_name: str
    action: str
    npm_id: int | None
    created_on: str | None
    before: Fields | None
    after: Fields | None
    instance: str
    outcome: str | None = None
    message: str = ""
    responding: frozenset[str] = frozenset()
    protected: bool = False

    @property
    def is_change(self) -> bool:
        """Whether it belongs to what was done: a row may only note who has the object now."""
        return self.outcome != "released"


class Row:
    """An open row, for whoever carries out what it speaks of."""

    def __init__(self, database: Database, row_id: int) -> None:
        self._database = database
        self.id = row_id

    def created(self, npm_id: int, created_on: str | None) -> None:
        """Notes which host NPM has made: from now on it is found without its marker."""
        self._update("npm_id = ?, created_on = ?", npm_id, created_on)

    def promise(self, responding: Collection[str], *, protected: bool) -> None:
        """Notes what visitors must not lose by it, before it is written."""
        if responding or protected:
            text = json.dumps({"responding": sorted(responding), "protected": protected})
            self._update("promise = ?", text)

    def close(self, outcome: str, message: str = "") -> None:
        """Notes how it ended: done, failed, unconfirmed, skipped, or what recovery did."""
        self._update("outcome = ?, message = ?", outcome, message)

    def _update(self, assignments: str, *values: object) -> None:
        with self._database.transaction() as connection:
            connection.execute(
                f"UPDATE journal SET {assignments} WHERE id = ?",  # noqa: S608
                (*values, self.id),
            )


class Journal:
    """The runs and writes of one target, each row committed before what it speaks of."""

    def __init__(self, database: Database, target: str = "default") -> None:
        self._database = database
        self._target = target
        self.flights = Flights(database, target)

    def begin(
        self, trigger: str, fingerprint: str, instance: str, commit: str | None = None
    ) -> int:
        """Opens a run and returns its id."""
        with self._database.transaction() as connection:
            cursor = connection.execute(
                "INSERT INTO run (target, why, fingerprint, instance, started, git_commit)"
                " VALUES (?, ?, ?, ?, ?, ?)",
                (self._target, trigger, fingerprint, instance, clock.to_text(clock.now()), commit),
            )
            return int(cursor.lastrowid or 0)

    def end(self, run_id: int, outcome: str) -> None:
        with self._database.transaction() as connection:
            connection.execute(
                "UPDATE run SET ended = ?, outcome = ? WHERE id = ?",
                (clock.to_text(clock.now()), outcome, run_id),
            )

    def open(
        self,
        run_id: int,
        *,
        key: Key,
        old_name: str,
        action: str,
        npm_id: int | None,
        created_on: str | None,
        before: Fields | None,
        after: Fields | None,
    ) -> Row:
        """Notes what is about to be done."""
        with self._database.transaction() as connection:
            cursor = connection.execute(
                "INSERT INTO journal (target, run_id, kind, name, old_name, action, npm_id,"
                " created_on, before, after) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    self._target,
                    run_id,
                    key.kind,
                    key.name,
                    old_name,
                    action,
                    npm_id,
                    created_on,
                    _json(before),
                    _json(after),
                ),
            )
            return Row(self._database, int(cursor.lastrowid or 0))

    def row(self, entry: JournalEntry) -> Row:
        """The row of an entry that was read, to be closed."""
        return Row(self._database, entry.id)

    def open_entries(self) -> list[JournalEntry]:
        """Writes of which nobody knows how they ended: proxysync was killed in between."""
        return self._entries("journal.outcome IS NULL")

    def entries(self, *, since: int, until: int | None = None) -> list[JournalEntry]:
        """The writes of the runs from `since` to `until`, oldest first."""
        return self._entries("run_id BETWEEN ? AND ?", since, 2**62 if until is None else until)

    def runs(self, limit: int = 50) -> list[Run]:
        """The newest runs, newest first."""
        rows = self._database.query(
            "SELECT * FROM run WHERE target = ? ORDER BY id DESC LIMIT ?", self._target, limit
        )
        return [_run(row) for row in rows]

    def run(self, run_id: int) -> Run | None:
        """The run of this number; None if there is none."""
        rows = self._database.query(
            "SELECT * FROM run WHERE target = ? AND id = ?", self._target, run_id
        )
        return _run(rows[0]) if rows else None

    @property
    def fingerprint(self) -> str:
        """That of the file that was applied last; raises IndexError where none was."""
        return self.runs(limit=1)[0].fingerprint

    @property
    def instance(self) -> str:
        """Whose hosts the newest run wrote; raises IndexError where there is none."""
        return self.runs(limit=1)[0].instance

    def _entries(self, condition: str, *values: object) -> list[JournalEntry]:
        rows: Sequence[Any] = self._database.query(
            f"{ENTRIES} WHERE journal.target = ? AND {condition} ORDER BY journal.id",
            self._target,
            *values,
        )
        return [
            JournalEntry(
                id=row["id"],
                run_id=row["run_id"],
                key=Key(row["kind"], row["name"]),
                old_name=row["old_name"],
                action=row["action"],
                npm_id=row["npm_id"],
                created_on=row["created_on"],
                instance=row["instance"],
                before=json.loads(row["before"]) if row["before"] else None,
                after=json.loads(row["after"]) if row["after"] else None,
                outcome=row["outcome"],
                message=row["message"] or "",
                **_promise(row["promise"]),
            )
            for row in rows
        ]


def _run(row: Any) -> Run:
    return Run(
        id=row["id"],
        trigger=row["why"],
        fingerprint=row["fingerprint"],
        instance=row["instance"],
        started=row["started"],
        ended=row["ended"],
        outcome=row["outcome"],
        commit=row["git_commit"],
    )


def _promise(text: str | None) -> dict[str, Any]:
    found = json.loads(text or "{}")
    return {
        "responding": frozenset(found.get("responding", ())),
        "protected": bool(found.get("protected")),
    }


def _json(fields: Fields | None) -> str | None:
    return None if fields is None else json.dumps(fields, ensure_ascii=False, sort_keys=True)
