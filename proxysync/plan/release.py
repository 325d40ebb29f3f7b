"""What `release` carries out: hosts that are given back to whoever looks after them in NPM.

Nothing of such a host is touched but our marker, which goes; the state forgets it, too. So the site
is served as before, and an entry that still asks for its domains is a conflict.
"""

from collections.abc import Sequence
from dataclasses import replace

from proxysync.kinds import KINDS
from proxysync.model import Applied, Desired, Fields, Key, Live, Snapshot
from proxysync.plan.diff import differences
from proxysync.plan.match import Owned, match
from proxysync.plan.model import MARKER_FIELD, Change, FieldChange, Plan

GIVEN_BACK = "given back: proxysync no longer manages it"


def managed(
    desired: Sequence[Desired], snapshot: Snapshot, applied: Sequence[Applied], instance: str
) -> dict[Key, Owned]:
    """The managed hosts by every key that a person may know them by: the entry's, and their own."""
    matching = match(desired, snapshot, applied, instance=instance, adopting=frozenset())
    own = {owned.key: owned for owned in matching.owned}
    return own | {pair.entry.key: pair.owned for pair in matching.matches if pair.owned}


def release_plan(keys: frozenset[Key], hosts: dict[Key, Owned], snapshot: Snapshot) -> Plan:
    """The plan that gives back the hosts of these keys, and does nothing else."""
    chosen = {hosts[key].key: hosts[key] for key in sorted(keys) if key in hosts}
    changes = [
        release(live, owned.key)
        for owned in chosen.values()
        for live in (owned.live, *owned.duplicates)
    ]
    return Plan(tuple(if_allowed(change, snapshot) for change in changes), ())


def release(live: Live, key: Key, target: Fields | None = None) -> Change:
    """The change that gives a host back as it is, or with the definition that it had before."""
    stays = {field: live.fields[field] for field in KINDS[live.kind].derived}  # nobody kept it
    target = live.fields if target is None else {**target, **stays}
    fields = differences(live.fields, target)
    if KINDS[live.kind].keeps_marker and live.marker is not None:
        mark = {"name": live.marker.name, "instance": live.marker.instance}
        fields[MARKER_FIELD] = FieldChange(mark, None)
    return Change(
        action="release",
        key=key,
        npm_id=live.npm_id,
        drift=False,
        fields=fields,
        reason=GIVEN_BACK,
        target=target,
        desired=None,
        live=live,
    )


def if_allowed(change: Change, snapshot: Snapshot) -> Change:
    """A conflict where something is to be written that the account may not write."""
    denied = snapshot.denied.get(change.kind)
    if denied is None or not change.fields:
        return change
    return replace(change, action="conflict", reason=denied, target=None)
