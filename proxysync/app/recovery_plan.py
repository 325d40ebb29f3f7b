"""What of a plan may put a broken nginx right: then it has to come before all else.

It looks ahead, at a new plan; `apply.recovery` looks back, at what a killed run left open.
"""

from dataclasses import dataclass, replace

from proxysync.apply.domain_move import HostId, host_id
from proxysync.apply.order import held, takes_down, wanted
from proxysync.health.latent import find_unresolved
from proxysync.kinds import KINDS
from proxysync.model import Fields
from proxysync.plan.model import Change, Plan


@dataclass(frozen=True)
class RecoveryPlan:
    """What to carry out first; the hosts `disable_first` before they get their new definition.

    NPM tests nginx before it writes that, and so with what breaks nginx still in place.
    """

    plan: Plan
    disable_first: frozenset[HostId]


def recovery_plan(plan: Plan, resolver: str | None) -> RecoveryPlan:
    """The part of the plan that takes out of nginx what may break it; empty if there is none.

    That is: whatever is deleted or disabled, hosts with a name in a location that does not resolve
    and that the plan drops, and what is uploaded in place of something that nginx may not take.
    """
    dropped = {change.key: _dropped(change) for change in plan.to_make}
    names = frozenset[str]().union(*dropped.values())
    gone = find_unresolved(names, resolver).keys() if names else set()
    offenders = [change for change in plan.to_make if dropped[change.key] & gone]
    changes = [
        c for c in plan.to_make if c in offenders or _only_takes_down(c, plan) or _is_upload(c)
    ]
    hosts = frozenset(host_id(change.live) for change in offenders if change.live is not None)
    return RecoveryPlan(replace(plan, changes=tuple(changes), records=(), forget=()), hosts)


def _dropped(change: Change) -> frozenset[str]:
    return _names(change, change.live.fields if change.live else None) - _names(
        change, change.target
    )


def _names(change: Change, fields: Fields | None) -> frozenset[str]:
    if fields is None or not KINDS[change.kind].is_enabled(fields):
        return frozenset()
    return KINDS[change.kind].resolved_at_start(fields)


def _is_upload(change: Change) -> bool:
    return KINDS[change.kind].is_uploaded and None not in (change.live, change.target)


def _only_takes_down(change: Change, plan: Plan) -> bool:
    """Whether the host goes, and nobody else is to take over a name that it serves."""
    is_host = KINDS[change.kind].is_host  # nginx serves nothing else, and hosts may need it yet
    return (
        is_host
        and takes_down(change)
        and not any(held(change) & wanted(other) for other in plan.to_make if other is not change)
    )
