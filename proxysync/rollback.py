"""The way back: what managed hosts were before a run, from the journal."""

from collections.abc import Sequence

from proxysync.kinds import KINDS
from proxysync.model import Applied, Desired, Fields, Snapshot
from proxysync.plan.model import Plan
from proxysync.plan.planner import make_plan
from proxysync.plan.policy import DeleteLimit, Policy
from proxysync.store.journal import Entry

CARRIED_OUT = frozenset({"done", "released", "unconfirmed", "half done"})
"""Outcomes of writes that have, or may have, changed NPM."""


def plan_back(
    entries: Sequence[Entry], applied: Sequence[Applied], snapshot: Snapshot, instance: str
) -> Plan:
    """The plan that undoes these writes (oldest first); a person looks at it before it is made."""
    return make_plan(
        definitions_before(entries, applied),
        snapshot,
        applied,
        Policy(instance=instance, max_delete_override=DeleteLimit(share=1.0)),
    )


def definitions_before(entries: Sequence[Entry], applied: Sequence[Applied]) -> list[Desired]:
    """What each managed host was before the first of these writes."""
    known: dict[tuple[str, str], Fields] = {(row.kind, row.name): row.fields for row in applied}
    for entry in reversed(entries):
        if entry.outcome not in CARRIED_OUT:
            continue
        known.pop((entry.kind, entry.name), None)
        if entry.before is not None:
            known[entry.kind, entry.old_name] = entry.before
    return [
        Desired(kind, name, KINDS[kind].normalise(fields))
        for (kind, name), fields in sorted(known.items())
    ]
