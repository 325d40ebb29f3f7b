"""What a run that was killed has left behind: looked up in NPM, then finished or undone."""

from dataclasses import dataclass, replace

from proxysync.apply.canary import reload_nginx
from proxysync.apply.domain_move import DomainMove
from proxysync.apply.host_writer import HostWriter, PreparedWrite, needs_no_write
from proxysync.apply.ledger import give_back
from proxysync.apply.outcome import ApplyError
from proxysync.apply.promise import Trouble
from proxysync.apply.protection import check_protection
from proxysync.apply.recovery_table import (
    RecoveryAction,
    after_site_check,
    canaries_of,
    decide,
    find_host,
    promise_of,
)
from proxysync.apply.site_check import SiteCheck
from proxysync.kinds import KINDS
from proxysync.kinds.references import reference_fingerprint
from proxysync.model import Applied, Fields, Key, Live, Marker, Snapshot
from proxysync.model.event import Emit, NewEvent
from proxysync.npm.client import NpmClient
from proxysync.npm.errors import NpmError, NpmRejectedError
from proxysync.plan.match import same_host
from proxysync.plan.release import release
from proxysync.store.journal import Journal, JournalEntry
from proxysync.store.state import FailedEntry, State


@dataclass(frozen=True)
class RecoveryResult:
    """With `npm_changed`, NPM has to be read again.

    `error` is why nginx could not be reloaded: until it is, deletions stay open.
    """

    npm_changed: bool = False
    error: NpmError | None = None


