"""What is known of every proxy now: the file, the state, NPM and its health side by side."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from proxysync.kinds import KINDS, is_enabled
from proxysync.model import Applied, Key, Live, Other, Snapshot
from proxysync.model.clock import to_text
from proxysync.model.figures import Uptime
from proxysync.model.health import EdgeState, HealthState
from proxysync.plan.model import Change, Plan
from proxysync.store.state import BlockedEntry, Hold

if TYPE_CHECKING:
    from proxysync.config.models import Config
    from proxysync.model.event import Event
    from proxysync.store.health import ActiveAlert, HealthStore
    from proxysync.store.state import State


LEEWAY = 30.0
"""Seconds that a check may take and be late."""

NO_EDGE = EdgeState()
NO_UPTIME: Mapping[str, Uptime] = {"24h": Uptime(), "7d": Uptime(), "30d": Uptime()}


@dataclass(frozen=True)
class ProxyStatus:
    """One proxy.

    `sync` is one of: in sync, pending, drift, blocked, failed, waiting, contested, conflict,
    leaving, prune, orphan, unconfirmed, disabled, foreign, or unknown where NPM could not be asked.
    `since` is when it was blocked. `health` is where it stood when it was last checked, and
    `interval` is how often that is to happen, in seconds, None for never. `uptime` is what of the
    last 24h, 7d and 30d was good. `holder` is what it is if it is no proxy but a foreign host
    of another kind (`redirection host #3`); that has no upstream. `edge` is what visitors got
    from nginx when it was last asked.
    """

    key: Key | None
    kind: str | None
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
    changes: "tuple[Event, ...] | None" = None
    holder: str | None = None
    edge: EdgeState = field(default_factory=EdgeState)

    @property
    def name(self) -> str | None:
        return self.key.name if self.key else None

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
            "latency_ms": health.latency_ms,
            "stale": health.stale,
            "edge": self.edge.status,
            "edge_since": _text(self.edge.since),
            "edge_detail": self.edge.detail,
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
    config: "Config", snapshot: Snapshot | None, plan: Plan | None, state: "State | None"
) -> list[ProxyStatus]:
    """The managed proxies, in the order of the file; then those that are leaving.

    `snapshot` and `plan` are None where NPM could not be asked.
    """
    applied = {row.key: row for row in (state.applied() if state else ())}
    edges = state.edges.standings() if state and config.settings.verifies else {}
    blocked = {entry.key: entry for entry in (state.blocked() if state else ())}
    changes = {change.key: change for change in (plan.changes if plan else ())}
    notes = {note.key: note.message for note in (plan.notes if plan else ())}
    lives = _ours(snapshot, config.settings.instance) if snapshot else {}
    found = []
    for proxy in config.resources:
        change, row = changes.get(proxy.key), applied.get(proxy.key)
        entry = blocked.get(proxy.key)
        sync, detail = _sync(change, row, entry, asked=plan is not None, enabled=proxy.is_on)
        detail = detail or notes.get(proxy.key)
        watched = proxy.entry.watched_as
        is_blocked = entry is not None and sync == "blocked"
        npm_id = _first(
            change.npm_id if change else None,
            row.npm_id if row else None,
            lives.get(proxy.key),
        )
        found.append(
            ProxyStatus(
                key=proxy.key,
                kind=proxy.key.kind,
                managed=npm_id is not None,
                npm_id=npm_id,
                domains=proxy.entry.names,
                upstream=proxy.entry.leads_to,
                enabled=proxy.is_on,
                sync=sync,
                detail=detail,
                hint=entry.hint if entry and is_blocked else None,
                since=to_text(entry.since) if entry and is_blocked else None,
                next_try=to_text(entry.next_try) if entry and is_blocked else None,
                interval=watched.interval if row and watched else None,
                edge=edges.get(proxy.key, NO_EDGE) if row and watched else NO_EDGE,
            )
        )
    keys = {proxy.key for proxy in config.resources}
    leaving = [c for c in changes.values() if c.key not in keys]
    return found + [_leaving(c, c.live) for c in leaving if c.live is not None]


def _leaving(change: Change, live: Live) -> ProxyStatus:
    """A host that no entry asks for, and why it is still there."""
    if change.hold is None and change.action != "conflict":
        return _of_live(live, key=change.key, sync="leaving")
    sync, detail = _sync(change, None, None, asked=True, enabled=True)
    return replace(_of_live(live, key=change.key, sync=sync), detail=detail)


def foreign(snapshot: Snapshot, instance: str, known: Sequence[ProxyStatus]) -> list[ProxyStatus]:
    """The hosts in NPM that are not ours, saying whose they are where a marker tells."""
    ours = {(status.kind, status.npm_id) for status in known if status.managed}
    hosts = [
        _of_live(live, key=_marked(live), sync=_owner(live, instance))
        for live in snapshot.objects
        if (live.kind, live.npm_id) not in ours
    ]
    return hosts + [_of_other(other) for other in snapshot.others]


def with_health(
    proxies: Sequence[ProxyStatus], store: "HealthStore", now: datetime
) -> list[ProxyStatus]:
    """The same with what health checks found of those that are watched."""
    standings = store.standings()
    uptimes = store.uptimes(now, {proxy.key for proxy in proxies if proxy.key})
    return [
        replace(
            proxy,
            health=standings.get(proxy.key, HealthState()) if proxy.interval else HealthState(),
            uptime=uptimes.get(proxy.key, NO_UPTIME),
        )
        if proxy.managed and proxy.key
        else proxy
        for proxy in proxies
    ]


def overdue(proxy: ProxyStatus, now: datetime) -> bool:
    """Whether what is known of its health is too old to rely on: no daemon runs, say."""
    checked = proxy.health.checked_at
    if checked is None or proxy.interval is None:
        return False
    return (now - checked).total_seconds() > 2 * proxy.interval + LEEWAY


def warnings(alerts: "Mapping[str, ActiveAlert]") -> list[dict[str, Any]]:
    """The active alerts of NPM and the network, for `status`."""
    by_message = {alert.message: alert for alert in alerts.values()}
    return [
        {"event": alert.event, "message": alert.message, "since": to_text(alert.since)}
        for alert in by_message.values()
    ]


def held(hold: Hold | None, fingerprint: str) -> list[dict[str, Any]]:
    """A warning while a rollback keeps the file with this fingerprint from being applied."""
    if hold is None or not hold.covers(fingerprint):
        return []
    message = (
        f"NPM was rolled back to before run {hold.run_id}; it stays so until the content of the "
        "file changes or `proxysync resume` is given"
    )
    return [{"event": "daemon.held", "message": message, "since": to_text(hold.since)}]


def present(event: str, message: str) -> dict[str, Any]:
    """A warning of what is so at this moment; nobody knows since when."""
    return {"event": event, "message": message.partition("\n")[0], "since": None}


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


def _of_live(live: Live, *, key: Key | None, sync: str) -> ProxyStatus:
    kind = KINDS[live.kind]
    return ProxyStatus(
        key=key,
        kind=live.kind,
        managed=not sync.startswith("foreign"),
        npm_id=live.npm_id,
        domains=tuple(sorted(kind.claims(live.fields))),
        upstream=kind.leads_to(live.fields),
        enabled=is_enabled(live),
        sync=sync,
        holder=None if kind.is_essential else f"{kind.label} #{live.npm_id}",
    )


def _of_other(other: Other) -> ProxyStatus:
    return ProxyStatus(
        key=None,
        kind=None,
        managed=False,
        npm_id=None,
        domains=(),
        upstream=None,
        enabled=True,
        sync="foreign",
        holder=other.label,
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
        return "conflict", change.reason
    if change.hold is not None:
        return str(change.hold.kind), change.hold.reason
    if entry is not None:
        return "blocked", entry.reason
    return ("drift" if change.drift else "pending"), change.reason
