"""What `status` shows: all entries side by side, and what threatens them or NPM."""

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from proxysync.app import hold, planning
from proxysync.app.choose import choose
from proxysync.app.planning import Options
from proxysync.app.remembered import remember
from proxysync.app.state_folder import StateReader, read_folder
from proxysync.app.status import EntryStatus, collect, foreign, with_health
from proxysync.config.models import Config
from proxysync.model import Key, Snapshot, clock
from proxysync.model.clock import to_text
from proxysync.model.event import Event
from proxysync.model.redact import redact
from proxysync.npm.client import NpmClient
from proxysync.npm.errors import NpmError
from proxysync.plan.model import Plan
from proxysync.store.alerts import ActiveAlert
from proxysync.store.database import wrap_read_errors
from proxysync.store.health import HealthStore

STATE = "the state (state.db)"

ASK_NPM = 10.0
"""Seconds for which a view takes NPM as it was."""


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
            "since": to_text(self.since) if self.since else None,
        }


@dataclass(frozen=True)
class Status:
    """How all is at one moment; `secrets` are not to be shown.

    `trouble` is why NPM could not be asked: then this is what the state knows. `notes` are for a
    person.
    """

    entries: tuple[EntryStatus, ...]
    warnings: tuple[StatusWarning, ...]
    trouble: NpmError | None
    secrets: Mapping[str, str] = field(repr=False)
    notes: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """The shape of `status --format json`, without secrets."""
        warnings = list(self.warnings)
        if self.trouble:
            warnings.append(_present(self.trouble.code, str(self.trouble)))
        value = {
            "proxies": [entry.to_json() for entry in self.entries],
            "warnings": [warning.to_json() for warning in warnings],
        }
        masked: dict[str, Any] = redact(value, self.secrets)
        return masked


class StatusView:
    """What is to be shown, read again each time it is asked for; NPM only now and then.

    With a `name` it is of that entry alone, and says what last happened to it; with `everything`
    also of hosts in NPM that are not ours. To be closed.
    """

    def __init__(
        self,
        load: Callable[[], Config],
        connect: Callable[[], NpmClient],
        state_dir: Path,
        *,
        name: str | None = None,
        everything: bool = False,
    ) -> None:
        self._load = load
        self._connect = connect
        self._state_dir = state_dir
        self._name = name
        self._everything = everything
        self._npm: NpmClient | None = None
        self._stored = StateReader()
        self._snapshot: Snapshot | None = None
        self._asked = 0.0

    def read(self) -> Status:
        """How all is now.

        Raises ProxysyncError if the file is bad, the state damaged, or no entry has that name.
        """
        config = self._load()
        if self._stored.database is None:
            self._stored = read_folder(self._state_dir)
        with wrap_read_errors(STATE):
            return self._read(config)

    def close(self) -> None:
        """Closes the state."""
        self._stored.close()

    def _read(self, config: Config) -> Status:
        plan, present, trouble = self._plan(config)
        entries = collect(config, self._snapshot, plan, self._stored.state)
        if self._everything and self._snapshot is not None:
            entries += foreign(self._snapshot, config.settings.instance, entries)
        health = HealthStore(self._stored.database) if self._stored.database else None
        if self._name is not None:
            entries = _only(self._name, entries, health)
        alerts: Mapping[str, ActiveAlert] = {}
        if health is not None:
            entries = with_health(entries, health, clock.now())
            alerts = health.alerts.active()
        warnings = (*_of_alerts(alerts.values()), *self._of_hold(config), *present)
        return Status(tuple(entries), warnings, trouble, config.secrets, self._stored.warnings)

    def _plan(
        self, config: Config
    ) -> tuple[Plan | None, tuple[StatusWarning, ...], NpmError | None]:
        """The plan, what is to be warned of by it, and why there is none."""
        try:
            self._npm = self._npm or self._connect()
            if self._snapshot is None or time.monotonic() - self._asked > ASK_NPM:
                self._snapshot = remember(self._stored.state, "").seen(self._npm.snapshot())
                self._asked = time.monotonic()
            plan = self._planned(config, self._snapshot)
            visibility = self._npm.visibility_warning()
        except NpmError as error:
            self._snapshot = None
            return None, (), error
        found = []
        if plan.refused:
            found.append(_present("plan.refused", f"the plan is refused: {plan.refused}"))
        if visibility:
            found.append(_present("npm.visibility", visibility))
        return plan, tuple(found), None

    def _planned(self, config: Config, snapshot: Snapshot) -> Plan:
        state = self._stored.state
        # What nginx does not serve is another matter than what NPM has.
        options = Options(ignore_unserved=state.edges.told() if state else frozenset())
        return planning.plan_from(planning.read(config, options, snapshot, state)).plan

    def _of_hold(self, config: Config) -> tuple[StatusWarning, ...]:
        held = self._stored.state.hold() if self._stored.state else None
        if held is None or not held.covers(config.fingerprint):
            return ()
        return (StatusWarning("daemon.held", hold.describe(held), held.since),)


def _only(name: str, entries: list[EntryStatus], health: HealthStore | None) -> list[EntryStatus]:
    (key,) = choose([name], {e.key for e in entries if e.key}, "NPM and the file")
    changes = _last_events(key, health)
    return [replace(entry, changes=changes) for entry in entries if entry.key == key]


def _last_events(key: Key, health: HealthStore | None) -> tuple[Event, ...]:
    return tuple(health.last_events(key)) if health else ()


def _of_alerts(alerts: Iterable[ActiveAlert]) -> list[StatusWarning]:
    """Those of NPM and the network, each message once."""
    by_message = {alert.message: alert for alert in alerts}
    return [StatusWarning(a.event, a.message, a.since) for a in by_message.values()]


def _present(event: str, message: str) -> StatusWarning:
    """What is so at this moment."""
    return StatusWarning(event, message.partition("\n")[0])
