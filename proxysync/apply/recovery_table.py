"""What becomes of a write that proxysync was killed at: by its journal row and what NPM has.

| NPM has the host …                             | … so that the write            | action        |
|------------------------------------------------|--------------------------------|---------------|
| not at all, and it was to be deleted           | is done, but for nginx         | RELOAD_NGINX  |
| not at all                                     | never arrived, or was undone   | LEAVE         |
| at all, and it was to be given back as it is   | may or may not have an effect  | RELEASE       |
| as written, or new, and nginx refuses it       | has to be undone               | DELETE_NEW or |
|                                                |                                | RESTORE       |
| as it was before, and enabled                  | never arrived, or was undone   | LEAVE         |
| as it was before, and marked as somebody's     | never arrived: an adoption     | LEAVE         |
| as written, enabled, and nginx has tested it   | is done, if visitors agree     | CHECK_SITE    |
| in any other way                               | may or may not have an effect  | WRITE_AGAIN   |

After the CHECK_SITE: RECORD, or DELETE_NEW or RESTORE where visitors are worse off than before.
"""

from collections.abc import Sequence
from enum import Enum, auto

from proxysync.apply.promise import Before, Promise, Trouble
from proxysync.kinds import KINDS
from proxysync.model import Live, Marker, Snapshot
from proxysync.store.journal import JournalEntry


class RecoveryAction(Enum):
    """What recovery does about one open row of the journal.

    RELOAD_NGINX: it is gone from NPM, but nginx serves it until it is reloaded. LEAVE: there is
    nothing to do. DELETE_NEW, RESTORE: what did not work goes, and what worked before comes
    back. CHECK_SITE: NPM and nginx have taken it; nobody has seen what visitors got. RECORD: it
    is done. WRITE_AGAIN: it stays unconfirmed until the next plan has written it once more.
    RELEASE: the rest of it is done, for whoever gave the host back may have taken its entry out of
    the file, by which it would be deleted.
    """

    RELOAD_NGINX = auto()
    LEAVE = auto()
    DELETE_NEW = auto()
    RESTORE = auto()
    CHECK_SITE = auto()
    RECORD = auto()
    WRITE_AGAIN = auto()
    RELEASE = auto()


def decide(entry: JournalEntry, live: Live | None, marker: Marker) -> RecoveryAction:
    """The table above; `marker` is the one that the write gave the host."""
    if live is None:
        return RecoveryAction.RELOAD_NGINX if entry.action == "delete" else RecoveryAction.LEAVE
    if entry.action == "release" and entry.after == entry.before:
        return RecoveryAction.RELEASE
    kind = KINDS[entry.kind]
    enabled = kind.is_enabled(live.fields)
    as_written = live.fields == entry.after
    # A new host that nginx refuses never worked, even if somebody has changed it since.
    if enabled and live.online is False and (as_written or not entry.before):
        return take_back(entry)
    theirs = entry.action == "adopt" and live.marker != marker
    if live.fields == entry.before and (enabled or theirs):
        return RecoveryAction.LEAVE
    # Only a write that nginx has tested says so; a disabling leaves no trace of it. Whether a port
    # is free is not tested, but proved with the next write.
    tested = live.online is True and not kind.ports(live.fields)
    is_late = kind.is_late and entry.before is not None  # nginx may have tested the old one
    if enabled and as_written and tested and not is_late:
        return RecoveryAction.CHECK_SITE
    return RecoveryAction.WRITE_AGAIN


def after_site_check(entry: JournalEntry, trouble: Trouble | None) -> RecoveryAction:
    """What CHECK_SITE comes to."""
    return take_back(entry) if trouble and trouble.undo else RecoveryAction.RECORD


def take_back(entry: JournalEntry) -> RecoveryAction:
    """How to be rid of what the row has written."""
    return RecoveryAction.DELETE_NEW if entry.before is None else RecoveryAction.RESTORE


def promise_of(entry: JournalEntry, live: Live) -> Promise | None:
    """What visitors must not have lost by the write; None where they had nothing to lose."""
    if not (entry.responding or entry.protected):
        return None
    kind = KINDS[entry.kind]
    names = frozenset(n for n in kind.claims(live.fields) if kind.canonical(n) == n)
    kept = entry.responding & names
    not_found = kind.served(live.fields).is_not_found
    before = Before(kept, kept)
    return Promise(names, before=before, protected=entry.protected, not_found=not_found)


def find_host(entry: JournalEntry, snapshot: Snapshot, marker: Marker) -> Live | None:
    """The host that the row speaks of: by its id, or a new one by its marker, or by what was
    there of it when its creation was cut off.

    An NPM that was restored or set up anew may have given the id to somebody else's host.
    """
    host = entry.npm_id, entry.created_on
    kind = KINDS[entry.kind]
    unfilled = {name: kind.defaults[name] for name in kind.derived}
    begun = {**entry.after, **unfilled} if kind.is_uploaded and entry.after else None
    for live in snapshot.objects:
        if live.kind != entry.kind:
            continue
        if host == (live.npm_id, live.created_on):
            return live
        if entry.npm_id is None and (live.marker == marker or live.fields == begun):
            return live
    return None


def canaries_of(instance: str, snapshot: Snapshot) -> Sequence[Live]:
    """The throwaway hosts that this instance has left behind, and what they referred to."""
    return [c for c in snapshot.canaries if not c.marker or c.marker.instance == instance]
