"""What `status` shows: all entries side by side, and what threatens them or NPM."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from proxysync.app import planning
from proxysync.app.choose import choose
from proxysync.app.planning import Options
from proxysync.app.remembered import remember
from proxysync.app.rights import account_warnings
from proxysync.app.state_folder import StateReader, earlier_secrets, read_folder
from proxysync.app.status import EntryStatus, collect, collect_applied, foreign, with_health
from proxysync.app.status_warnings import (
    StatusWarning,
    of_alerts,
    of_file,
    of_repository,
    of_state,
    present,
)
from proxysync.config.errors import ConfigError
from proxysync.config.models import Config, Settings
from proxysync.git.place import Place
from proxysync.model import Key, Snapshot, clock
from proxysync.model.errors import ProxysyncError
from proxysync.model.event import Event
from proxysync.model.redact import redact
from proxysync.npm.client import NpmClient
from proxysync.plan.model import Plan
from proxysync.store.alerts import ActiveAlert
from proxysync.store.database import wrap_read_errors
from proxysync.store.health import HealthStore

STATE = "the state (state.db)"

ASK_NPM = 10.0
"""Seconds for which a view takes NPM as it was."""


@dataclass(frozen=True)
class Status:
    """How all is at one moment; `secrets` are not to be shown.

    `trouble` is why NPM could not be asked: then this is what the state knows. `notes` are for a
    person. `commit` is the one that a file from a repository is from.
    """

    entries: tuple[EntryStatus, ...]
    warnings: tuple[StatusWarning, ...]
    trouble: ProxysyncError | None
    secrets: Mapping[str, str] = field(repr=False)
    notes: tuple[str, ...] = ()
    commit: str | None = None

    def to_json(self) -> dict[str, Any]:
        """The shape of `status --format json`, without secrets."""
        warnings = list(self.warnings)
        if self.trouble:
            warnings.append(present(self.trouble.code, str(self.trouble)))
        value = {
            "proxies": [entry.to_json() for entry in self.entries],
            "warnings": [warning.to_json() for warning in warnings],
            "commit": self.commit,
        }
        masked: dict[str, Any] = redact(value, self.secrets)
        return masked


class StatusView:
    """What is to be shown, read again each time it is asked for; NPM only now and then.

    With a `name` it is of that entry alone, and says what last happened to it; with `everything`
    also of hosts in NPM that are not ours. `place` is where a file from a repository is. To be
    closed.
    """

    def __init__(
        self,
        load: Callable[[], Config],
        connect: Callable[[], NpmClient],
        state_dir: Path,
        *,
        name: str | None = None,
        everything: bool = False,
        place: Place | None = None,
    ) -> None:
        self._load = load
        self._connect = connect
        self._state_dir = state_dir
        self._name = name
        self._everything = everything
        self._place = place
        self._npm: NpmClient | None = None
        self._stored = StateReader()
        self._snapshot: Snapshot | None = None
        self._asked = 0.0

    def read(self) -> Status:
        """How all is now.

        Raises ProxysyncError if the state is damaged, or no entry has that name.
        """
        if self._stored.database is None:
            self._stored = read_folder(self._state_dir)
        with wrap_read_errors(STATE):
            try:
                return self._read(self._load())
            except ConfigError as error:
                return self._read_without_file(error)

    def close(self) -> None:
        """Closes the state."""
        self._stored.close()

    def _read(self, config: Config) -> Status:
        plan, present, trouble = self._plan(config)
        entries = collect(config, self._snapshot, plan, self._stored.state)
        return self._status(config, entries, present, trouble)

    def _read_without_file(self, error: ConfigError) -> Status:
        """What was last applied, as far as NPM has it still: the file says nothing."""
        config = Config(Settings(), (), secrets=earlier_secrets(self._state_dir))
        trouble = self._look()
        applied = self._stored.state.applied() if self._stored.state else ()
        entries = collect_applied(applied, self._snapshot)
        broken = of_file(error, self._stored.database, self._state_dir)
        return self._status(config, entries, (broken,), trouble)

    def _status(
        self,
        config: Config,
        entries: list[EntryStatus],
        present: tuple[StatusWarning, ...],
        trouble: ProxysyncError | None,
    ) -> Status:
        if self._everything and self._snapshot is not None:
            entries += foreign(self._snapshot, config.settings.instance, entries)
        health = HealthStore(self._stored.database) if self._stored.database else None
        if self._name is not None:
            entries = _only(self._name, entries, health)
        alerts: Mapping[str, ActiveAlert] = {}
        if health is not None:
            entries = with_health(entries, health, clock.now(), config.settings.health.interval)
            alerts = health.alerts.active()
        state = self._stored.state
        warnings = (
            *present,
            *of_repository(self._place),
            *of_state(state, config),
            *of_alerts(alerts.values()),
        )
        commit = self._place.commit if self._place else None
        return Status(
            tuple(entries), warnings, trouble, config.secrets, self._stored.warnings, commit
        )

    def _plan(
        self, config: Config
    ) -> tuple[Plan | None, tuple[StatusWarning, ...], ProxysyncError | None]:
        """The plan, what is to be warned of by it, and why there is none."""
        trouble = self._look()
        if self._snapshot is None or self._npm is None:
            return None, (), trouble
        plan = self._planned(config, self._snapshot)
        found = []
        if plan.refused:
            found.append(present("plan.refused", f"the plan is refused: {plan.refused}"))
        account = account_warnings(self._npm, config, self._stored.state)
        found += [present("npm.visibility", warning) for warning in account]
        return plan, tuple(found), None

    def _look(self) -> ProxysyncError | None:
        """Reads NPM if that was not done just now; returns why it cannot be."""
        try:
            self._npm = self._npm or self._connect()
            if self._snapshot is None or time.monotonic() - self._asked > ASK_NPM:
                self._snapshot = remember(self._stored.state, "").seen(self._npm.snapshot())
                self._asked = time.monotonic()
        except ProxysyncError as error:
            self._snapshot = None
            return error
        return None

    def _planned(self, config: Config, snapshot: Snapshot) -> Plan:
        state = self._stored.state
        # What nginx does not serve is another matter than what NPM has.
        options = Options(ignore_unserved=state.edges.told() if state else frozenset())
        return planning.plan_from(planning.read(config, options, snapshot, state)).plan


def _only(name: str, entries: list[EntryStatus], health: HealthStore | None) -> list[EntryStatus]:
    (key,) = choose([name], {e.key for e in entries if e.key}, "neither NPM nor the file")
    changes = _last_events(key, health)
    return [replace(entry, changes=changes) for entry in entries if entry.key == key]


def _last_events(key: Key, health: HealthStore | None) -> tuple[Event, ...]:
    return tuple(health.last_events(key)) if health else ()
