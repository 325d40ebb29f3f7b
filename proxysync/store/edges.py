"""What is known of each proxy at the edge: whether NPM's nginx serves it to visitors."""

from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import suppress
from datetime import datetime
from functools import partial

from proxysync.model import clock
from proxysync.model.health import EdgeStanding, EdgeStatus
from proxysync.store.database import Database
from proxysync.store.events import LateLineError

Emit = Callable[..., object]
"""See `store.events.EventLog.emit`."""

Seen = tuple[EdgeStatus, str | None]
"""A status, and why it is not served or not known."""

PREFIX = "edge "
"""Begins the key of the notice that a proxy is not served."""

UNSEEN = "edge"
"""The key of the notice that the edge cannot be seen from here."""

HINT = (
    "It is written again by itself. If that does not help, look whether NPM's nginx reloads: its "
    "log, and streams on ports that are taken."
)


class EdgeTable:
    """The rows of one target. Each method is one transaction."""

    def __init__(self, database: Database, target: str = "default") -> None:
        self._database = database
        self._target = target

    def standings(self) -> dict[str, EdgeStanding]:
        """By proxy; one that is not in it is unknown."""
        rows = self._database.query("SELECT * FROM edge WHERE target = ?", self._target)
        return {
            row["name"]: EdgeStanding(
                row["status"], _moment(row["since"]), _moment(row["checked_at"]), row["detail"]
            )
            for row in rows
        }

    def save(self, found: Mapping[str, Seen]) -> None:
        """Remembers what was just seen of these proxies, and why."""
        now = clock.to_text(clock.now())
        with self._database.transaction() as connection:
            connection.executemany(
                """
                INSERT INTO edge VALUES (?, ?, ?, ?, ?, ?)
                ON CONFLICT (target, name) DO UPDATE SET
                    since = iif(status = excluded.status, since, excluded.since),
                    status = excluded.status, checked_at = excluded.checked_at,
                    detail = excluded.detail
                """,
                [
                    (self._target, name, status, now, now, detail)
                    for name, (status, detail) in found.items()
                ],
            )

    def tell(self, emit: Emit, found: Mapping[str, Seen]) -> None:
        """Remembers what was just seen of these proxies, and raises an event for each news."""
        told = self.told()
        quiet: dict[str, Seen] = {}
        for name, (status, detail) in found.items():
            key = PREFIX + name
            if status == "not_served" and name not in told:
                message = f"{name} is not served: {detail}"
                note = partial(
                    self._note, key, "edge.not_served", message, {name: (status, detail)}
                )
                data = {"detail": detail, "hint": HINT}
                _raise(emit, "error", "edge.not_served", message, name, data, note)
            elif status == "served" and name in told:
                drop = partial(self._drop, key, {name: (status, detail)})
                _raise(emit, "info", "edge.served", f"{name} is served again", name, {}, drop)
            else:
                quiet[name] = status, detail
        self.save(quiet)

    def told(self) -> frozenset[str]:
        """The proxies of which it was said that they are not served, and not yet that they are."""
        rows = self._database.query(
            "SELECT key FROM notice WHERE target = ? AND event = 'edge.not_served'", self._target
        )
        return frozenset(str(row["key"]).removeprefix(PREFIX) for row in rows)

    def tell_unseen(self, emit: Emit, why: str | None) -> None:
        """Raises an event, once, if the edge cannot be seen from here, and one when it can be."""
        rows = self._database.query(
            "SELECT 1 FROM notice WHERE target = ? AND key = ?", self._target, UNSEEN
        )
        if bool(rows) == (why is not None):
            return
        if why is None:
            message = "NPM's sites can be seen from here again"
            drop = partial(self._drop, UNSEEN, {})
            _raise(emit, "info", "edge.reachable", message, None, {}, drop)
            return
        message = (
            f"nobody can tell from here whether nginx serves what NPM says: {why}. "
            "Name NPM's sites in settings.verify, as {url: http://10.0.0.2}, or turn it off"
        )
        note = partial(self._note, UNSEEN, "edge.unreachable", message, {})
        _raise(emit, "warn", "edge.unreachable", message, None, {"reason": why}, note)

    def _note(self, key: str, event: str, message: str, found: Mapping[str, Seen]) -> None:
        """Remembers that this was said, with what was seen; for within an event."""
        with self._database.transaction() as connection:
            connection.execute(
                "INSERT OR REPLACE INTO notice VALUES (?, ?, ?, ?, ?)",
                (self._target, key, event, message, clock.to_text(clock.now())),
            )
            self.save(found)

    def _drop(self, key: str, found: Mapping[str, Seen]) -> None:
        """Forgets what was said; for within an event."""
        with self._database.transaction() as connection:
            connection.execute(
                "DELETE FROM notice WHERE target = ? AND key = ?", (self._target, key)
            )
            self.save(found)

    def keep_only(self, names: Collection[str]) -> None:
        """The others are not looked at any more."""
        gone = [name for name in self.standings().keys() | self.told() if name not in names]
        if gone:
            self.forget(gone)

    def forget(self, names: Iterable[str]) -> None:
        """Nothing is known of these any more, and nothing that was said of them holds."""
        with self._database.transaction() as connection:
            for name in names:
                connection.execute(
                    "DELETE FROM edge WHERE target = ? AND name = ?", (self._target, name)
                )
                connection.execute(
                    "DELETE FROM notice WHERE target = ? AND key = ?",
                    (self._target, PREFIX + name),
                )

    def proven(self) -> frozenset[str]:
        """Addresses at which sites of this NPM have been seen: NPM's nginx is there indeed."""
        rows = self._database.query("SELECT address FROM edge_seen WHERE target = ?", self._target)
        return frozenset(row["address"] for row in rows)

    def prove(self, addresses: Collection[str]) -> None:
        """Remembers that they have been seen there."""
        if not set(addresses) - self.proven():
            return
        with self._database.transaction() as connection:
            connection.executemany(
                "INSERT OR IGNORE INTO edge_seen VALUES (?, ?)",
                [(self._target, address) for address in addresses],
            )


def _moment(text: str | None) -> datetime | None:
    return clock.from_text(text) if text else None


def _raise(
    emit: Emit,
    severity: str,
    event: str,
    message: str,
    proxy: str | None,
    data: Mapping[str, object],
    also: Callable[[], object],
) -> None:
    with suppress(LateLineError):
        emit(severity, "edge", event, message, proxy=proxy, data=data, also=also)
