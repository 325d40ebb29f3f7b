"""What threatens more than one entry, for the top of `status`."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from proxysync.app import hold
from proxysync.apply.lock import daemon_pid
from proxysync.config.errors import ConfigError
from proxysync.config.models import Config
from proxysync.git.place import Place
from proxysync.model import clock
from proxysync.store.alerts import ActiveAlert
from proxysync.store.database import Database
from proxysync.store.query import EventQuery, select
from proxysync.store.state import State

LOOK_BACK = 50
"""Events about the file that are read to find out since when it is no good."""


@dataclass(frozen=True)
class StatusWarning:
    """What threatens more than one entry; nobody knows since when where `since` is None."""

    event: str
    message: str
    since: datetime | None = None

    def to_json(self) -> dict[str, Any]:
        return {
            "event": self.event,
            "message": self.message,
            "since": clock.to_text(self.since) if self.since else None,
        }


def present(event: str, message: str) -> StatusWarning:
    """What is so at this moment."""
    return StatusWarning(event, message.partition("\n")[0])


def of_alerts(alerts: Iterable[ActiveAlert]) -> list[StatusWarning]:
    """Those of NPM and the network, each message once."""
    by_message = {alert.message: alert for alert in alerts}
    return [StatusWarning(a.event, a.message, a.since) for a in by_message.values()]


def of_state(state: State | None, config: Config) -> list[StatusWarning]:
    """Why the daemon writes nothing, though all is well."""
    if state is None:
        return []
    held, pause = state.hold(), state.pauses.current()
    found = []
    if pause is not None:
        found.append(StatusWarning("daemon.paused", str(pause), pause.begin.wall))
    if held is not None and held.covers(config.fingerprint):
        found.append(StatusWarning("daemon.held", hold.describe(held), held.since))
    return found


def of_repository(place: Place | None) -> list[StatusWarning]:
    """Why the file may be older than what was pushed."""
    trouble = place.trouble if place else None
    return [present("git.failed", f"not the newest commit: {trouble}")] if trouble else []


def of_file(error: ConfigError, database: Database | None, folder: Path) -> StatusWarning:
    """What is wrong with the file, since when, and what holds meanwhile."""
    first, since = str(error.problems[0]), _invalid_since(database) if database else None
    moment = f" since {clock.local(since)}" if since else ""
    number = len(error.problems)
    count = f"an error{moment}:" if number == 1 else f"{number} errors{moment}, the first at"
    runs = daemon_pid(folder) is not None
    kept = "the daemon keeps the last valid one" if runs else "nothing is applied until then"
    return StatusWarning(error.code, f"the file has {count} {first}; {kept}", since)


def _invalid_since(database: Database) -> datetime | None:
    """When the daemon found it invalid for the first time in a row; None if it did not."""
    since = None
    for event in select(database, EventQuery(source="config", limit=LOOK_BACK)):
        if event.event == "config.loaded":
            break
        if event.event == ConfigError.code:
            since = clock.from_text(event.ts)
    return since
