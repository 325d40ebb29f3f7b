"""What `status` shows: all entries side by side, and what threatens them or NPM."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Self

from proxysync.app import planning
from proxysync.app.choose import ALL, Only, choose
from proxysync.app.look import Look, Seen
from proxysync.app.planning import Options
from proxysync.app.remembered import Remembered
from proxysync.app.rights import rights_warning
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
from proxysync.health.certificates import in_use
from proxysync.model import Certificate, Key, Snapshot, clock
from proxysync.model.errors import ProxysyncError
from proxysync.model.event import Event
from proxysync.model.redact import redact
from proxysync.plan.model import Plan
from proxysync.store.alerts import ActiveAlert
from proxysync.store.database import Database, wrap_read_errors
from proxysync.store.events import BATCH
from proxysync.store.health import HealthStore
from proxysync.store.query import EventQuery, select, select_after
from proxysync.store.state import State

STATE = "the state (state.db)"


@dataclass(frozen=True)
class Status:
    """How all is at one moment; `secrets` are not to be shown.

    `trouble` is why NPM could not be asked: then this is what the state knows. `notes` are for a
    person. `commit` is the one that a file from a repository is from. `certificates` are those in
    use, by hosts that are not ours, too. `fingerprint` is that of the file, None if it has errors.
    """

    entries: tuple[EntryStatus, ...]
    warnings: tuple[StatusWarning, ...]
    trouble: ProxysyncError | None
    secrets: Mapping[str, str] = field(repr=False)
    notes: tuple[str, ...] = ()
    commit: str | None = None
    certificates: tuple[Certificate, ...] = ()
    fingerprint: str | None = None

    def with_entries(self, entries: Iterable[EntryStatus]) -> Self:
        """The same, of these only."""
        return replace(self, entries=tuple(entries))

    def to_json(self) -> dict[str, Any]:
        """The shape of `status --format json`, without secrets."""
        warnings = list(self.warnings)
        if self.trouble:
            warnings.append(present(self.trouble.code, str(self.trouble)))
        value = {
            "proxies": [entry.to_json() for entry in self.entries],
            "warnings": [warning.to_json() for warning in warnings],
            "commit": self.commit,
            "fingerprint": self.fingerprint,
        }
        masked: dict[str, Any] = redact(value, self.secrets) if self.secrets else value
        return masked


class StatusView:
    """What is to be shown, read again each time it is asked for; NPM as `look` sees it.

    `place` is where a file from a repository is. To be closed.
    """

    def __init__(
        self,
        load: Callable[[], Config],
        look: Look,
        state_dir: Path,
        *,
        place: Place | None = None,
    ) -> None:
        self._load = load
        self._look = look
        self._state_dir = state_dir
        self._place = place
        self._stored = StateReader()
        self._plans = KeptPlan()

    def read(
        self, name: str | None = None, *, everything: bool = False, only: Only = ALL
    ) -> Status:
        """How all is now, as far as that is asked for.

        With a `name` it is of that entry alone, and says what last happened to it; with
        `everything` also of hosts in NPM that are not ours.
        Raises ProxysyncError if the state is damaged, or no entry has that name.
        """
        self._open()
        with wrap_read_errors(STATE):
            try:
                status = self._read(self._load(), everything=everything)
            except ConfigError as error:
                status = self._read_without_file(error, everything=everything)
            only.require_tag({tag for entry in status.entries for tag in entry.tags})
            status = status.with_entries(e for e in status.entries if only.takes(e.kind, e.tags))
            return status if name is None else self._only(name, status)

    def _open(self) -> None:
        """Opens the state, or the one that has come into its place."""
        database = self._stored.database
        if database is not None and database.is_lost():
            self.close()
            database, self._plans = None, KeptPlan()
        if database is None:
            self._stored = read_folder(self._state_dir, must_be_readable=False)

    def last_events(self, key: Key) -> tuple[Event, ...]:
        """What last happened to an entry, the newest first."""
        database = self._stored.database
        return tuple(HealthStore(database).last_events(key)) if database else ()

    def _only(self, name: str, status: Status) -> Status:
        known = {entry.key for entry in status.entries if entry.key}
        (key,) = choose([name], known, "NPM or the file")
        found = (entry for entry in status.entries if entry.key == key)
        changes = self.last_events(key)
        return replace(status, entries=tuple(replace(e, changes=changes) for e in found))

    def close(self) -> None:
        """Closes the state."""
        self._stored.close()

    def _read(self, config: Config, *, everything: bool) -> Status:
        seen = self._look()
        plan = (
            None if seen.snapshot is None else self._plans.get(config, seen.snapshot, self._stored)
        )
        snapshot = self._ours(seen)
        collected = collect(config, snapshot, plan, self._stored.state)
        entries = [_advised(entry, self._stored.database) for entry in collected]
        present = self._of_plan(config, plan, seen)
        return self._status(config, entries, seen, present, snapshot if everything else None)

    def _read_without_file(self, error: ConfigError, *, everything: bool) -> Status:
        """What was last applied, as far as NPM has it still: the file says nothing."""
        seen = self._look()
        config = Config(Settings(), (), secrets=earlier_secrets(self._state_dir))
        state = self._stored.state
        applied, edges = (state.applied(), state.edges.standings()) if state else ((), {})
        snapshot = self._ours(seen)
        entries = collect_applied(applied, snapshot, edges)
        broken = of_file(error, self._stored.database, self._state_dir)
        return self._status(config, entries, seen, (broken,), snapshot if everything else None)

    def _status(
        self,
        config: Config,
        entries: list[EntryStatus],
        seen: Seen,
        present: Sequence[StatusWarning],
        whole: Snapshot | None,
    ) -> Status:
        """With what in the `whole` NPM is not ours, where that is to be shown."""
        if whole is not None:
            entries += foreign(whole, config.settings.instance, entries)
        health = HealthStore(self._stored.database) if self._stored.database else None
        alerts: Mapping[str, ActiveAlert] = {}
        if health is not None:
            usual, unread = config.settings.health.interval, not config.fingerprint
            entries = with_health(entries, health, clock.now(), usual, unread=unread)
            alerts = health.alerts.active()
        warnings = (
            *present,
            *of_repository(self._place),
            *of_state(self._stored.state, config),
            *of_alerts(alerts.values()),
        )
        commit = self._place.commit if self._place else None
        secrets = config.secrets
        notes = (*config.selection.notes, *self._stored.warnings)
        certificates = in_use(seen.snapshot) if seen.snapshot else ()
        return Status(
            tuple(entries),
            warnings,
            seen.trouble,
            secrets,
            notes,
            commit,
            certificates,
            config.fingerprint or None,
        )

    def _of_plan(self, config: Config, plan: Plan | None, seen: Seen) -> list[StatusWarning]:
        """What is to be warned of by it."""
        if plan is None or seen.snapshot is None:
            return []
        found = []
        if plan.refused:
            found.append(present("plan.refused", f"the plan is refused: {plan.refused}"))
        lacking = rights_warning(seen.snapshot.denied, config, self._stored.state)
        account = [warning for warning in (seen.unseen, lacking) if warning]
        return found + [present("npm.visibility", warning) for warning in account]

    def _ours(self, seen: Seen) -> Snapshot | None:
        """NPM with what was given back as somebody else's."""
        state = self._stored.state
        if seen.snapshot is None or state is None:
            return seen.snapshot
        return Remembered(given_back=state.given_back()).seen(seen.snapshot)


