"""Desired against live against last applied, field by field."""

import json
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

from proxysync.kinds import KINDS, Kind
from proxysync.kinds.refusal import refusal_of
from proxysync.model import Applied, Desired, Fields, Live
from proxysync.plan.draft import REPORTED, Accepted, Conflict, Draft, shape
from proxysync.plan.match import Match, Owned, call, claims_of
from proxysync.plan.model import HOST, MARKER_FIELD, Change, FieldChange, Hold, HoldKind
from proxysync.plan.ownership import (
    has_lost_marker,
    keeps_off,
    marker_change,
    rival,
    why_not_taken,
    written_elsewhere,
)
from proxysync.plan.policy import Policy
from proxysync.plan.resend import why_resend
from proxysync.plan.secrets import digests_of, with_secrets

ORPHAN = "an orphan: it carries our marker, but has no entry, and the state does not know it"

NOT_KEPT = (
    "nobody keeps the passwords that it had, so that a rollback cannot bring them back; put its "
    "entry back into the file as it was, with the variables of its passwords, and apply that"
)


def draft_entry(match: Match, policy: Policy, accepted: Accepted) -> Draft:
    """What an entry needs, seen alone: other hosts are not considered yet."""
    kind = KINDS[match.entry.kind]
    want = shape(kind, _as_known(match.entry, match.live), accepted)
    problem = match.entry.problem or _nothing_to_keep(match) or _lacks_secrets(match, policy)
    stays = map(_stays, match.entry.unknown.items()) if problem is None else ()
    made = partial(
        Draft,
        kind=kind,
        name=match.entry.name,
        live=match.live,
        want=want,
        stop=None if problem is None else Conflict(problem, comparable=False),
        notes=(*match.entry.warnings, *_unchangeable(match), *stays),
        secrets=match.entry.secrets,
        digests=digests_of(match.entry, policy.secret_key),
    )
    if match.live is not None:
        return _with_live(made, match, match.live, want, policy, accepted)
    draft = made(action="create", have=None, target=want, holds=frozenset(), reason="not in NPM")
    if match.namesakes and draft.stop is None:
        return replace(draft, stop=_namesakes(match))
    if match.row is None:
        return draft
    draft = replace(draft, drift=True, reason="deleted in NPM", undoes=frozenset({HOST}))
    return _report(draft) if policy.drift == "report" and not policy.recreate else draft


def _as_known(entry: Desired, live: Live | None) -> Fields:
    """The entry's fields, with those as NPM has them that cannot be told, or be changed."""
    kind = KINDS[entry.kind]
    stay = (*entry.unknown, *kind.fixed, *_not_kept(entry))
    kept = {name: live.fields[name] for name in stay} if live else {}
    return {**entry.fields, **kept} if kept else entry.fields


def _not_kept(entry: Desired) -> frozenset[str]:
    """What a way back cannot bring back, for nobody keeps what it was made from."""
    return frozenset() if entry.secrets else KINDS[entry.kind].derived


def _unchangeable(match: Match) -> list[str]:
    """What NPM takes with a creation only, or what nobody has any more, and NPM has otherwise."""
    have, want = match.live.fields if match.live else {}, match.entry.fields
    gone = [f for f in _not_kept(match.entry) if have and have[f] != want[f]]
    stays = ["it stays as NPM has it: no copy is kept of files that were uploaded"] if gone else []
    return stays + [
        f"{field} stays {_json(have[field])}: NPM cannot change it, and a new {match.entry.kind} "
        "would take another entry"
        for field in sorted(KINDS[match.entry.kind].fixed)
        if have and have[field] != want[field]
    ]


def _nothing_to_keep(match: Match) -> str | None:
    """An entry that is off is not made without what protects it: somebody may enable it in NPM."""
    if match.live is not None or not match.entry.unknown:
        return None
    reasons = "; ".join(match.entry.unknown.values())
    return f"{reasons}. It is off, and it is not created before that is known, or put right"


def _lacks_secrets(match: Match, policy: Policy) -> str | None:
    """What neither its object nor one that it could take over has, and the entry does not give."""
    there = (match.live,) if match.live else match.namesakes
    lacks = KINDS[match.entry.kind].lacks_secrets
    told = [lacks(match.entry, live.fields) for live in there] or [lacks(match.entry, None)]
    if None in told:
        return None
    return told[0] if policy.back_to is None else NOT_KEPT


def _stays(unknown: tuple[str, str]) -> str:
    name, why = unknown
    return f"{why}. It is off, so {name} stays as NPM has it"


