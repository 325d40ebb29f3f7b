"""Which fields somebody else puts back again and again."""

from collections.abc import Collection, Mapping
from datetime import timedelta

from proxysync.model import Key, clock
from proxysync.store.database import Database

ENOUGH = 5
"""So many times in a row a field is put right; then whoever changes it is left to it."""

IN_A_ROW = timedelta(days=1)
"""Undone again after more than this is not in a row."""


class Contests:
    """How often each field was undone, as long as the file is the same; of one target."""

    def __init__(self, database: Database, target: str) -> None:
        self._database = database
        self._target = target

    def count(self, key: Key, fields: Collection[str], fingerprint: str) -> None:
        """Notes that these fields were just put right as the file with this fingerprint says."""
        moment = clock.now()
        with self._database.transaction() as connection:
            connection.executemany(
                """
                INSERT INTO contest VALUES (?, ?, ?, ?, 1, ?, ?, 0)
                ON CONFLICT (target, kind, name, field) DO UPDATE SET
                    count = iif(fingerprint = excluded.fingerprint AND last > ?, count + 1, 1),
                    told = 0, last = excluded.last, fingerprint = excluded.fingerprint
                """,
                [
                    (
                        self._target,
                        key.kind,
                        key.name,
                        field,
                        clock.to_text(moment),
                        fingerprint,
                        clock.to_text(moment - IN_A_ROW),
                    )
                    for field in fields
                ],
            )

    def lost(self, fingerprint: str) -> Mapping[Key, frozenset[str]]:
        """The fields that were put right often enough for this file."""
        found: dict[Key, frozenset[str]] = {}
        for row in self._database.query(
            "SELECT * FROM contest WHERE target = ? AND fingerprint = ? AND count >= ?",
            self._target,
            fingerprint,
            ENOUGH,
        ):
            key = Key(row["kind"], row["name"])
            found[key] = found.get(key, frozenset()) | {row["field"]}
        return found

    def tell(self, key: Key) -> bool:
        """Whether it has not been said yet that they are left alone; from now on it has."""
        with self._database.transaction() as connection:
            changed = connection.execute(
                "UPDATE contest SET told = 1 WHERE target = ? AND kind = ? AND name = ?"
                " AND count >= ? AND told = 0",
                (self._target, key.kind, key.name, ENOUGH),
            )
            return changed.rowcount > 0

    def end(self) -> bool:
        """Starts counting anew for all; whether any field was left alone."""
        with self._database.transaction() as connection:
            left = connection.execute(
                "SELECT 1 FROM contest WHERE target = ? AND count >= ?", (self._target, ENOUGH)
            ).fetchone()
            connection.execute("DELETE FROM contest WHERE target = ?", (self._target,))
            return left is not None
