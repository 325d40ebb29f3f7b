"""What of a plan `adopt` carries out: the takeovers, and what frees the domains that they need."""

from dataclasses import replace

from proxysync.kinds import KINDS
from proxysync.model import Key
from proxysync.plan.draft import reached_by
from proxysync.plan.model import Change, Plan

FEW = 5
"""So many names are told one by one."""


def advice(change: Change, label: str) -> str:
    """What ends a conflict with a host that could be taken over; nothing for any other change."""
    if change.takes is None:
        return ""
    kind = KINDS[change.kind]
    other = (
        f"free the {kind.claim_noun} in NPM" if kind.is_host else "give the entry another `name`"
    )
    return f"; take it over with `proxysync adopt {label}`, or {other}"


def adopt_command(plan: Plan) -> str | None:
    """The one command that takes over all that could be; None where nothing could be."""
    names = [plan.label_of(change.key) for change in plan.changes if change.takes is not None]
    if not names:
        return None
    return f"proxysync adopt {' '.join(names) if len(names) <= FEW or plan.whole else '--all'}"


def only_adoptions(plan: Plan, keys: frozenset[Key]) -> Plan:
    """The plan for these entries alone. Nothing is recorded or forgotten by the way."""
    kept = [c for c in plan.changes if c.key in keys and c.action in ("adopt", "conflict")]
    rest = [change for change in plan.to_make if change not in kept]
    while freeing := [change for change in rest if any(_frees(change, other) for other in kept)]:
        kept += freeing
        rest = [change for change in rest if change not in freeing]
    chosen = tuple(change for change in plan.changes if change in kept)
    return replace(plan, changes=chosen, records=(), forget=())


def _frees(change: Change, other: Change) -> bool:
    """Whether a change gives away a name that the other takes."""
    kind = KINDS[change.kind]
    has = reached_by(kind, change.live.fields if change.live else None)
    gets = reached_by(kind, change.target)
    needs = reached_by(KINDS[other.kind], other.target if other.is_open else None)
    return bool((has - gets) & needs)
