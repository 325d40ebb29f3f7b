"""The way back: what managed hosts were before a run, from the journal."""

from collections.abc import Sequence
from dataclasses import replace

from proxysync.kinds import KINDS
from proxysync.model import Applied, Desired, Fields, Snapshot
from proxysync.plan.model import Plan
from proxysync.plan.planner import make_plan
from proxysync.plan.policy import DeleteLimit, Failure, Policy
from proxysync.store.journal import Entry

CARRIED_OUT = frozenset({"done", "released", "unconfirmed", "half done", None})
"""Outcomes of writes that have, or may have, changed NPM; None where nobody knows yet."""


def plan_back(
    entries: Sequence[Entry],
    applied: Sequence[Applied],
    snapshot: Snapshot,
    instance: str,
    failures: Sequence[Failure] = (),
) -> Plan:
    """The plan that undoes these writes (oldest first); a person looks at it before it is made.

    A definition whose certificate or access list is gone by now is a conflict, for without
    them the site would be open, or not be served as it was. `failures` as for any plan.
    """
    return make_plan(
        [_possible(desired, snapshot) for desired in definitions_before(entries, applied)],
        snapshot,
        applied,
        Policy(instance=instance, max_delete_override=DeleteLimit(share=1.0)),
        failures=failures,
    )


def _possible(desired: Desired, snapshot: Snapshot) -> Desired:
    if not desired.fields.get("enabled"):
        return desired
    there = {
        "certificate": ("certificate_id", {c.npm_id for c in snapshot.certificates}),
        "access list": ("access_list_id", {a.npm_id for a in snapshot.access_lists}),
    }
    gone = [
        f"it had {what} #{desired.fields[field]}, which is gone from NPM"
        for what, (field, ids) in there.items()
        if desired.fields.get(field) and desired.fields[field] not in ids
    ]
    return replace(desired, problem="; ".join(gone) or None)


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
