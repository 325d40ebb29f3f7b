"""Desired against live against last applied, field by field."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from proxysync.kinds import KINDS, Kind
from proxysync.kinds.domains import reached
from proxysync.model import Applied, Desired, Fields, Key, Live
from proxysync.plan.match import Match, Owned, claims_of
from proxysync.plan.model import HOST, MARKER_FIELD, Action, Change, FieldChange, Hold, HoldKind
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

Accepted = Mapping[str, frozenset[str]]
"""The fields that the server knows, per kind; all of them for a kind that is not in it."""

ORPHAN = "an orphan: it carries our marker, but has no entry, and the state does not know it"


@dataclass(frozen=True)
class Conflict:
    """Why an entry and NPM cannot be brought together without a person.

    `comparable` is False where there are no fields to set against those of the host.
    """

    reason: str
    comparable: bool = True


@dataclass(frozen=True)
class Draft:
    """One entry or one managed host on its way to a change.

    `have` is what NPM has, `want` what the file asks for and `target` what is to be
    written, each in normal form and without fields that the server does not know. `holds`
    are the domains that are the host's now. `resend` means that the host must be written
    even if nothing differs. `stop` says why it is not to be made. `keeps` are domains that
    stay here although they should go to an entry which cannot take them. `notes` is what a
    person should know besides, `undoes` what is put back (see `Change.undoes`). An orphan goes
    by the word of a person, and so waits for no entry.
    """

    action: Action
    kind: Kind
    name: str
    live: Live | None
    have: Fields | None
    want: Fields | None
    target: Fields | None
    holds: frozenset[str]
    reason: str = ""
    drift: bool = False
    marker: FieldChange | None = None
    resend: bool = False
    stop: Hold | Conflict | None = None
    keeps: frozenset[str] = frozenset()
    notes: tuple[str, ...] = ()
    undoes: frozenset[str] = frozenset()
    is_orphan: bool = False

    @property
    def key(self) -> Key:
        return Key(self.kind.name, self.name)

    @property
    def writes(self) -> bool:
        """Whether there is anything to write."""
        return (
            self.action != "update"
            or self.target != self.have
            or self.marker is not None
            or self.resend
        )

    @property
    def in_sync(self) -> bool:
        """Whether NPM is as the file asks, so that there is nothing to show."""
        return self.stop is None and not self.writes and self.have == self.want

    @property
    def is_open(self) -> bool:
        """Whether this is to be made, as far as is known by now."""
        return self.stop is None and self.writes

    @property
    def takes(self) -> frozenset[str]:
        """The domains that the host is to have once this is made."""
        return reached_by(self.kind, self.target)

    @property
    def wants(self) -> frozenset[str]:
        """The domains that the file asks for."""
        return reached_by(self.kind, self.want)

    def with_kept(self, fields: Fields | None) -> Fields | None:
        """`fields` with the domains that stay here for now."""
        if fields is None or not self.keeps:
            return fields
        return self.kind.with_claims(fields, self.kind.claims(fields) | self.keeps)

    def __str__(self) -> str:
        """How another entry's reason calls this one."""
        number = f" ({self.kind.label} #{self.live.npm_id})" if self.live else ""
        return f'"{self.name}"{number}'


def shape(kind: Kind, fields: Fields, accepted: Accepted) -> dict[str, Any]:
    """A definition as it is compared: in normal form, only with fields that the server knows."""
    known = accepted.get(kind.name)
    normal = kind.normalise(fields)
    return {name: normal[name] for name in kind.defaults if known is None or name in known}


def draft_entry(match: Match, policy: Policy, accepted: Accepted) -> Draft:
    """What an entry needs, seen alone: other hosts are not considered yet."""
    kind = KINDS[match.entry.kind]
    want = shape(kind, _as_known(match.entry, match.live), accepted)
    draft = Draft(
        "create", kind, match.entry.name, match.live, None, want, want, frozenset(), "not in NPM"
    )
    problem = match.entry.problem or _nothing_to_keep(match)
    if problem is not None:
        draft = replace(draft, stop=Conflict(problem, comparable=False))
    elif match.entry.unknown:
        draft = replace(draft, notes=tuple(map(_stays, match.entry.unknown.items())))
    if match.live is not None:
        return _with_live(draft, match, match.live, policy, accepted)
    if match.row is None:
        return draft
    draft = replace(draft, drift=True, reason="deleted in NPM", undoes=frozenset({HOST}))
    return _report(draft) if policy.drift == "report" and not policy.recreate else draft


def _as_known(entry: Desired, live: Live | None) -> Fields:
    """The entry's fields, with those that cannot be told as NPM has them."""
    kept = {name: live.fields[name] for name in entry.unknown} if live else {}
    return {**entry.fields, **kept}


