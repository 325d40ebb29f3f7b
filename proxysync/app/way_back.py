"""The way back: what managed hosts were before a run, from the state and the journal alone."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from proxysync.kinds import KINDS
from proxysync.kinds.references import gone_references
from proxysync.model import Applied, Desired, Fields, Key, Live, Reference, Snapshot
from proxysync.plan.match import same_host
from proxysync.plan.model import Change, Plan
from proxysync.plan.planner import make_plan
from proxysync.plan.policy import Failure, Policy
from proxysync.plan.release import if_allowed, release
from proxysync.plan.unknown_past import by_host, hide_unknown_past
from proxysync.store.journal import JournalEntry

CARRIED_OUT = frozenset({"done", "released", "unconfirmed", "half done", None})
"""Outcomes of writes that have, or may have, changed NPM; None where nobody knows yet."""

Host = tuple[str, int | None, str | None]
"""A kind, an id and NPM's text for when it was made: together they are one host for ever."""


def rollback_trigger(run_id: int) -> str:
    """The reason of a rollback, in plans, events and the history."""
    return f"rollback to before run {run_id}"


def plan_back(
    run_id: int,
    entries: Sequence[JournalEntry],
    applied: Sequence[Applied],
    snapshot: Snapshot,
    policy: Policy,
    failures: Sequence[Failure] = (),
    ours: frozenset[Host] = frozenset(),
) -> Plan:
    """The plan that undoes these writes (oldest first), all from the run `run_id` on.

    Hosts that neither the state nor these writes know of are foreign to it, whatever marker
    they carry; so it deletes only what these writes made, gives back what they took over, and takes
    over what they gave back. A definition whose certificate or access list is gone by now is a
    conflict, for without them the site would be open, or not be served as it was. `failures` as
    for any plan; `ours` were written before that run.
    """
    theirs = adopted(entries, ours, snapshot)
    names = names_before([e for e in entries if _host(e) not in theirs], applied, snapshot)
    names = {key: found for key, found in names.items() if found[1] not in theirs}
    written = {_host(entry) for entry in entries if entry.outcome in CARRIED_OUT}
    made_again = _gone(names, snapshot)
    found = [
        _desired(key, _referring(key.kind, fields, made_again), snapshot)
        for key, (fields, host) in names.items()
        if host in written or _can_be_seen(host, snapshot)
    ]
    known = {host_of(row) for row in applied} | {_host(entry) for entry in entries}
    objects = tuple(_if_known(o, known) for o in snapshot.objects)
    releases = _releases(theirs, applied, replace(snapshot, objects=objects), policy)
    plan = make_plan(
        found,
        replace(snapshot, objects=tuple(_given_back(o, releases) for o in objects)),
        [row for row in [*applied, *_renamed(names, applied)] if host_of(row) not in theirs],
        replace(policy, adopting=_released(entries, names)),
        failures=failures,
    )
    changes = (*plan.changes, *releases.values())
    return replace(plan, changes=tuple(_because(change, run_id) for change in changes))


def adopted(
    entries: Sequence[JournalEntry], ours: frozenset[Host], snapshot: Snapshot
) -> dict[Host, Fields]:
    """The hosts that were somebody else's before these writes and are still there, as they were."""
    there = {host_of(live) for live in snapshot.objects}
    first: dict[Host, JournalEntry] = {}
    for entry in entries:
        if entry.outcome in CARRIED_OUT:
            first.setdefault(_host(entry), entry)
    return {
        host: KINDS[entry.kind].normalise(entry.before)
        for host, entry in first.items()
        if entry.action == "adopt" and entry.before is not None and host in there - ours
    }


def ours_after(entries: Sequence[JournalEntry]) -> frozenset[Host]:
    """The hosts that these writes (oldest first) left as ours."""
    last = {_host(entry): entry for entry in entries if entry.outcome in CARRIED_OUT}
    return frozenset(host for host, e in last.items() if e.action not in ("delete", "release"))


def names_before(
    entries: Sequence[JournalEntry], applied: Sequence[Applied], snapshot: Snapshot
) -> dict[Key, tuple[Fields, Host]]:
    """What each managed host was before the first of these writes."""
    known = {host_of(row): (row.name, _worked(row, snapshot)) for row in applied}
    for entry in reversed(entries):
        if entry.outcome not in CARRIED_OUT:
            continue
        if entry.before is None:
            known.pop(_host(entry), None)
        else:
            known[_host(entry)] = entry.old_name, entry.before
    return {
        Key(host[0], name): (KINDS[host[0]].normalise(fields), host)
        for host, (name, fields) in sorted(known.items(), key=lambda item: item[1][0])
        if fields is not None
    }