class Recovery:
    """Closes open rows of the journal and removes canaries; the caller holds the write lock."""

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

    def run(self, snapshot: Snapshot, instance: str) -> RecoveryResult:
        """Finishes or undoes whatever is open, as `recovery_table` says. Raises NpmError."""
        canaries, open_rows = canaries_of(instance, snapshot), self._journal.open_entries()
        for canary in canaries:
            self._npm.delete(KINDS[canary.kind], canary.npm_id)
        found = [(entry, find_host(entry, snapshot, self._marker(entry))) for entry in open_rows]
        todo = [(entry, live, decide(entry, live, self._marker(entry))) for entry, live in found]
        error = None
        if any(action is RecoveryAction.RELOAD_NGINX for _, _, action in todo):
            try:
                reload_nginx(self._npm, instance)
            except NpmError as away:
                error = away
                todo = [one for one in todo if one[2] is not RecoveryAction.RELOAD_NGINX]
        for entry, live, action in todo:
            self._recover(entry, live, action, snapshot)
        return RecoveryResult(bool(canaries or open_rows), error)

    def _recover(
        self, entry: JournalEntry, live: Live | None, action: RecoveryAction, snapshot: Snapshot
    ) -> None:
        row = self._journal.row(entry)
        if entry.npm_id is None and live is not None:
            row.created(live.npm_id, live.created_on)
        outcome = self._act(entry, live, action, snapshot)
        row.close(outcome, "recovered after an interruption")
        message = f"{entry.action} of {entry.name} had been interrupted: {outcome}"
        data = {"action": entry.action, "npm_id": entry.npm_id, "outcome": outcome}
        self._emit(NewEvent("apply.recovered", message, entry.key, data))

    def _act(
        self, entry: JournalEntry, live: Live | None, action: RecoveryAction, snapshot: Snapshot
    ) -> str:
        """Does it, and returns how the write ended."""
        if live is None or action is RecoveryAction.LEAVE:
            return "done" if action is RecoveryAction.RELOAD_NGINX else "undone"
        trouble = None
        if action is RecoveryAction.CHECK_SITE:
            trouble = self._trouble(entry, live)
            action = after_site_check(entry, trouble)
        if action is RecoveryAction.RECORD:
            self._record(entry, live, confirmed=True)
            return "done"
        if action is RecoveryAction.WRITE_AGAIN:
            self._record(entry, live, confirmed=False)
            return "unconfirmed"
        if action is RecoveryAction.RELEASE:
            return self._release(entry, live)
        if action is RecoveryAction.DELETE_NEW:
            self._npm.delete(KINDS[entry.kind], live.npm_id)
            return f"undone, for {trouble.message}" if trouble else "refused by nginx, and removed"
        self._restore(entry, live)
        if trouble is None:
            return "refused by nginx, and undone"
        self._remember_failure(entry, live, trouble, snapshot)
        return f"undone, for {trouble.message}"

    def _record(self, entry: JournalEntry, live: Live, *, confirmed: bool) -> None:
        name = live.marker.name if live.marker else entry.old_name
        row = Applied(
            Key(entry.kind, name),
            live.npm_id,
            live.fields if confirmed else entry.before or {},
            live.created_on,
            unconfirmed=not confirmed,
            writer=live.writer,
        )
        self._state.record(row, replaces=entry.old_name)

    def _release(self, entry: JournalEntry, live: Live) -> str:
        """Gives the host back as it is now, as far as that is still to do."""
        kind = KINDS[entry.kind]
        change = release(live, entry.key, self._as_it_was(entry, live))
        target = change.target
        assert target is not None
        try:
            if not needs_no_write(change) or self._may_be_half_done(live):
                check_protection(self._npm, kind, target, live)
                hosts = HostWriter(self._npm, entry.instance, self._state.id)
                prepared = PreparedWrite(change, target, live)
                live = hosts.write(prepared, DomainMove(), lambda *_: None).live or live
        except (ApplyError, NpmRejectedError) as error:
            return f"undone, for {error.message}"
        give_back(self._state, live)
        return "done"

    def _as_it_was(self, entry: JournalEntry, live: Live) -> Fields:
        """The host without what our own write alone may have left: for a moment it is enabled."""
        assert entry.before is not None
        on = {**entry.before, KINDS[live.kind].switch: True}
        left = self._serves_what_is_off(live) and live.fields == on
        return entry.before if left else live.fields

    def _may_be_half_done(self, live: Live) -> bool:
        """Whether our marker was taken out of the host, and nobody knows what nginx has of it."""
        kind = KINDS[live.kind]
        rows = [row for row in self._state.applied() if same_host(row, live)]
        never_had_one = bool(rows) and rows[0].writer is None
        if never_had_one or not kind.keeps_marker:
            return False
        if not kind.is_enabled(live.fields):
            return self._serves_what_is_off(live)
        return live.online is not True

    def _serves_what_is_off(self, live: Live) -> bool:
        """Whether NPM serves such a host after a PUT until it is disabled again."""
        return not KINDS[live.kind].is_switched_by_put and self._npm.server().serves_disabled

    def _trouble(self, entry: JournalEntry, live: Live) -> Trouble | None:
        """What visitors lost by a write of which nobody has seen what it did for them."""
        promise = promise_of(entry, live)
        return self._sites.check([promise]).troubles[0] if promise else None

    def _restore(self, entry: JournalEntry, live: Live) -> None:
        assert entry.before is not None
        kind, old = KINDS[entry.kind], replace(self._marker(entry), name=entry.old_name)
        try:
            self._npm.update(kind, live, entry.before, old)
        except NpmRejectedError:  # a name that it had is another host's by now
            fields = kind.with_claims(entry.before, kind.claims(live.fields))
            self._npm.update(kind, live, fields, old)
        if not kind.is_enabled(entry.before):
            self._npm.disable(kind, live.npm_id)

    def _remember_failure(
        self, entry: JournalEntry, live: Live, trouble: Trouble, snapshot: Snapshot
    ) -> None:
        """What visitors are worse off by is not tried again as it is."""
        now = self._npm.get(KINDS[entry.kind], live.npm_id)
        refused = FailedEntry(
            key=entry.key,
            fields=entry.after or {},
            live=now.fields if now else None,
            reason=trouble.message,
            retry=False,
            surroundings=reference_fingerprint(entry.after or {}, snapshot),
        )
        self._state.add_failure(refused)

    def _marker(self, entry: JournalEntry) -> Marker:
        """The marker that the write gave the host."""
        return Marker(entry.name, entry.instance, state=self._state.id)
