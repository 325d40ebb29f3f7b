"""What is known of every proxy now: the file, the state and NPM laid side by side."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from proxysync.kinds import PROXY
from proxysync.model import Applied, Fields, Live, Snapshot
from proxysync.plan.model import Change, Plan
from proxysync.store.clock import to_text
from proxysync.store.state import BlockedEntry

if TYPE_CHECKING:
    from proxysync.config.models import Config
    from proxysync.store.state import State


@dataclass(frozen=True)
class ProxyStatus:
    """One proxy.

    `sync` is one of: in sync, pending, drift, blocked, failed, waiting, conflict,
    unconfirmed, disabled, foreign, or unknown where NPM could not be asked.
    """

    name: str | None
    managed: bool
    npm_id: int | None
    domains: tuple[str, ...]
    upstream: str
    enabled: bool
    sync: str
    detail: str | None = None
    hint: str | None = None
    since: str | None = None
    next_try: str | None = None

    def to_json(self) -> dict[str, Any]:
        """The shape of `status --format json`; health is unknown until it is checked."""
        return {
            "name": self.name,
            "managed": self.managed,
            "npm_id": self.npm_id,
            "domains": list(self.domains),
            "upstream": self.upstream,
            "enabled": self.enabled,
            "sync": self.sync,
            "detail": self.detail,
            "hint": self.hint,
            "since": self.since,
            "next_try": self.next_try,
            "health": "unknown",
            "checked_at": None,
            "stale": False,
        }


def collect(
    config: "Config", snapshot: Snapshot | None, plan: Plan | None, state: "State | None"
) -> list[ProxyStatus]:
    """The managed proxies, in the order of the file; then those that are leaving.

    `snapshot` and `plan` are None where NPM could not be asked.
    """
    applied = {row.name: row for row in (state.applied() if state else ())}
    blocked = {entry.name: entry for entry in (state.blocked() if state else ())}
    changes = {change.name: change for change in (plan.changes if plan else ())}
    lives = _ours(snapshot, config.settings.instance) if snapshot else {}
    found = []
    for proxy in config.proxies:
        change, row = changes.get(proxy.name), applied.get(proxy.name)
        entry = blocked.get(proxy.name)
        sync, detail = _sync(change, row, entry, asked=plan is not None, enabled=proxy.enabled)
        is_blocked = entry is not None and sync == "blocked"
        npm_id = _first(
            change.npm_id if change else None,
            row.npm_id if row else None,
            lives.get(proxy.name),
        )
        found.append(
            ProxyStatus(
                name=proxy.name,
                managed=npm_id is not None,
                npm_id=npm_id,
                domains=proxy.domains,
                upstream=str(proxy.upstream),
                enabled=proxy.enabled,
                sync=sync,
                detail=detail,
                hint=entry.hint if entry and is_blocked else None,
                since=to_text(entry.since) if entry and is_blocked else None,
                next_try=to_text(entry.next_try) if entry and is_blocked else None,
            )
        )
    names = {proxy.name for proxy in config.proxies}
    leaving = [c for c in changes.values() if c.name not in names and c.live is not None]
    return found + [_of_live(c.live, name=c.name, sync="leaving") for c in leaving if c.live]


def foreign(snapshot: Snapshot, instance: str, known: Sequence[ProxyStatus]) -> list[ProxyStatus]:
    """The proxy hosts in NPM that are not ours, saying whose they are where a marker tells."""
    ours = {status.npm_id for status in known if status.managed}
    return [
        _of_live(live, name=live.marker.name if live.marker else None, sync=_owner(live, instance))
        for live in snapshot.objects
        if live.kind == PROXY.name and live.npm_id not in ours
    ]


def _first(*ids: int | None) -> int | None:
    return next((npm_id for npm_id in ids if npm_id is not None), None)


def _ours(snapshot: Snapshot, instance: str) -> dict[str, int]:
    return {
        live.marker.name: live.npm_id
        for live in snapshot.objects
        if live.marker and live.marker.instance == instance
    }


def _owner(live: Live, instance: str) -> str:
    if live.marker and live.marker.instance != instance:
        return f"foreign ({live.marker.instance})"
    return "foreign"


def _of_live(live: Live, *, name: str | None, sync: str) -> ProxyStatus:
    fields = live.fields
    return ProxyStatus(
        name=name,
        managed=not sync.startswith("foreign"),
        npm_id=live.npm_id,
        domains=tuple(fields["domain_names"]),
        upstream=_upstream(fields),
        enabled=bool(fields["enabled"]),
        sync=sync,
    )


def _upstream(fields: Fields) -> str:
    return f"{fields['forward_scheme']}://{fields['forward_host']}:{fields['forward_port']}"


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
