"""Entries that refer to each other: what is referred to exists first, and goes last.

In the fields of an entry a `Reference` stands for the id of another entry's object. It becomes
that id as soon as NPM has the object: here where it has it already, in `apply` where it is made
in the same run.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from proxysync.kinds import CERTIFICATES, GATE, KINDS
from proxysync.model import Applied, Fields, Key, Live, Reference, Snapshot
from proxysync.plan.draft import Conflict, Draft
from proxysync.plan.match import Match, Matching, call
from proxysync.plan.model import UNFINISHED, Hold, HoldKind

Ids = Mapping[Key, int]
"""The ids of the objects that NPM has for these entries."""


def resolved(fields: Fields, ids: Ids) -> Fields:
    """The fields with each id that is known in place of its reference."""
    if Reference not in map(type, fields.values()):
        return fields
    found = {
        name: ids[value.key]
        for name, value in fields.items()
        if isinstance(value, Reference) and value.key in ids
    }
    return {**fields, **found} if found else fields


def unresolved(fields: Fields | None) -> list[Key]:
    """The entries whose objects these fields wait for."""
    values = (fields or {}).values()
    return [value.key for value in values if isinstance(value, Reference)]


def with_known_ids(
    matching: Matching, rows: Sequence[Applied], denied: Mapping[str, str]
) -> Matching:
    """The matching with the ids of what NPM has already.

    `denied` says of some kinds why the account may not see them: what it cannot look for has the
    id of its row in `rows`, as long as the host that refers to it has that id, too.
    """
    ids = {m.entry.key: m.live.npm_id for m in matching.matches if m.live is not None}
    hidden = {row.key: row.npm_id for row in rows if row.kind in denied}
    return replace(matching, matches=tuple(_with_ids(m, ids, hidden) for m in matching.matches))


def _with_ids(match: Match, ids: Ids, hidden: Ids) -> Match:
    fields = resolved(match.entry.fields, ids)
    if fields is match.entry.fields and not hidden:
        return match
    assumed = resolved(fields, hidden)
    if match.live is not None and all(
        match.live.fields.get(name) == value
        for name, value in assumed.items()
        if value != fields[name]
    ):
        fields = assumed
    if fields is match.entry.fields:
        return match
    return replace(match, entry=replace(match.entry, fields=fields))


def with_users(drafts: Sequence[Draft]) -> tuple[Draft, ...]:
    """The drafts, with the hosts to be written again that use what is uploaded anew.

    NPM reloads nginx with a write to a host only, so that visitors go on with what was there.
    """
    uploads = {
        (draft.kind.name, draft.live.npm_id): draft
        for draft in drafts
        if draft.kind.is_uploaded and draft.live is not None and draft.is_open
    }
    return tuple(_written_again(draft, uploads) for draft in drafts) if uploads else tuple(drafts)


def _written_again(draft: Draft, uploads: Mapping[tuple[str, int], Draft]) -> Draft:
    if draft.live is None or draft.target is None or draft.stop is not None:
        return draft
    used = (
        uploads.get((kind, draft.target.get(field) or 0))
        for field, kind in draft.kind.refers_to.items()
    )
    upload = next((one for one in used if one is not None), None)
    if upload is None or not draft.kind.is_enabled(draft.live.fields):
        return draft
    why = f'nginx is to load the {upload.kind.noun} "{upload.name}", which is uploaded anew'
    return replace(draft, resend=True, reason=draft.reason if draft.writes else why)


def stop_dangling(drafts: Sequence[Draft], snapshot: Snapshot) -> tuple[Draft, ...]:
    """Stops what needs an object that is not made or not seen, and the deletion of one in use.

    A deletion may free another one, so that this goes on until nothing changes.
    """
    users = _users(snapshot.objects)
    before: tuple[Draft, ...] = ()
    after = tuple(drafts)
    while after != before:
        before = after
        by_key = {draft.key: draft for draft in before}
        by_host = {(d.kind.name, d.live.npm_id): d for d in before if d.live is not None}
        after = tuple(
            _not_seen(draft, snapshot) or _stopped(draft, by_key, by_host, users)
            for draft in before
        )
    return after


Users = Mapping[tuple[str, int], Sequence[Live]]


def _users(objects: Iterable[Live]) -> Users:
    """The hosts that refer to an object, by its kind and id."""
    users: dict[tuple[str, int], list[Live]] = defaultdict(list)
    for live in objects:
        for field, kind in KINDS[live.kind].refers_to.items():
            if npm_id := live.fields.get(field):
                users[kind, npm_id].append(live)
    return users


def _stopped(
    draft: Draft,
    by_key: Mapping[Key, Draft],
    by_host: Mapping[tuple[str, int], Draft],
    users: Users,
) -> Draft:
    if not draft.is_open:
        return draft
    stop: Hold | Conflict | None = None
    if draft.action == "delete" and not draft.kind.is_host:
        stop = _still_used(draft, by_host, users)
    for key in unresolved(draft.target):
        stop = stop or _not_made(key, by_key.get(key))
    return replace(draft, stop=stop) if stop else draft


def _not_seen(draft: Draft, snapshot: Snapshot) -> Draft | None:
    """What is on and to be written, stopped where it refers to what the account may not see."""
    if not draft.is_open or draft.target is None or not draft.kind.is_enabled(draft.target):
        return None
    for field, kind in draft.kind.refers_to.items():
        npm_id = draft.target.get(field)
        is_id = isinstance(npm_id, int) and npm_id > 0
        if is_id and kind in snapshot.denied and (kind, npm_id) not in _seen(snapshot):
            reason = f"needs its {KINDS[kind].noun}; {snapshot.denied[kind]}"
            return replace(draft, stop=Hold(HoldKind.WAITING, reason))
    return None


def _seen(snapshot: Snapshot) -> set[tuple[str, int]]:
    """What there is to refer to, as far as the account sees it."""
    certificates = {(CERTIFICATES.name, one.npm_id) for one in snapshot.certificates}
    return certificates | {(GATE.name, one.npm_id) for one in snapshot.access_lists}


def _not_made(key: Key, needed: Draft | None) -> Hold | None:
    if needed is not None and needed.is_open:
        return None
    noun, why = KINDS[key.kind].noun, "which is not in NPM"
    if needed is not None and needed.stop is not None:
        why = f"which cannot be made: {needed.stop.reason}"
    return Hold(HoldKind.WAITING, f'needs the {noun} "{key.name}", {why}')


def _still_used(
    draft: Draft, by_host: Mapping[tuple[str, int], Draft], users: Users
) -> Hold | Conflict | None:
    assert draft.live is not None
    for live in users.get((draft.kind.name, draft.live.npm_id), ()):
        host = by_host.get((live.kind, live.npm_id))
        if host is None:
            return Conflict(
                f"{_named(live)}, which proxysync does not manage, uses it; take it out there in "
                "NPM first, or keep the entry"
            )
        if host.is_open and not _refers(host, draft):
            continue
        reason = f'"{host.name}" ({call(live)}) uses it still'
        final = isinstance(host.stop, Conflict) or host.stop is None
        waits = isinstance(host.stop, Hold) and host.stop.kind in UNFINISHED
        return Conflict(reason) if final and not waits else Hold(HoldKind.WAITING, reason)
    return None


def _refers(host: Draft, draft: Draft) -> bool:
    """Whether the host will refer to the object after its change."""
    assert draft.live is not None
    npm_id = draft.live.npm_id
    return host.target is not None and host.kind.refers(host.target, draft.kind.name, npm_id)


def _named(live: Live) -> str:
    names = sorted(KINDS[live.kind].claims(live.fields))
    return call(live) + (f" ({names[0]})" if names else "")
