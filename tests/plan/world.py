"""Small worlds for the planner: builders of its inputs, and an NPM that never fails."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from proxysync.kinds.proxy import PROXY
from proxysync.kinds.redirection import REDIRECTION
from proxysync.model import Applied, Desired, Fields, Live, Marker, Snapshot
from proxysync.plan.model import Change, Plan
from proxysync.plan.policy import Policy
from proxysync.values.limits import DeleteLimit
from tests.keys import key

CREATED = "2026-01-31 12:00:00"
ALLOW_ALL = Policy(max_delete_override=DeleteLimit(share=1.0), recreate=True)


def fields(*domains: str, **others: Any) -> Fields:
    return PROXY.normalise(
        {"domain_names": domains, "forward_host": "10.0.0.5", "forward_port": 8096, **others}
    )


def want(name: str, *domains: str, problem: str | None = None, **others: Any) -> Desired:
    return Desired(key(name), fields(*(domains or (f"{name}.example.com",)), **others), problem)


def live(
    npm_id: int,
    name: str | None,
    *domains: str,
    instance: str = "default",
    created_on: str | None = CREATED,
    online: bool | None = True,
    nginx_error: str | None = None,
    state: str | None = None,
    **others: Any,
) -> Live:
    """A host with the marker of `name`, written by `state`; None is a host without one."""
    return Live(
        "proxy",
        npm_id,
        fields(*(domains or (f"{name}.example.com",)), **others),
        marker=Marker(name, instance, state=state) if name is not None else None,
        created_on=created_on,
        online=online,
        nginx_error=nginx_error,
    )


def row(
    name: str,
    npm_id: int,
    *domains: str,
    created_on: str | None = CREATED,
    unconfirmed: bool = False,
    writer: str | None = None,
    **others: Any,
) -> Applied:
    definition = fields(*(domains or (f"{name}.example.com",)), **others)
    return Applied(key(name), npm_id, definition, created_on, unconfirmed, writer)


def redirection(npm_id: int, *domains: str) -> Live:
    """Somebody's redirection host."""
    definition = {"domain_names": domains, "forward_domain_name": "elsewhere.example.com"}
    return Live("redirection", npm_id, REDIRECTION.normalise(definition), created_on=CREATED)


def npm(*objects: Live) -> Snapshot:
    return Snapshot(objects)


def only(plan: Plan) -> Change:
    (change,) = plan.changes
    return change


def by_name(plan: Plan) -> dict[str, Change]:
    return {change.name: change for change in plan.changes}


def _host_of(row: Applied) -> tuple[int, str | None]:
    return row.npm_id, row.created_on


@dataclass
class PerfectNpm:
    """Carries out a plan and records it, as NPM and the executor would on a good day.

    Raises AssertionError when a plan asks for what NPM refuses: a domain that is taken.
    """

    hosts: dict[int, Live]
    rows: dict[str, Applied]
    others: tuple[Live, ...] = ()
    instance: str = "default"
    state: str | None = None

    @classmethod
    def of(cls, objects: Iterable[Live], rows: Iterable[Applied], **others: Any) -> "PerfectNpm":
        return cls({o.npm_id: o for o in objects}, {r.name: r for r in rows}, **others)

    @property
    def snapshot(self) -> Snapshot:
        return Snapshot((*self.hosts.values(), *self.others))

    @property
    def served(self) -> dict[str, int]:
        return {d: o.npm_id for o in self.hosts.values() for d in o.fields["domain_names"]}

    def carry_out(self, plan: Plan) -> None:
        for change in plan.to_make:
            self._release(change)
        for change in plan.to_make:
            if change.target is not None:
                self._write(change, change.target)
        for record in plan.records:
            others = {n: r for n, r in self.rows.items() if _host_of(r) != _host_of(record)}
            self.rows = {**others, record.name: record}
        for gone in plan.forget:
            self.rows.pop(gone.name, None)

    def _release(self, change: Change) -> None:
        if change.npm_id is None:
            return
        host = self.hosts[change.npm_id]
        if change.target is None:
            del self.hosts[change.npm_id]
            self.rows.pop(change.name, None)
            return
        kept = PROXY.claims(host.fields) & PROXY.claims(change.target)
        self.hosts[change.npm_id] = replace(host, fields=PROXY.with_claims(host.fields, kept))

    def _write(self, change: Change, target: Fields) -> None:
        npm_id = change.npm_id or max(self.hosts, default=100) + 1
        for domain in PROXY.claims(target):
            assert self.served.get(domain, npm_id) == npm_id, f"{domain} is already in use"
            assert not any(domain in o.fields["domain_names"] for o in self.others), domain
        old = self.hosts.get(npm_id) or Live("proxy", npm_id, target, created_on=f"new {npm_id}")
        self.hosts[npm_id] = replace(
            old,
            fields=PROXY.normalise(target),
            marker=Marker(change.name, self.instance, state=self.state),
            online=True,
        )
        assert change.desired is not None
        self.rows[change.name] = Applied(
            change.key, npm_id, change.desired, old.created_on, writer=self.state
        )
