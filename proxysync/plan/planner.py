"""From the file, NPM and the state to a plan: a pure function, made of the rules beside it."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

from proxysync.model import Applied, Desired, Key, Snapshot
from proxysync.plan.claims import Rule, refuse_clashes, resolve
from proxysync.plan.contested import leave_contested
from proxysync.plan.diff import draft_delete, draft_entry, finish
from proxysync.plan.draft import Accepted, Conflict, Draft, shape
from proxysync.plan.guards import refusal
from proxysync.plan.match import Match, Matching, match, same_host
from proxysync.plan.model import Hold, HoldKind, Note, Plan
from proxysync.plan.policy import Failure, Policy
from proxysync.plan.references import stop_dangling, with_known_ids, with_users
from proxysync.plan.unknown_past import by_host, hide_unknown_past

NOTHING: Mapping[Key, str] = MappingProxyType({})


def make_plan(
    desired: Sequence[Desired],
    snapshot: Snapshot,
    applied: Sequence[Applied],
    policy: Policy,
    *,
    blocked: Mapping[Key, str] = NOTHING,
    failures: Sequence[Failure] = (),
) -> Plan:
    """What has to change in NPM so that it is as the file asks.

    `desired` is in the file's order; `blocked` says why validation holds an entry
    back; `failures` are definitions that were rolled back and are not to be tried again as
    long as neither the file nor NPM has changed. Raises nothing of its own.
    """
    rows, applied = applied, [row for row in applied if _can_be_told(row, snapshot)]
    policy = replace(policy, as_found=frozenset(f.key for f in failures if f.as_found))
    matching = match(desired, snapshot, applied, instance=policy.instance, adopting=policy.adopting)
    matching = with_known_ids(matching, rows, snapshot.denied)
    drafts = [
        *(
            leave_contested(_draft(pair, policy, snapshot), policy, snapshot.accepted)
            for pair in matching.matches
        ),
        *(
            draft_delete(owned, policy, snapshot.accepted, snapshot.denied.get(owned.key.kind))
            for owned in sorted(matching.left, key=lambda o: (o.name, o.live.kind))
        ),
    ]
    rules = (_failed(failures, applied, snapshot.accepted), _blocked(blocked))
    settled = _settle(refuse_clashes(drafts, matching.foreign), rules, snapshot)
    settled = with_users(settled)
    known = by_host(applied)
    changes = tuple(
        hide_unknown_past(finish(draft), known, policy) for draft in settled if not draft.in_sync
    )
    refused = refusal(matching, changes, applied, snapshot.objects, policy)
    idle = [draft for draft in settled if draft.in_sync]
    return Plan(
        changes=changes,
        unchanged=tuple(draft.key for draft in idle),
        refused=refused,
        records=() if refused else _records(idle, matching.matches, snapshot.accepted),
        forget=() if refused else _forget(idle, matching, applied),
        notes=tuple(Note(draft.key, text) for draft in settled for text in draft.notes),
    )


def _draft(pair: Match, policy: Policy, snapshot: Snapshot) -> Draft:
    """What an entry needs; what the account may not write is a conflict if that is anything."""
    draft = draft_entry(pair, policy, snapshot.accepted)
    denied = snapshot.denied.get(draft.kind.name)
    if denied is None:
        return draft
    is_as_asked = not draft.writes and draft.have == draft.want
    return replace(draft, stop=None if is_as_asked else Conflict(denied, comparable=False))


def _settle(
    drafts: Sequence[Draft], rules: Sequence[Rule], snapshot: Snapshot
) -> tuple[Draft, ...]:
    """Stops what cannot be made, and what needs that; either may keep more from being made."""
    before: tuple[Draft, ...] = ()
    after = tuple(drafts)
    while after != before:
        before = after
        after = stop_dangling(resolve(before, rules), snapshot)
    return after


def _can_be_told(row: Applied, snapshot: Snapshot) -> bool:
    """Whether a row's host can be looked for: what the account may not see is not gone."""
    denied = row.kind in snapshot.denied
    return not denied or any(same_host(row, live) for live in snapshot.objects)


def _failed(failures: Sequence[Failure], applied: Sequence[Applied], accepted: Accepted) -> Rule:
    # Until a write to it has succeeded, nobody knows what nginx runs: it is tried again.
    unconfirmed = {row.key for row in applied if row.unconfirmed}
    by_key: dict[Key, list[Failure]] = {}
    for failure in failures:
        if failure.key not in unconfirmed:
            by_key.setdefault(failure.key, []).append(failure)

    def rule(draft: Draft) -> Hold | None:
        for failure in by_key.get(draft.key, ()):
            tried = shape(draft.kind, failure.fields, accepted)
            left = None if failure.live is None else shape(draft.kind, failure.live, accepted)
            if left == draft.have and tried in (draft.want, draft.target):
                return Hold(HoldKind.FAILED, failure.reason)
        return None

    return rule


def _blocked(blocked: Mapping[Key, str]) -> Rule:
    def rule(draft: Draft) -> Hold | None:
        # To send again what NPM has, or to rename it, makes no site worse than it is.
        harmless = draft.action == "delete" or draft.target == draft.have
        if harmless or draft.key not in blocked:
            return None
        return Hold(HoldKind.BLOCKED, blocked[draft.key])

    return rule


def _records(
    idle: Sequence[Draft], matches: Sequence[Match], accepted: Accepted
) -> tuple[Applied, ...]:
    """Rows that are right in NPM but not in the state: it was lost, or never written."""
    rows = {pair.entry.key: pair.row for pair in matches}
    records = []
    for draft in idle:
        assert draft.live is not None
        assert draft.want is not None
        row = rows[draft.key]
        new = Applied(
            draft.key,
            draft.live.npm_id,
            draft.want,
            draft.live.created_on,
            writer=draft.live.writer,
            digests=draft.digests,
        )
        if row is None or _says_otherwise(row, new, draft, accepted):
            records.append(new)
    return tuple(records)


def _says_otherwise(row: Applied, new: Applied, draft: Draft, accepted: Accepted) -> bool:
    identity = row.key, row.npm_id, row.created_on, row.writer, row.digests
    return (
        identity != (new.key, new.npm_id, new.created_on, new.writer, new.digests)
        or (draft.last or shape(draft.kind, row.fields, accepted)) != new.fields
    )


def _forget(
    idle: Sequence[Draft], matching: Matching, applied: Sequence[Applied]
) -> tuple[Key, ...]:
    """What neither the file nor NPM has any more, earlier names of renamed hosts included."""
    asked = {pair.entry.key for pair in matching.matches}
    renamed = {
        pair.owned.key: pair.entry.key
        for pair in matching.matches
        if pair.owned is not None and pair.owned.key != pair.entry.key
    }
    in_sync = {draft.key for draft in idle}
    alive = {owned.key for owned in matching.owned if renamed.get(owned.key) not in in_sync}
    return tuple(sorted({row.key for row in applied} - asked - alive))