def _releases(
    theirs: Mapping[Host, Fields], applied: Sequence[Applied], snapshot: Snapshot, policy: Policy
) -> dict[Host, Change]:
    """What gives these hosts back as they were; those that are nobody's of ours already are."""
    rows = {host_of(row): row for row in applied}
    known = by_host(applied)
    releases = {}
    for live in snapshot.objects:
        host, row = host_of(live), rows.get(host_of(live))
        marker = live.marker if live.marker and live.marker.instance == policy.instance else None
        name = row.name if row else marker.name if marker else None
        if host not in theirs or name is None:
            continue
        # What somebody has changed since stays, as in any plan that reports drift.
        is_changed = row is not None and row.fields != live.fields and not row.unconfirmed
        kept = policy.drift == "report" and is_changed
        change = release(live, Key(live.kind, name), live.fields if kept else theirs[host])
        problem = _problem(live.kind, change.target or {}, snapshot)
        if live.kind in snapshot.denied:
            change = if_allowed(change, snapshot)
        elif problem is not None:
            change = replace(change, action="conflict", reason=problem, target=None)
        releases[host] = hide_unknown_past(change, known, policy)
    return releases


def _given_back(live: Live, releases: Mapping[Host, Change]) -> Live:
    """The host as somebody else's, who has only what it is to have then."""
    change = releases.get(host_of(live))
    if change is None:
        return live
    return replace(live, marker=None, fields=change.target or live.fields)


def _released(
    entries: Sequence[JournalEntry], names: Mapping[Key, tuple[Fields, Host]]
) -> frozenset[Key]:
    """The entries whose hosts these writes gave back."""
    done = [e for e in entries if e.outcome in CARRIED_OUT and e.action == "release"]
    hosts = {_host(entry) for entry in done}
    return frozenset(key for key, (_, host) in names.items() if host in hosts)


def host_of(row: Applied | Live) -> Host:
    return row.kind, row.npm_id, row.created_on


def _host(entry: JournalEntry) -> Host:
    return entry.kind, entry.npm_id, entry.created_on


def _worked(row: Applied, snapshot: Snapshot) -> Fields | None:
    """What last worked; for a new host that was never confirmed, what NPM has."""
    live = (live for live in snapshot.objects if same_host(row, live))
    return row.fields or next((o.fields for o in live), None)


def _renamed(names: Mapping[Key, tuple[Fields, Host]], applied: Sequence[Applied]) -> list[Applied]:
    """Rows of the hosts that had another name then, so that they are known by it."""
    rows = {host_of(row): row for row in applied}
    back = [(key, rows.get(host)) for key, (_, host) in names.items()]
    return [replace(row, key=key) for key, row in back if row and row.key != key]


def _if_known(live: Live, known: set[Host]) -> Live:
    return live if host_of(live) in known else replace(live, marker=None)


def _because(change: Change, run_id: int) -> Change:
    return (
        change if change.action == "conflict" else replace(change, reason=rollback_trigger(run_id))
    )


def _gone(
    names: Mapping[Key, tuple[Fields, Host]], snapshot: Snapshot
) -> Mapping[tuple[str, int | None], Key]:
    """What is gone from NPM, and will be there again under another id."""
    there = {(live.kind, live.npm_id) for live in snapshot.objects}
    return {host[:2]: key for key, (_, host) in names.items() if host[:2] not in there}


def _referring(
    kind: str, fields: Fields, made_again: Mapping[tuple[str, int | None], Key]
) -> Fields:
    """The fields, with a reference to each object that is made again."""
    found = {
        field: Reference.to(made_again[other, fields[field]])
        for field, other in KINDS[kind].refers_to.items()
        if (other, fields[field]) in made_again
    }
    return {**fields, **found}


def _can_be_seen(host: Host, snapshot: Snapshot) -> bool:
    return host[0] not in snapshot.denied or any(host_of(o) == host for o in snapshot.objects)


def _desired(key: Key, fields: Fields, snapshot: Snapshot) -> Desired:
    return Desired(key, fields, _problem(key.kind, fields, snapshot))


def _problem(kind: str, fields: Fields, snapshot: Snapshot) -> str | None:
    """Why a host cannot be served by this definition any more."""
    gone = gone_references(fields, snapshot) if KINDS[kind].is_enabled(fields) else []
    return "; ".join(gone) or None
