"""What is known of each proxy at the edge: whether NPM's nginx serves it to visitors."""

from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from datetime import datetime

from proxysync.health.status import EdgeStanding, EdgeStatus
from proxysync.store import clock
from proxysync.store.database import Database
from proxysync.store.events import LateLineError

Emit = Callable[..., object]
"""See `store.events.EventLog.emit`."""

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

    def status(self, name: str) -> EdgeStatus:
        return self.standings().get(name, EdgeStanding()).status

    def save(self, found: Mapping[str, tuple[EdgeStatus, str | None]]) -> None:
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

    def tell(self, emit: Emit, name: str, status: EdgeStatus, detail: str | None = None) -> None:
        """Remembers what was just seen of a proxy, and raises an event if that is news."""
        before = self.status(name)

        def save() -> None:
            self.save({name: (status, detail)})

        if status == "not_served" and before != status:
            message = f"{name} is not served: {detail}"
            data = {"from": before, "detail": detail, "hint": HINT}
            _raise(emit, "error", "edge.not_served", message, name, data, save)
        elif status == "served" and before == "not_served":
            message = f"{name} is served again"
            _raise(emit, "info", "edge.served", message, name, {"from": before}, save)
        else:
            save()

    def tell_unseen(self, emit: Emit, why: str | None) -> None:
        """Raises an event, once, if the edge cannot be seen from here, and one when it can be."""
        rows = self._database.query(
            "SELECT 1 FROM notice WHERE target = ? AND key = ?", self._target, UNSEEN
        )
        if bool(rows) == (why is not None):
            return
        if why is None:
            message = "NPM's sites can be seen from here again"
            _raise(emit, "info", "edge.reachable", message, None, {}, self._forget_unseen)
            return
        message = (
            f"nobody can tell from here whether nginx serves what NPM says: {why}. "
            "Name NPM's sites in settings.verify, as {url: http://10.0.0.2}, or turn it off"
        )

        def note() -> None:
            with self._database.transaction() as connection:
                connection.execute(
                    "INSERT OR REPLACE INTO notice VALUES (?, ?, ?, ?, ?)",
                    (self._target, UNSEEN, "edge.unreachable", message, clock.to_text(clock.now())),
                )

        _raise(emit, "warn", "edge.unreachable", message, None, {"reason": why}, note)

    def _forget_unseen(self) -> None:
        with self._database.transaction() as connection:
            connection.execute(
                "DELETE FROM notice WHERE target = ? AND key = ?", (self._target, UNSEEN)
            )

    def keep_only(self, names: Collection[str]) -> None:
        """The others are not looked at any more."""
        gone = [name for name in self.standings() if name not in names]
        with self._database.transaction() as connection:
            connection.executemany(
                "DELETE FROM edge WHERE target = ? AND name = ?",
                [(self._target, name) for name in gone],
            )

    def is_proven(self, address: str) -> bool:
        """Whether sites of this NPM have been seen there, so that it is NPM's nginx indeed."""
        return bool(
            self._database.query(
                "SELECT 1 FROM edge_seen WHERE target = ? AND address = ?", self._target, address
            )
        )

    def prove(self, address: str) -> None:
        with self._database.transaction() as connection:
            connection.execute(
                "INSERT OR IGNORE INTO edge_seen VALUES (?, ?)", (self._target, address)
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
