"""What is known of every entry now: the file, the state, NPM and its health side by side."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from proxysync.config.models import Config
from proxysync.kinds import KINDS, is_enabled
from proxysync.kinds.entry import Resource
from proxysync.model import Applied, Key, Live, Snapshot
from proxysync.model.clock import to_text
from proxysync.model.event import Event
from proxysync.model.figures import Uptime
from proxysync.model.health import EdgeState, HealthState
from proxysync.plan.adoption import advice
from proxysync.plan.match import call, same_host
from proxysync.plan.model import Change, Plan
from proxysync.store.edges import HINT as EDGE_HINT
from proxysync.store.health import HealthStore
from proxysync.store.state import BlockedEntry, State

LEEWAY = 30.0
"""Seconds that a check may take and be late."""

SYNC = (
    "in sync", "pending", "drift", "blocked", "failed", "waiting", "contested", "conflict",
    "leaving", "held", "prune", "orphan", "unconfirmed", "disabled", "foreign", "unknown", "kept",
)  # fmt: skip
"""All that `sync` can be; what is foreign may say whose it is, in brackets."""

LEFT = frozenset({"leaving", "held", "prune"})
"""What `sync` says of hosts of ours that no entry asks for any more."""

NO_EDGE = EdgeState()
NO_UPTIME: Mapping[str, Uptime] = {"24h": Uptime(), "7d": Uptime(), "30d": Uptime()}


@dataclass(frozen=True)
class EntryStatus:
    """One entry, or a host in NPM that none asks for.

    `sync` is one of: in sync, pending, drift, blocked, failed, waiting, contested, conflict,
    leaving, held (it would leave, but the plan is refused), prune, orphan, unconfirmed, disabled,
    foreign, unknown where NPM could not be asked, or kept where the file has errors and NPM has
    what was last applied.
    `since` is when it was blocked. `health` is where it stood when it was last checked, and
    `interval` is how often that is to happen, in seconds, None for never. `uptime` is what of the
    last 24h, 7d and 30d was good. `holder` is what it is if it has no upstream to be known by
    (`redirection host #3`). `edge` is what visitors got from nginx when it was last asked.
    """

    key: Key | None
    kind: str
    managed: bool
    npm_id: int | None
    domains: tuple[str, ...]
    upstream: str | None
    enabled: bool
    sync: str
    detail: str | None = None
    hint: str | None = None
    since: str | None = None
    next_try: str | None = None
    health: HealthState = field(default_factory=HealthState)
    interval: float | None = None
    uptime: Mapping[str, Uptime] = field(default_factory=lambda: NO_UPTIME)
    changes: tuple[Event, ...] | None = None
    holder: str | None = None
    edge: EdgeState = field(default_factory=EdgeState)
    note: str | None = None
    tags: tuple[str, ...] = ()

    @property
    def name(self) -> str | None:
        return self.key.name if self.key else None

    @property
    def is_foreign(self) -> bool:
        """Whether it is neither an entry of the file nor ours in NPM."""
        return self.sync.startswith("foreign")

    def to_json(self) -> dict[str, Any]:
        """The shape of `status --format json`; `changes` are there for a single proxy only."""
        health = self.health
        shown: dict[str, Any] = {
            "kind": self.kind,
            "name": self.name,
            "managed": self.managed,
            "npm_id": self.npm_id,
            "domains": list(self.domains),
            "upstream": self.upstream,
            "holder": self.holder,
            "enabled": self.enabled,
            "note": self.note,
            "tags": list(self.tags),
            "sync": self.sync,
            "detail": self.detail,
            "hint": self.hint,
            "since": self.since,
            "next_try": self.next_try,
            "health": health.status,
            "health_since": _text(health.since),
            "health_detail": health.detail,
            "health_hint": health.hint,
            "checked_at": _text(health.checked_at),
            "health_valid_until": _text(valid_until(self)),
            "latency_ms": health.latency_ms,
            "stale": health.stale,
            "edge": self.edge.status,
            "edge_since": _text(self.edge.since),
            "edge_detail": self.edge.detail,
            "edge_hint": EDGE_HINT if self.edge.status == "not_served" else None,
            "edge_checked_at": _text(self.edge.checked_at),
            "watched": self.interval is not None,
            "uptime": {label: uptime.share for label, uptime in self.uptime.items()},
            "uptime_since": {label: _text(uptime.since) for label, uptime in self.uptime.items()},
            "uptime_known_seconds": {
                label: round(uptime.seconds) for label, uptime in self.uptime.items()
            },
        }
        if self.changes is not None:
            shown["changes"] = [event.to_json() for event in self.changes]
        return shown


def collect(
    config: Config, snapshot: Snapshot | None, plan: Plan | None, state: State | None
) -> list[EntryStatus]:
    """The entries, in the order of the file; then what is leaving.

    `snapshot` and `plan` are None where NPM could not be asked.
    """
    known = _Known(
        asked=plan is not None,
        changes={change.key: change for change in (plan.changes if plan else ())},
        notes={note.key: note.message for note in (plan.notes if plan else ())},
        applied={row.key: row for row in (state.applied() if state else ())},
        blocked={entry.key: entry for entry in (state.blocked() if state else ())},
        edges=state.edges.standings() if state and config.settings.verifies else {},
        ids=_ours(snapshot, config.settings.instance) if snapshot else {},
    )
    keys = {resource.key for resource in config.resources}
    leaving = [change for change in known.changes.values() if change.key not in keys]
    return [
        *(_of_entry(resource, known) for resource in config.resources),
        *(
            replace(
                _leaving(change, change.live, refused=bool(plan and plan.refused)),
                edge=known.edges.get(change.key, NO_EDGE),
            )
            for change in leaving
            if change.live is not None
        ),
    ]


def collect_applied(
    applied: Sequence[Applied], snapshot: Snapshot | None, edges: Mapping[Key, EdgeState]
) -> list[EntryStatus]:
    """What was last applied, for where the file cannot say what there is to be."""
    now = {(live.kind, live.npm_id): live for live in snapshot.objects} if snapshot else {}
    return [
        replace(
            _of_row(row, now.get((row.kind, row.npm_id)), asked=bool(snapshot)),
            edge=edges.get(row.key, NO_EDGE),
        )
        for row in applied
    ]


def _of_row(row: Applied, live: Live | None, *, asked: bool) -> EntryStatus:
    kind = KINDS[row.kind]
    fields = row.fields or (live.fields if live else kind.complete({}))
    sync, detail = "unknown", None
    if row.unconfirmed:
        sync, detail = _sync(None, row, None, asked=asked, enabled=True)
    elif asked:
        is_kept = live is not None and same_host(row, live) and live.fields == row.fields
        sync, detail = ("kept", None) if is_kept else ("drift", "it is not as it was last applied")
    return EntryStatus(
        key=row.key,
        kind=row.kind,
        managed=True,
        npm_id=row.npm_id,
        domains=tuple(sorted(kind.claims(fields))),
        upstream=kind.leads_to(fields),
        enabled=is_enabled(row),
        sync=sync,
        detail=detail,
    )


@dataclass(frozen=True)
class _Known:
    """What is known of entries, by their keys; `ids` are those in NPM by its markers."""

    asked: bool
    changes: Mapping[Key, Change]
    notes: Mapping[Key, str]
    applied: Mapping[Key, Applied]
    blocked: Mapping[Key, BlockedEntry]
    edges: Mapping[Key, EdgeState]
    ids: Mapping[Key, int]


def _of_entry(resource: Resource, known: _Known) -> EntryStatus:
    key, watched = resource.key, resource.entry.watched_as
    change, row, blocked = known.changes.get(key), known.applied.get(key), known.blocked.get(key)
    sync, detail = _sync(change, row, blocked, asked=known.asked, enabled=resource.is_on)
    if sync != "blocked":
        blocked = None
    npm_id = _first(
        change.npm_id if change else None, row.npm_id if row else None, known.ids.get(key)
    )
    return EntryStatus(
        key=key,
        kind=key.kind,
        managed=npm_id is not None,
        npm_id=npm_id,
        domains=resource.entry.names,
        upstream=resource.entry.leads_to,
        enabled=resource.is_on,
        sync=sync,
        detail=detail or known.notes.get(key),
        hint=blocked.hint if blocked else None,
        since=to_text(blocked.since) if blocked else None,
        next_try=to_text(blocked.next_try) if blocked else None,
        interval=watched.interval if row and watched else None,
        edge=known.edges.get(key, NO_EDGE) if row and resource.entry.site_is_watched else NO_EDGE,
        note=resource.entry.note,
        tags=resource.entry.tags,
    )


def _leaving(change: Change, live: Live, *, refused: bool) -> EntryStatus:
    """A host that no entry asks for, and why it is still there."""
    if change.hold is None and change.action != "conflict":
        return _of_live(live, key=change.key, sync="held" if refused else "leaving")
    sync, detail = _sync(change, None, None, asked=True, enabled=True)
    return replace(_of_live(live, key=change.key, sync=sync), detail=detail)


def foreign(snapshot: Snapshot, instance: str, known: Sequence[EntryStatus]) -> list[EntryStatus]:
    """The hosts in NPM that are not ours, saying whose they are where a marker tells."""
    ours = {(status.kind, status.npm_id) for status in known if status.managed}
    return [
        _of_live(live, key=_marked(live), sync=_owner(live, instance))
        for live in snapshot.objects
        if (live.kind, live.npm_id) not in ours
    ]


def with_health(
    entries: Sequence[EntryStatus],
    store: HealthStore,
    now: datetime,
    usual: float,
    *,
    unread: bool = False,
) -> list[EntryStatus]:
    """The same with what health checks found of those that are watched.

    What has left the file, or all where it is `unread`, is watched as it said last. Nobody here
    knows how often that was, so that it counts as the `usual` interval.
    """
    standings = store.standings()
    uptimes = store.uptimes(now, {entry.key for entry in entries if entry.key})

    def checked(entry: EntryStatus, key: Key) -> EntryStatus:
        health = standings.get(key, HealthState())
        as_before = (unread or entry.sync in LEFT) and health.checked_at is not None
        interval = usual if as_before else entry.interval
        return replace(
            entry,
            interval=interval,
            health=health if interval else HealthState(),
            uptime=uptimes.get(key, NO_UPTIME),
        )

    return [checked(e, e.key) if e.managed and e.key else e for e in entries]


def valid_until(entry: EntryStatus) -> datetime | None:
    """When what is known of its health gets too old to rely on; None where nothing is known."""
    checked = entry.health.checked_at
    if checked is None or entry.interval is None:
        return None
    return checked + timedelta(seconds=2 * entry.interval + LEEWAY)


def overdue(entry: EntryStatus, now: datetime) -> bool:
    """Whether what is known of its health is too old to rely on: no daemon runs, say."""
    until = valid_until(entry)
    return until is not None and now > until


def _text(moment: datetime | None) -> str | None:
    return to_text(moment) if moment else None


def _first(*ids: int | None) -> int | None:
    return next((npm_id for npm_id in ids if npm_id is not None), None)


def _ours(snapshot: Snapshot, instance: str) -> dict[Key, int]:
    return {
        Key(live.kind, live.marker.name): live.npm_id
        for live in snapshot.objects
        if live.marker and live.marker.instance == instance
    }


def _marked(live: Live) -> Key | None:
    return Key(live.kind, live.marker.name) if live.marker else None


def _owner(live: Live, instance: str) -> str:
    if live.marker and live.marker.instance != instance:
        return f"foreign ({live.marker.instance})"
    return "foreign"


def _of_live(live: Live, *, key: Key | None, sync: str) -> EntryStatus:
    kind = KINDS[live.kind]
    return EntryStatus(
        key=key,
        kind=live.kind,
        managed=not sync.startswith("foreign"),
        npm_id=live.npm_id,
        domains=tuple(sorted(kind.claims(live.fields))),
        upstream=kind.leads_to(live.fields),
        enabled=is_enabled(live),
        sync=sync,
        holder=None if kind.is_essential else call(live),
    )


def _sync(
    change: Change | None,
    row: Applied | None,
    entry: BlockedEntry | None,
    *,
    asked: bool,
    enabled: bool,
) -> tuple[str, str | None]:
    """The word for it, and why."""
    if row is not None and row.unconfirmed:
        return "unconfirmed", "NPM answered the last write with an error"
    if change is None:
        if not asked:
            return ("blocked", entry.reason) if entry else ("unknown", None)
        return ("in sync", None) if enabled else ("disabled", None)
    if change.action == "conflict":
        return "conflict", f"{change.reason}{advice(change, change.key.qualified)}"
    if change.hold is not None:
        return str(change.hold.kind), change.hold.reason
    if entry is not None:
        return "blocked", entry.reason
    return ("drift" if change.drift else "pending"), change.reason
