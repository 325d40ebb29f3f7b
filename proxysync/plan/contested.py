"""Fields that somebody else has put back again and again are left to whoever does it."""

from dataclasses import replace

from proxysync.plan.draft import Accepted, Draft, shape
from proxysync.plan.model import HOST, MARKER_FIELD, Hold, HoldKind
from proxysync.plan.policy import Policy


def leave_contested(draft: Draft, policy: Policy, accepted: Accepted) -> Draft:
    """The draft without what `policy.contested` says; the rest of it is still made."""
    fields = policy.contested.get(draft.key, frozenset())
    if not fields or draft.stop is not None or draft.action not in ("create", "update"):
        return draft
    if draft.live is None:
        contested = HOST in fields and HOST in draft.undoes
        return replace(draft, stop=hold_of("it")) if contested else draft
    assert draft.have is not None
    assert draft.target is not None
    have, target = draft.have, draft.target
    left = {name for name in fields if name in target and target[name] != have[name]}
    marker = None if MARKER_FIELD in fields else draft.marker
    if not left and marker == draft.marker:
        return draft
    target = shape(draft.kind, {**target, **{name: have[name] for name in left}}, accepted)
    hold = hold_of(", ".join(sorted(left | ({MARKER_FIELD} if marker != draft.marker else set()))))
    rest = replace(draft, target=target, marker=marker)
    if rest.writes:
        return replace(rest, notes=(*draft.notes, hold.reason))
    return replace(rest, stop=hold, marker=draft.marker)


def hold_of(what: str) -> Hold:
    """Why it is not put right once more."""
    return Hold(
        HoldKind.CONTESTED,
        f"somebody else has changed {what} again each time that it was put right, and is left to "
        "it until the file changes or `proxysync resume` is given",
    )
