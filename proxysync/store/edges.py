"""What is known of each proxy at the edge: whether NPM's nginx serves it to visitors."""

from collections.abc import Collection, Mapping
from datetime import datetime
from functools import partial

from proxysync.model import Key, clock
from proxysync.model.event import Emit, NewEvent
from proxysync.model.health import EdgeState, EdgeStatus
from proxysync.store.alerts import AlertTable
from proxysync.store.database import Database

Sighting = tuple[EdgeStatus, str | None]
"""A status, and why it is not served or not known."""

PREFIX = "edge "
"""Begins the key of the alert that a proxy is not served."""

UNSEEN = "edge"
"""The key of the alert that the edge cannot be seen from here."""

HINT = (
    "It is written again by itself. If that does not help, look whether NPM's nginx reloads: its "
    "log, and streams on ports that are taken."
)


class EdgeTable:
    """The rows of one target. Each method is one transaction."""

    def __init__(self, database: Database, target: str = "default") -> None:
        self._database = database
        self._target = target
        self._alerts = AlertTable(database, target)

    def standings(self) -> dict[Key, EdgeState]:
        """By proxy; one that is not in it is unknown."""
        rows = self._database.query("SELECT * FROM edge WHERE target = ?", self._target)
        return {
            Key(row["kind"], row["name"]): EdgeState(
                row["status"], _moment(row["since"]), _moment(row["checked_at"]), row["detail"]
            )
            for row in rows
        }

    def save(self, found: Mapping[Key, Sighting]) -> None:
        """Remembers what was just seen of these proxies, and why."""
        now = clock.to_text(clock.now())
        with self._database.transaction() as connection:
            connection.executemany(
                """
                INSERT INTO edge VALUES (?, ?, ?, ?, ?, ?, ?)
                ON CONFLICT (target, kind, name) DO UPDATE SET
                    since = iif(status = excluded.status, since, excluded.since),
                    status = excluded.status, checked_at = excluded.checked_at,
                    detail = excluded.detail
                """,
                [
                    (self._target, key.kind, key.name, status, now, now, detail)
                    for key, (status, detail) in found.items()
                ],
            )

    def tell(self, emit: Emit, found: Mapping[Key, Sighting]) -> None:
        """Remembers what was just seen of these proxies, and raises an event for each news."""
        told = self.told()
        quiet: dict[Key, Sighting] = {}
        for key, seen in found.items():
            status, detail = seen
            if status == "not_served" and key not in told:
                data = {"detail": detail, "hint": HINT}
                lost = NewEvent("edge.not_served", f"{key} is not served: {detail}", key, data)
                self._alerts.fire(emit, lost, _alert(key), also=partial(self.save, {key: seen}))
            elif status == "served" and key in told:
                back = NewEvent("edge.served", f"{key} is served again", key)
                self._alerts.resolve(emit, back, _alert(key), also=partial(self.save, {key: seen}))
            else:
                quiet[key] = seen
        self.save(quiet)

    def told(self) -> frozenset[Key]:
        """The proxies of which it was said that they are not served, and not yet that they are."""
        active = self._alerts.active().values()
        lost = (alert.key for alert in active if alert.event == "edge.not_served")
        return frozenset(Key.parse(key.removeprefix(PREFIX)) for key in lost)

    def tell_unseen(self, emit: Emit, why: str | None) -> None:
        """Raises an event, once, if the edge cannot be seen from here, and one when it can be."""
        if why is None:
            back = NewEvent("edge.reachable", "NPM's sites can be seen from here again")
            self._alerts.resolve(emit, back, UNSEEN)
            return
        message = (
            f"nobody can tell from here whether nginx serves what NPM says: {why}. "
            "Name NPM's sites in settings.verify, as {url: http://10.0.0.2}, or turn it off"
        )
        event = NewEvent("edge.unreachable", message, data={"reason": why})
        self._alerts.fire(emit, event, UNSEEN)

    def keep_only(self, keys: Collection[Key]) -> None:
        """The others are not looked at any more."""
        gone = [key for key in self.standings().keys() | self.told() if key not in keys]
        if gone:
            self.forget(gone)

    def forget(self, keys: Collection[Key]) -> None:
        """Nothing is known of these any more, and nothing that was said of them holds."""
        with self._database.transaction() as connection:
            connection.executemany(
                "DELETE FROM edge WHERE target = ? AND kind = ? AND name = ?",
                [(self._target, key.kind, key.name) for key in keys],
            )
            self._alerts.end(map(_alert, keys))

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


def _alert(key: Key) -> str:
    return PREFIX + key.qualified


def _moment(text: str | None) -> datetime | None:
    return clock.from_text(text) if text else None
