"""Whose a host is that carries our instance's marker: this state folder's, or another's.

A marker names the state folder that wrote it. Another one's id has two meanings, and the row of
the state tells them apart, for it notes whose marker the host had when it was recorded:

- *no row*: the state was lost, or this is a first run with a second folder. An entry takes the
  host by its name in the marker, and without a write where nothing differs. Where it would take
  the site down, because both have the name only by chance, a person has to say so.
- *a row, and the marker names neither this folder nor the one in the row*: somebody has written
  it after us. As long as NPM is as our file asks, or still as we left it, nothing is at stake.
  Else two run with one instance, and each would undo the other for ever: it is a conflict.

Either way `adopt` is the word of a person by which the host is ours. What no entry asks for is
deleted only with a row that means this very host; without one it is an orphan.

A host that is adopted as it is has no marker, only a row, until something else of it has to be
written. A PUT for the marker alone would take a second or two, and a reload of nginx, for each
host of an NPM that works; and all that it guards against is a lost state. Then such a host is
foreign again, served as before and deleted by nobody, and `adopt` takes it back, again without a
write.
"""

from dataclasses import dataclass

from proxysync.kinds import RESERVED_SUFFIX, Kind, is_enabled
from proxysync.model import Applied, Live
from proxysync.plan.match import Match, Owned, call, claims_of
from proxysync.plan.model import FieldChange, Hold, HoldKind
from proxysync.plan.policy import Policy

NO_ROW = (
    "it carries the marker of this instance, but the state knows nothing of it: another state "
    "folder made it, or this one was lost; give it an entry, or delete it with "
    "`proxysync apply --delete-orphans`"
)


def marker_change(live: Live, name: str, instance: str) -> FieldChange | None:
    """What a write does to the host's marker; None where it stays as it is."""
    marker = live.marker
    if marker is not None and (marker.name, marker.instance) == (name, instance):
        return None
    old = {"name": marker.name, "instance": marker.instance} if marker else None
    return FieldChange(old, {"name": name, "instance": instance})


def has_lost_marker(kind: Kind, live: Live, row: Applied | None) -> bool:
    """Whether somebody took our marker away: a host that was adopted as it is never had one."""
    return kind.keeps_marker and live.marker is None and row is not None and row.writer is not None


@dataclass(frozen=True)
class Rival:
    """Another state folder that wrote a host: `after` this one did, or before it knew the host."""

    writer: str
    after: bool


def rival(live: Live, row: Applied | None, policy: Policy) -> Rival | None:
    """The other state folder in the host's marker, unless this one took the host over from it."""
    writer = live.writer
    if writer is None or writer == policy.state:
        return None
    if row is None:
        return Rival(writer, after=False)
    return Rival(writer, after=True) if row.writer not in (None, writer) else None


def why_not_taken(match: Match, live: Live, found: Rival) -> str | None:
    """Why an entry may not take this host without a person's word; None if it may."""
    name, now = match.entry.name, _served(live)
    if not now:
        return None
    if found.after:
        return (
            f"another state folder ({found.writer}) wrote {call(live)} after this one, and "
            "otherwise than this file says: two proxysync run with one instance. Stop one of "
            "them or give it its own settings.instance, then take the host back with "
            f"`proxysync adopt {match.label}`"
        )
    then = claims_of(match.entry)
    renamed = match.owned is not None and match.owned.name != name
    if now <= then or (now & then and not renamed):
        return None
    return (
        f"{call(live)} was written by another state folder ({found.writer}), and with this entry "
        f"it would no longer serve {', '.join(sorted(now - then))}. If that is meant, take it "
        f"over with `proxysync adopt {match.label}`; else name the entry otherwise, or give this "
        "proxysync its own settings.instance"
    )


def _served(live: Live) -> frozenset[str]:
    """The names by which visitors reach the host: none while it is off, or between two names."""
    if not is_enabled(live):
        return frozenset()
    return frozenset(name for name in claims_of(live) if not name.endswith(RESERVED_SUFFIX))


def written_elsewhere(live: Live, found: Rival) -> str:
    """What to say of a host that another state folder wrote as this file says, too."""
    return (
        f"another state folder ({found.writer}) wrote {call(live)} after this one. Nothing is "
        "wrong with it; but run commands with the state folder of the daemon "
        "(PROXYSYNC_STATE_DIR), and give a second proxysync its own settings.instance"
    )


def keeps_off(owned: Owned, policy: Policy, denied: str | None) -> Hold | str | None:
    """Why a host that no entry asks for is not deleted: it is an orphan, or a rival's.

    `denied` is why the account may not change it, if that is so.
    """
    if owned.row is None and not policy.delete_orphans:
        return Hold(HoldKind.ORPHAN, NO_ROW)
    if denied is not None and policy.prune:
        return denied
    if policy.delete_orphans:
        return None
    found = rival(owned.live, owned.row, policy)
    if found is None:
        return None
    return (
        f"another state folder ({found.writer}) wrote {call(owned.live)} after this one, so that "
        "it is not deleted: two proxysync run with one instance. Stop one of them or give it its "
        "own settings.instance; `proxysync apply --delete-orphans` deletes it all the same"
    )
