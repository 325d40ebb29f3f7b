"""What a run that was killed has left behind: looked up in NPM, then finished or undone."""

from collections.abc import Sequence
from dataclasses import replace

from proxysync.apply.canary import reload_nginx
from proxysync.apply.ledger import Emit
from proxysync.apply.promise import Before, Promise
from proxysync.apply.site_check import SiteCheck
from proxysync.kinds import KINDS
from proxysync.kinds.references import surroundings
from proxysync.model import Applied, Live, Marker, Snapshot
from proxysync.npm.client import NpmClient
from proxysync.npm.errors import NpmError, NpmRejectedError
from proxysync.store.journal import Entry, Journal
from proxysync.store.state import FailedEntry, State


class Settler:
    """Settles open rows of the journal and removes canaries; the caller holds the write lock."""

    def __init__(
        self,
        npm: NpmClient,
        state: State,
        journal: Journal,
        emit: Emit,
        sites: SiteCheck = SiteCheck(),  # noqa: B008
    ) -> None:
        self._npm = npm
        self._state = state
        self._journal = journal
        self._emit = emit
        self._sites = sites
        self.trouble: NpmError | None = None

    def settle(self, snapshot: Snapshot, instance: str) -> bool:
        """Whether NPM was written to, so that it has to be read again. Raises NpmError.

        While nginx cannot be reloaded, deletions stay open, and `trouble` says why.
        """
        entries = self._journal.unsettled()
        wrote = self._remove_canaries(snapshot.canaries, instance)
        found = [(entry, _find(entry, snapshot, self._marker(entry))) for entry in entries]
        if any(entry.action == "delete" and live is None for entry, live in found):
            # It is gone from NPM, but nginx serves it until it is reloaded.
            wrote = True
            try:
                reload_nginx(self._npm, instance)
            except NpmError as error:
                self.trouble = error
                found = [pair for pair in found if pair[0].action != "delete" or pair[1]]
        for entry, live in found:
            row = self._journal.row(entry)
            if entry.npm_id is None and live is not None:
                row.created(live.npm_id, live.created_on)
            outcome, changed = self._settle(entry, live)
            wrote = wrote or changed
            row.close(outcome, "settled after an interruption")
            self._emit(
                "warn",
                "apply",
                "apply.settled",
                f"{entry.action} of {entry.name} had been interrupted: {outcome}",
                proxy=entry.name,
                data={"action": entry.action, "npm_id": entry.npm_id, "outcome": outcome},
            )
        return wrote or bool(entries)

    def _settle(self, entry: Entry, live: Live | None) -> tuple[str, bool]:
        """How it ended, and whether something was written to make it so."""
        if live is None:
            return ("done" if entry.action == "delete" else "undone"), False
        enabled = bool(live.fields.get("enabled"))
        # A new host that nginx refuses never worked, even if somebody has changed it since.
        if enabled and live.online is False and (not entry.before or live.fields == entry.after):
            return self._undo(entry, live), True
        if live.fields == entry.before and (enabled or self._is_theirs(entry, live)):
            return "undone", False
        # Only a write that nginx has tested says so; a disabling leaves no trace of it.
        confirmed = enabled and live.fields == entry.after and live.online is True
        if confirmed and (trouble := self._trouble(entry, live)):
            return self._undo_for_visitors(entry, live, trouble), True
        self._record(entry, live, confirmed=confirmed)
        return ("done" if confirmed else "unconfirmed"), False

    def _record(self, entry: Entry, live: Live, *, confirmed: bool) -> None:
        name = live.marker.name if live.marker else entry.old_name
        row = Applied(
            entry.kind,
            name,
            live.npm_id,
            live.fields if confirmed else entry.before or {},
            live.created_on,
            unconfirmed=not confirmed,
            writer=live.writer,
        )
        self._state.record(row, replaces=entry.old_name)

    def _trouble(self, entry: Entry, live: Live) -> str | None:
        """What visitors lost by a write of which nobody has seen what it did for them."""
        kind = KINDS[entry.kind]
        names = kind.claims(live.fields)
        served = frozenset(name for name in names if kind.stands_for(name) == name)
        if not (entry.answered or entry.protected):
            return None
        before = Before(entry.answered & served, entry.answered & served)
        promise = Promise(served, before=before, protected=entry.protected)
        trouble = self._sites.check([promise]).troubles[0]
        return trouble.message if trouble and trouble.undo else None

    def _undo_for_visitors(self, entry: Entry, live: Live, trouble: str) -> str:
        """Puts back what worked, and remembers that this did not."""
        self._undo(entry, live)
        if entry.before is not None:
            now = self._npm.get(KINDS[entry.kind], live.npm_id)
            refused = FailedEntry(
                kind=entry.kind,
                name=entry.name,
                fields=entry.after or {},
                live=now.fields if now else None,
                reason=trouble,
                retry=False,
                surroundings=self._surroundings(entry),
            )
            self._state.add_failure(refused)
        return f"undone, for {trouble}"

    def _surroundings(self, entry: Entry) -> str:
        snapshot = self._npm.last_snapshot
        return surroundings(entry.after or {}, snapshot) if snapshot else ""

    def _undo(self, entry: Entry, live: Live) -> str:
        """It did not work, and we were killed before what worked was put back."""
        kind, old = KINDS[entry.kind], replace(self._marker(entry), name=entry.old_name)
        if entry.before is None:
            self._npm.delete(kind, live.npm_id)
            return "refused by nginx, and removed"
        try:
            self._npm.update(kind, live, entry.before, old)
        except NpmRejectedError:  # a name that it had is another host's by now
            fields = kind.with_claims(entry.before, kind.claims(live.fields))
            self._npm.update(kind, live, fields, old)
        if entry.before.get("enabled") is False:
            self._npm.disable(kind, live.npm_id)
        return "refused by nginx, and undone"

    def _is_theirs(self, entry: Entry, live: Live) -> bool:
        """Whether it was about to be taken over, and nothing in it says that it is ours by now."""
        return entry.action == "adopt" and live.marker != self._marker(entry)

    def _marker(self, entry: Entry) -> Marker:
        """The marker that the write gave the host."""
        return Marker(entry.name, entry.instance, state=self._state.id)

    def _remove_canaries(self, canaries: Sequence[Live], instance: str) -> bool:
        ours = [live for live in canaries if live.marker and live.marker.instance == instance]
        for live in ours:
            self._npm.delete(KINDS[live.kind], live.npm_id)
        return bool(ours)


def _find(entry: Entry, snapshot: Snapshot, marker: Marker) -> Live | None:
    """The host that the row speaks of: by its id, or a new one by its marker.

    An NPM that was restored or set up anew may have given the id to somebody else's host.
    """
    host = entry.npm_id, entry.created_on
    for live in snapshot.objects:
        if live.kind != entry.kind:
            continue
        if host == (live.npm_id, live.created_on) or (
            entry.npm_id is None and live.marker == marker
        ):
            return live
    return None