def _nothing_to_keep(match: Match) -> str | None:
    """An entry that is off is not made without what protects it: somebody may enable it in NPM."""
    if match.live is not None or not match.entry.unknown:
        return None
    reasons = "; ".join(match.entry.unknown.values())
    return f"{reasons}. It is off, and it is not created before that is known, or put right"


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
        reason="left the file" if owned.row else ORPHAN,
        is_orphan=owned.row is None,
        stop=stop,
    )


def _with_live(draft: Draft, match: Match, live: Live, policy: Policy, accepted: Accepted) -> Draft:
    kind, want = draft.kind, draft.want
    assert want is not None
    have = shape(kind, live.fields, accepted)
    row = None if match.adopts else match.row
    last = shape(kind, row.fields, accepted) if row and row.fields else None
    drift = last is not None and have != last
    lost = has_lost_marker(kind, live, row)
    report = policy.drift == "report"
    target = _respecting(kind, want, have, last, accepted) if report else want
    # A host that never had one gets ours with the next write that it needs, and none for it alone.
    marks = kind.keeps_marker and (live.marker is not None or lost or target != have)
    draft = replace(
        draft,
        action="adopt" if match.adopts else "update",
        have=have,
        target=target,
        holds=_holds(live, *(match.owned.duplicates if match.owned else ())),
        drift=drift or lost,
        marker=marker_change(live, draft.name, policy.instance) if marks else None,
    )
    draft = replace(draft, undoes=_undoes(draft, last, lost=lost))
    draft = replace(draft, reason=_reason(draft, match, last))
    draft = _resend(draft, row, live, unserved=draft.key in policy.unserved)
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
        reason = f"taken over from another state folder ({found.writer})"
        return replace(draft, action="adopt", reason=reason)
    return replace(draft, stop=Conflict(why))


def _respecting(
    kind: Kind, want: Fields, have: Fields, last: Fields | None, accepted: Accepted
) -> Fields:
    """What the file changed, on top of what NPM has: a change made in NPM stays."""
    if last is None:
        return want
    mixed = {f: value if value != last[f] else have[f] for f, value in want.items()}
    return shape(kind, mixed, accepted)


def _report(draft: Draft) -> Draft:
    if draft.stop is not None or draft.resend or draft.in_sync:
        return draft
    reason = "settings.drift is report; put it back in NPM, or change the file"
    return replace(draft, stop=Hold(HoldKind.DRIFT, reason))


def _reason(draft: Draft, match: Match, last: Fields | None) -> str:
    if match.adopts:
        noun = draft.kind.claim_noun
        return f"taken over: {draft.kind.label} #{match.adopts.npm_id} holds its {noun}s"
    if match.owned and _renamed(match):
        return f"renamed from {match.owned.name}"
    if not draft.drift:
        return "changed in the file" if last is not None else "differs from the file"
    return _undone(draft) if draft.want == last else "changed in the file and in NPM"


def _undone(draft: Draft) -> str:
    """What somebody did in NPM and is put back, in one line; long texts by their name only."""
    fields = differences(draft.have, draft.want)
    told = [
        name
        if name in draft.kind.free_text
        else f"{name} {_json(change.old)} -> {_json(change.new)}"
        for name, change in fields.items()
    ]
    if MARKER_FIELD in draft.undoes:
        told.append("the marker of proxysync")
    return f"drift undone: {', '.join(told)}"


def _undoes(draft: Draft, last: Fields | None, *, lost: bool) -> frozenset[str]:
    """The fields that get back what was last applied, after somebody changed them in NPM."""
    assert draft.have is not None
    assert draft.target is not None
    have, target = draft.have, draft.target
    marker = frozenset({MARKER_FIELD} if lost else ())
    if last is None:
        return marker
    return marker | {name for name in have if have[name] != last[name] == target[name]}


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _renamed(match: Match) -> bool:
    return match.owned is not None and match.owned.name != match.entry.name


def _resend(draft: Draft, row: Applied | None, live: Live, *, unserved: bool) -> Draft:
    """A host that NPM shows as it should be, though nginx may not, or does not, serve it so."""
    why = why_resend(row, live, as_asked=draft.have == draft.want, unserved=unserved)
    if why is None:
        return draft
    return replace(draft, resend=True, reason=draft.reason if draft.writes else why)


def _holds(*lives: Live) -> frozenset[str]:
    return frozenset[str]().union(*map(claims_of, lives))


def reached_by(kind: Kind, fields: Fields | None) -> frozenset[str]:
    """The domains by which a host with these fields is reached; none without a host."""
    return frozenset() if fields is None else reached(kind.claims(fields))


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
        undoes=draft.undoes,
    )


def _shown(draft: Draft) -> dict[str, FieldChange]:
    """What is to be written, or for a held change that would write nothing, what is wanted."""
    if isinstance(draft.stop, Conflict) and not draft.stop.comparable:
        return {}
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