def draft_delete(owned: Owned, policy: Policy, accepted: Accepted, denied: str | None) -> Draft:
    """What is to become of a managed host that no entry asks for; see `keeps_off`."""
    kind = KINDS[owned.live.kind]
    have = shape(kind, owned.live.fields, accepted)
    stop: Hold | Conflict | None = None
    off = keeps_off(owned, policy, denied)
    if owned.duplicates:
        stop = Conflict(_duplicates(owned), comparable=False)
    elif off is not None:
        stop = Conflict(off) if isinstance(off, str) else off
    elif not policy.prune and owned.row is not None:
        stop = Hold(HoldKind.PRUNE, "settings.prune is off; delete it in NPM, or turn prune on")
    return Draft(
        action="delete",
        kind=kind,
        name=owned.name,
        live=owned.live,
        have=have,
        want=None,
        target=None,
        holds=_holds(owned.live, *owned.duplicates),
        reason="removed from the file" if owned.row else ORPHAN,
        is_orphan=owned.row is None,
        stop=stop,
    )


def _with_live(
    made: Callable[..., Draft],
    match: Match,
    live: Live,
    want: Fields,
    policy: Policy,
    accepted: Accepted,
) -> Draft:
    """The draft of an entry that has a host, of which `made` knows all else."""
    kind = KINDS[live.kind]
    have = shape(kind, live.fields, accepted)
    row = None if match.adopts else match.row
    last = _last(kind, row, have, accepted)
    drift = last is not None and have != last
    lost = has_lost_marker(kind, live, row)
    report = policy.drift == "report"
    target = _respecting(kind, want, have, last, accepted) if report else want
    # A host that never had one gets ours with the next write that it needs, and none for it alone.
    marks = kind.keeps_marker and (live.marker is not None or lost or target != have)
    draft = made(
        action="adopt" if match.adopts else "update",
        reason="not in NPM",
        have=have,
        target=target,
        holds=_holds(live, *(match.owned.duplicates if match.owned else ())),
        drift=drift or lost,
        marker=marker_change(live, match.entry.name, policy.instance) if marks else None,
        undoes=_undoes(have, target, last, lost=lost),
        last=last,
    )
    if not draft.in_sync:
        draft = replace(draft, reason=_reason(draft, match, last))
    draft = _resend(draft, row, live, policy)
    draft = with_secrets(draft, match.entry, row, live, policy)
    if draft.stop is not None:
        return draft
    if match.owned and match.owned.duplicates:
        return replace(draft, stop=Conflict(_duplicates(match.owned)))
    draft = _against_rival(draft, match, live, row, last, policy)
    if draft.stop is not None:
        return draft
    # A rename is the file's doing, so only what was changed in NPM is left to a person.
    only_drift = draft.drift and draft.target == have and not _renamed(match)
    return _report(draft) if policy.drift == "report" and only_drift else draft


def _last(kind: Kind, row: Applied | None, have: Fields, accepted: Accepted) -> Fields | None:
    """What was last applied; the very object that NPM has where nothing differs."""
    if row is None or not row.fields:
        return None
    return have if row.fields == have else shape(kind, row.fields, accepted)


def _against_rival(
    draft: Draft,
    match: Match,
    live: Live,
    row: Applied | None,
    last: Fields | None,
    policy: Policy,
) -> Draft:
    """Leaves alone, or takes with a person's word, what another state folder wrote."""
    found = rival(live, row, policy) if match.adopts is None else None
    if found is None:
        return draft
    as_asked = draft.have == draft.want and not _renamed(match)
    as_left = last is not None and draft.have == last and not _renamed(match)
    if found.after and (as_asked or as_left):
        return replace(draft, notes=(*draft.notes, written_elsewhere(live, found)))
    why = why_not_taken(match, live, found)
    if why is None:
        return draft
    if draft.key in policy.adopting:
        reason = f"take over from another state folder ({found.writer})"
        return replace(draft, action="adopt", reason=reason)
    return replace(draft, stop=Conflict(why))


def _respecting(
    kind: Kind, want: Fields, have: Fields, last: Fields | None, accepted: Accepted
) -> Fields:
    """What the file changed, on top of what NPM has: a change made in NPM stays."""
    if last is None:
        return want
    edited = {f for f, value in want.items() if value != last[f]}
    edited |= kind.derived if edited & kind.derived else frozenset()
    mixed = {f: value if f in edited else have[f] for f, value in want.items()}
    return shape(kind, mixed, accepted)


def _report(draft: Draft) -> Draft:
    if draft.stop is not None or draft.resend or draft.in_sync:
        return draft
    return replace(draft, stop=REPORTED)


def _reason(draft: Draft, match: Match, last: Fields | None) -> str:
    if match.adopts:
        has = f"holds its {draft.kind.claim_noun}s" if draft.kind.is_host else "is called like it"
        return f"take over {call(match.adopts)}, which {has}"
    if match.owned and _renamed(match):
        return f"renamed from {match.owned.name}"
    if not draft.drift:
        return "changed in the file" if last is not None else "differs from the file"
    return _undone(draft) if draft.want == last else "changed in the file and in NPM"


