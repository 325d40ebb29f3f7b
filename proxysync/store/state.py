"""What proxysync remembers of each target between runs."""

import json
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from proxysync.model import Applied, Fields, Key, clock
from proxysync.model.backoff import Backoff
from proxysync.store.contests import Contests
from proxysync.store.database import Database
from proxysync.store.edges import EdgeTable
from proxysync.store.health import HealthStore
from proxysync.store.pauses import Pauses

RETRY = Backoff(first=15.0, longest=600.0)
"""Between two tries of a blocked entry."""


@dataclass(frozen=True)
class FailedEntry:
    """A definition that nginx or NPM refused, and what NPM had once it was put right again.

    With `retry` it may work later without an edit (a domain that is taken, say). One that is
    `as_found` was refused by nginx already when it was taken over, and was not written by us.
    `surroundings` is what it referred to in NPM, for it may work once that is another.
    """

    key: Key
    fields: Fields
    live: Fields | None
    reason: str
    retry: bool
    surroundings: str = ""
    as_found: bool = False


@dataclass(frozen=True)
class BlockedEntry:
    """An entry that failed validation. `definition` is a digest of what was validated."""

    key: Key
    definition: str
    reason: str
    hint: str | None
    since: datetime
    tries: int
    next_try: datetime

    def wait(self, now: datetime) -> float:
        """Seconds until the next try: none where a clock that was set back would make them more
        than the longest pause.
        """
        left = (self.next_try - now).total_seconds()
        return left if 0 < left <= RETRY.longest else 0.0


@dataclass(frozen=True)
class Hold:
    """Nobody applies the file after a rollback, as long as it has one of these fingerprints.

    They are those of what was rolled back and of what stood in the file at that moment.
    `run_id` is the run before which NPM is to be as it was, and `max_delete` what a person let
    pass for that, as they wrote it.
    """

    fingerprints: frozenset[str]
    run_id: int
    max_delete: str | None
    since: datetime

    def covers(self, fingerprint: str) -> bool:
        """Whether a valid file with this fingerprint leaves the hold as it is."""
        return fingerprint in self.fingerprints