def _advised(entry: EntryStatus, database: Database | None) -> EntryStatus:
    """The same with what its failure was told with: what to do about it."""
    if entry.sync != "failed" or entry.key is None or database is None:
        return entry
    query = EventQuery("error", source="apply", kind=entry.kind, name=entry.key.name)
    told = (e for e in select(database, query) if e.event == "proxy.failed")
    found = next((e for e in told if (entry.detail or "") in e.message), None)
    return replace(entry, hint=found.data.get("hint")) if found else entry


class KeptPlan:
    """The plan for a file and an NPM, until one of them changes or something happens."""

    def __init__(self) -> None:
        self._made_for: tuple[Config, Snapshot] | None = None
        self._last_event = 0
        self._plan: Plan | None = None

    def get(self, config: Config, snapshot: Snapshot, stored: StateReader) -> Plan:
        """The plan; none is made where it would be the same as before."""
        moved = self._has_moved(stored.database)
        kept = self._made_for
        if (
            self._plan is None
            or kept is None
            or moved
            or not (kept[0] is config and kept[1] is snapshot)
        ):
            self._plan, self._made_for = (
                _planned(config, snapshot, stored.state),
                (config, snapshot),
            )
        return self._plan

    def _has_moved(self, database: Database | None) -> bool:
        """Whether something has happened since that may be in a plan."""
        if database is None:
            return False
        query = EventQuery(limit=BATCH)
        if self._plan is None:
            newest = select(database, replace(query, limit=1))
            self._last_event = newest[0].id if newest else 0
            return True
        found = select_after(database, query, self._last_event)
        self._last_event = found[-1].id if found else self._last_event
        return any(event.source != "health" for event in found)


def _planned(config: Config, snapshot: Snapshot, state: State | None) -> Plan:
    # What nginx does not serve is another matter than what NPM has.
    options = Options(ignore_unserved=state.edges.told() if state else frozenset())
    return planning.plan_from(planning.read(config, options, snapshot, state)).plan