def _undone(draft: Draft) -> str:
    """What somebody did in NPM and is to be put back, in one line; long texts by name only."""
    fields = differences(draft.have, draft.want)
    told = [
        name
        if name in draft.kind.free_text
        else f"{name} {_json(change.old)} -> {_json(change.new)}"
        for name, change in fields.items()
    ]
    if MARKER_FIELD in draft.undoes:
        told.append("the marker of proxysync")
    return f"undoes drift: {', '.join(told)}"


def _undoes(have: Fields, target: Fields, last: Fields | None, *, lost: bool) -> frozenset[str]:
    """The fields that get back what was last applied, after somebody changed them in NPM."""
    marker = frozenset({MARKER_FIELD} if lost else ())
    if last is None or last is have:
        return marker
    return marker | {name for name in have if have[name] != last[name] == target[name]}


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _renamed(match: Match) -> bool:
    return match.owned is not None and match.owned.name != match.entry.name


def _resend(draft: Draft, row: Applied | None, live: Live, policy: Policy) -> Draft:
    """A host that NPM shows as it should be, though nginx may not, or does not, serve it so."""
    as_asked, unserved = draft.have == draft.want, draft.key in policy.unserved
    if draft.key in policy.as_found and as_asked and live.online is False:
        refused = f"nginx does not serve it, as before it was taken over: {refusal_of(live)}"
        return replace(draft, notes=(*draft.notes, refused))
    why = why_resend(row, live, as_asked=as_asked, unserved=unserved)
    if why is None:
        return draft
    return replace(draft, resend=True, reason=draft.reason if draft.writes else why)


def _namesakes(match: Match) -> Conflict:
    """What is called like the entry in NPM, and is not ours by its content."""
    key, found = match.entry.key, match.namesakes
    title = KINDS[key.kind].title(match.entry.fields)
    who = " and ".join(map(call, found))
    if len(found) > 1:
        return Conflict(
            f'NPM has {who} called "{title}", which proxysync does not manage, and none of them is '
            "as the entry says; rename the others in NPM, or give the entry another `name`"
        )
    return Conflict(
        f'NPM has {who} called "{title}", which proxysync does not manage', takes=found[0]
    )


def _holds(*lives: Live) -> frozenset[str]:
    return frozenset[str]().union(*map(claims_of, lives))


def _duplicates(owned: Owned) -> str:
    ids = sorted(live.npm_id for live in (owned.live, *owned.duplicates))
    numbers = " and ".join(f"#{npm_id}" for npm_id in ids)
    return (
        f'{KINDS[owned.live.kind].label}s {numbers} carry the same name "{owned.name}"; '
        "keep one and delete the others in NPM"
    )


def finish(draft: Draft) -> Change:
    """The change that a draft has become; only for one that is not in sync."""
    conflict = isinstance(draft.stop, Conflict)
    return Change(
        action="conflict" if conflict else draft.action,
        key=draft.key,
        npm_id=draft.live.npm_id if draft.live else None,
        drift=draft.drift,
        fields=_shown(draft),
        reason=draft.stop.reason if isinstance(draft.stop, Conflict) else draft.reason,
        target=None if conflict else draft.target,
        desired=draft.with_kept(draft.want),
        live=draft.live,
        hold=draft.stop if isinstance(draft.stop, Hold) else None,
        takes=draft.stop.takes if isinstance(draft.stop, Conflict) else None,
        undoes=draft.undoes,
        secrets=draft.secrets,
        digests=draft.digests,
    )


def _shown(draft: Draft) -> dict[str, FieldChange]:
    """What is to be written, or for a held change that would write nothing, what is wanted."""
    if isinstance(draft.stop, Conflict) and not draft.stop.comparable:
        return {}
    if isinstance(draft.stop, Conflict) and draft.stop.takes is not None:
        assert draft.want is not None
        there = draft.stop.takes.fields
        return differences({name: there[name] for name in draft.want}, draft.want)
    new = draft.want if draft.stop and draft.target == draft.have else draft.target
    fields = differences(draft.have, new)
    if draft.marker is not None:
        fields[MARKER_FIELD] = draft.marker
    return fields


def differences(old: Fields | None, new: Fields | None) -> dict[str, FieldChange]:
    """The fields that differ; None on either side is a host that is not there."""
    return {
        name: FieldChange((old or {}).get(name), (new or {}).get(name))
        for name in (new if new is not None else old or {})
        if old is None or new is None or old[name] != new[name]
    }