class State:
    """The rows of one target. Each method is one transaction."""

    def __init__(self, database: Database, target: str = "default") -> None:
        self._database = database
        self._target = target
        self.edges = EdgeTable(database, target)
        self.contests = Contests(database, target)
        self.pauses = Pauses(database, target)
        self.health = HealthStore(database, target)

    @property
    def id(self) -> str:
        """What tells this state folder from others: made once, at random, with its database."""
        return str(self._database.query("SELECT id FROM identity")[0]["id"])

    @property
    def secret_key(self) -> bytes:
        """By what secrets are told apart in this state folder, and nowhere else."""
        return bytes.fromhex(self._database.query("SELECT secret_key FROM identity")[0][0])

    def applied(self) -> tuple[Applied, ...]:
        rows = self._database.query(
            "SELECT * FROM applied WHERE target = ? ORDER BY kind, name", self._target
        )
        values = _loads([text for row in rows for text in (row["fields"], row["digests"])])
        return tuple(
            Applied(
                key=Key(row["kind"], row["name"]),
                npm_id=row["npm_id"],
                fields=fields,
                created_on=row["created_on"],
                unconfirmed=bool(row["unconfirmed"]),
                writer=row["writer"],
                digests=digests,
            )
            for row, fields, digests in zip(rows, values[::2], values[1::2], strict=True)
        )

    def record(self, applied: Applied, *, replaces: str | None = None) -> None:
        """Remembers what was written; `replaces` is the name that a renamed entry had."""
        with self._database.transaction() as connection:
            connection.execute(
                "DELETE FROM applied WHERE target = ? AND kind = ? AND npm_id = ?"
                " AND created_on IS ?",
                (self._target, applied.kind, applied.npm_id, applied.created_on),
            )
            connection.execute(
                "DELETE FROM applied WHERE target = ? AND kind = ? AND name = ?",
                (self._target, applied.kind, replaces),
            )
            connection.execute(
                "DELETE FROM given_back WHERE target = ? AND kind = ? AND npm_id = ?",
                (self._target, applied.kind, applied.npm_id),
            )
            connection.execute(
                "INSERT OR REPLACE INTO applied VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    self._target,
                    applied.kind,
                    applied.name,
                    applied.npm_id,
                    _json(applied.fields),
                    applied.created_on,
                    int(applied.unconfirmed),
                    applied.writer,
                    clock.to_text(clock.now()),
                    _json(applied.digests),
                ),
            )

    def give_back(self, kind: str, npm_id: int, created_on: str | None) -> None:
        """Remembers a host that is none of ours any more, though NPM keeps our marker in it."""
        with self._database.transaction() as connection:
            connection.execute(
                "INSERT OR REPLACE INTO given_back VALUES (?, ?, ?, ?)",
                (self._target, kind, npm_id, created_on),
            )

    def given_back(self) -> frozenset[tuple[str, int, str | None]]:
        """Kind, id and creation date of these hosts."""
        rows = self._database.query("SELECT * FROM given_back WHERE target = ?", self._target)
        return frozenset((row["kind"], row["npm_id"], row["created_on"]) for row in rows)

    def forget(self, keys: Collection[Key]) -> None:
        """Drops all that is remembered of these."""
        with self._database.transaction() as connection:
            for key in keys:
                for table in ("applied", "failure"):
                    connection.execute(
                        f"DELETE FROM {table} WHERE target = ? AND kind = ? AND name = ?",  # noqa: S608
                        (self._target, key.kind, key.name),
                    )
            self.edges.forget(keys)

    def unknown_texts(self) -> frozenset[str]:
        """What hosts had whose past this state does not know: it may hold earlier secrets."""
        rows = self._database.query("SELECT value FROM unknown_text")
        return frozenset(row["value"] for row in rows)

    def add_unknown_texts(self, texts: Iterable[str]) -> None:
        with self._database.transaction() as connection:
            connection.executemany(
                "INSERT OR IGNORE INTO unknown_text VALUES (?)", [(text,) for text in texts]
            )

    def failures(self) -> tuple[FailedEntry, ...]:
        rows = self._database.query(
            "SELECT * FROM failure WHERE target = ? ORDER BY kind, name", self._target
        )
        return tuple(
            FailedEntry(
                key=Key(row["kind"], row["name"]),
                fields=json.loads(row["fields"]),
                live=json.loads(row["live"]) if row["live"] else None,
                reason=row["reason"],
                retry=bool(row["retry"]),
                surroundings=row["surroundings"],
                as_found=bool(row["as_found"]),
            )
            for row in rows
        )

    def add_failure(self, failure: FailedEntry) -> None:
        with self._database.transaction() as connection:
            connection.execute(
                "INSERT OR REPLACE INTO failure VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    self._target,
                    failure.key.kind,
                    failure.key.name,
                    _json(failure.fields),
                    None if failure.live is None else _json(failure.live),
                    failure.reason,
                    int(failure.retry),
                    clock.to_text(clock.now()),
                    failure.surroundings,
                    int(failure.as_found),
                ),
            )

    def clear_failure(self, key: Key) -> None:
        with self._database.transaction() as connection:
            connection.execute(
                "DELETE FROM failure WHERE target = ? AND kind = ? AND name = ?",
                (self._target, key.kind, key.name),
            )

    def blocked(self) -> tuple[BlockedEntry, ...]:
        rows = self._database.query(
            "SELECT * FROM blocked WHERE target = ? ORDER BY kind, name", self._target
        )
        return tuple(
            BlockedEntry(
                key=Key(row["kind"], row["name"]),
                definition=row["definition"],
                reason=row["reason"],
                hint=row["hint"],
                since=clock.from_text(row["since"]),
                tries=row["tries"],
                next_try=clock.from_text(row["next_try"]),
            )
            for row in rows
        )

    def block(
        self, key: Key, definition: str, reason: str, hint: str | None, retry_after: timedelta
    ) -> None:
        """Remembers a failed validation, counting the tries of one and the same definition."""
        moment = clock.now()
        with self._database.transaction() as connection:
            connection.execute(
                """
                INSERT INTO blocked VALUES (?, ?, ?, ?, ?, ?, ?, 1, ?)
                ON CONFLICT (target, kind, name) DO UPDATE SET
                    tries = iif(definition = excluded.definition, tries + 1, 1),
                    since = iif(definition = excluded.definition, since, excluded.since),
                    definition = excluded.definition, reason = excluded.reason,
                    hint = excluded.hint, next_try = excluded.next_try
                """,
                (
                    self._target,
                    key.kind,
                    key.name,
                    definition,
                    reason,
                    hint,
                    clock.to_text(moment),
                    clock.to_text(moment + retry_after),
                ),
            )

    def unblock(self, keys: Iterable[Key]) -> None:
        with self._database.transaction() as connection:
            connection.executemany(
                "DELETE FROM blocked WHERE target = ? AND kind = ? AND name = ?",
                [(self._target, key.kind, key.name) for key in keys],
            )

    def hold(self) -> Hold | None:
        """What keeps the file from being applied, if anything does."""
        for row in self._database.query("SELECT * FROM hold WHERE target = ?", self._target):
            return Hold(
                frozenset(row["fingerprints"].split()),
                row["run_id"],
                row["max_delete"],
                clock.from_text(row["since"]),
            )
        return None

    def hold_against(self, fingerprint: str) -> Hold | None:
        """The hold that a valid file with this fingerprint is under; another content ends it."""
        hold = self.hold()
        if hold is not None and not hold.covers(fingerprint):
            self.clear_hold()
            return None
        return hold

    def set_hold(
        self, fingerprints: Iterable[str], run_id: int, max_delete: str | None = None
    ) -> None:
        with self._database.transaction() as connection:
            connection.execute(
                "INSERT OR REPLACE INTO hold VALUES (?, ?, ?, ?, ?)",
                (
                    self._target,
                    " ".join(sorted(set(fingerprints))),
                    run_id,
                    max_delete,
                    clock.to_text(clock.now()),
                ),
            )

    def clear_hold(self) -> None:
        with self._database.transaction() as connection:
            connection.execute("DELETE FROM hold WHERE target = ?", (self._target,))


def _loads(texts: Iterable[str]) -> list[Any]:
    """The values of many texts of JSON, read as one: so each name of a field is kept only once."""
    values: list[Any] = json.loads(f"[{','.join(texts)}]")
    return values


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True)
