"""What the state and the events say of a write, once it is known how it ended."""

from collections.abc import Sequence
from dataclasses import replace

from proxysync.apply.checked import Checked, sites_seen
from proxysync.apply.outcome import ApplyError, WriteOutcome
from proxysync.apply.promise import Findings
from proxysync.apply.report import ChangeOutcome, ChangeResult
from proxysync.kinds import KINDS
from proxysync.kinds.references import reference_fingerprint
from proxysync.kinds.refusal import refusal_of
from proxysync.model import Applied, Key, Live, Snapshot
from proxysync.model.errors import ProxysyncError
from proxysync.model.event import Emit, NewEvent
from proxysync.npm.errors import NpmUnconfirmedError
from proxysync.plan.match import same_host
from proxysync.plan.model import Change
from proxysync.plan.unknown_past import unknown_texts
from proxysync.store.state import FailedEntry, State

DONE_EVENTS = {
    "create": "proxy.created",
    "update": "proxy.updated",
    "delete": "proxy.deleted",
    "adopt": "proxy.adopted",
    "release": "proxy.released",
}


class Ledger:
    """Keeps the state true to what was done to an NPM that was like the `snapshot`."""

    def __init__(self, state: State, emit: Emit, snapshot: Snapshot) -> None:
        self._state = state
        self._emit = emit
        self._snapshot = snapshot

    def keep_unknown_texts(self, change: Change) -> None:
        """Notes what the change writes over that may hold a secret which nobody knows."""
        if texts := unknown_texts(change):
            self._state.add_unknown_texts(texts)

    def doubt(self, change: Change, last: Applied | None, live: Live) -> None:
        """Until its change is done, a host that was released is not as anybody wants it."""
        if last is not None:
            self._state.record(replace(last, unconfirmed=True))
        elif live.marker is not None:
            assert change.live is not None
            row = Applied(
                Key(live.kind, live.marker.name),
                live.npm_id,
                change.live.fields,
                live.created_on,
                unconfirmed=True,
                writer=live.writer,
            )
            self._state.record(row)

    def last(self, change: Change) -> Applied | None:
        """What the state knows of the change's host, whatever it is called; or of one like it
        that is gone."""
        rows = self._state.applied()
        live = change.live
        if live is None:
            return next((row for row in rows if row.key == change.key), None)
        return next((row for row in rows if same_host(row, live)), None)

    def done(self, outcome: WriteOutcome) -> ChangeOutcome:
        """Remembers and announces a change that is complete."""
        change, live = outcome.change, outcome.live
        self._remember(change, live)
        npm_id = live.npm_id if live else change.npm_id
        event = DONE_EVENTS[change.action]
        note = f" ({outcome.note})" if outcome.note else ""
        message = f"{change.name} {event.partition('.')[2]}: {change.reason}{note}"
        data = {"npm_id": npm_id, "fields": sorted(change.fields), "drift": change.drift}
        self._emit(NewEvent(event, message, change.key, data))
        return ChangeOutcome(
            change.key, change.action, npm_id, ChangeResult.DONE, outcome.note or ""
        )

    def confirm(self, last: Applied | None, live: Live | None) -> None:
        """After a roll back it is known what nginx runs: what worked before, or nothing."""
        if last is None or not last.unconfirmed:
            return
        if live is None:
            self._state.forget([last.key])
        else:
            worked = last.fields or live.fields
            self._state.record(replace(last, fields=worked, unconfirmed=False))

    def not_taken(self, outcome: WriteOutcome, last: Applied | None) -> ChangeOutcome:
        """A write that NPM has not taken, or may not have."""
        change, error = outcome.change, outcome.error
        assert error is not None
        if isinstance(error, ApplyError):
            if not error.retry:
                self.confirm(last, error.live)
            return self.refused(change, error)[0]
        if isinstance(error, NpmUnconfirmedError):
            return self.unconfirmed(change, error, last)
        return outcome_of(change, ChangeResult.SKIPPED, error)

    def refused(self, change: Change, error: ApplyError) -> tuple[ChangeOutcome, bool]:
        """Remembers the refusal; whether it is new comes second."""
        entry = self._refusal(change, error.message, error.live, retry=error.retry)
        is_new = entry not in self._state.failures()
        if is_new:
            self._state.add_failure(entry)
            hint = f" ({error.hint})" if error.hint else ""
            message = f"{change.action} of {change.name} failed: {error.message}{hint}"
            data = {"action": change.action, "npm_id": change.npm_id, "hint": error.hint}
            self._emit(NewEvent("proxy.failed", message, change.key, data))
        return outcome_of(change, ChangeResult.FAILED, error), is_new

    def unconfirmed(
        self, change: Change, error: NpmUnconfirmedError, last: Applied | None
    ) -> ChangeOutcome:
        """Marks the host, so that it is written again though NPM may show it as desired.

        Without a row of it, what NPM had is what worked: it was somebody else's until now, or
        the state was lost. Only a new host has nothing that ever worked.
        """
        live = error.live or change.live
        known = last or change.live
        if live is not None and change.desired is not None:
            row = Applied(
                change.key,
                live.npm_id,
                known.fields if known else {},
                live.created_on,
                unconfirmed=True,
                writer=live.writer,
            )
            self._state.record(row, replaces=old_name(change))
        return outcome_of(change, ChangeResult.UNCONFIRMED, error)

    def prove(self, addresses: Sequence[str]) -> None:
        """Remembers where NPM's nginx is known to be."""
        self._state.edges.prove(addresses)

    def is_told(self, key: Key) -> bool:
        """Whether it was told that visitors do not get to the entry's site."""
        return key in self._state.edges.told()

    def sites_seen(
        self, findings: Findings, checked: Sequence[Checked], addresses: Sequence[str]
    ) -> None:
        """What visitors found, and at which addresses NPM's nginx is known to be."""
        edges = self._state.edges
        edges.prove(addresses)
        edges.tell_unseen(self._emit, findings.unseen)
        if findings.unseen is None:
            edges.tell(self._emit, sites_seen(checked, edges.told()))

    def _remember(self, change: Change, live: Live | None) -> None:
        if live is None:
            self._state.forget([change.key])
            return
        if change.action == "release":
            give_back(self._state, live)
            return
        assert change.desired is not None
        row = Applied(
            change.key,
            live.npm_id,
            change.desired,
            live.created_on,
            writer=live.writer,
            digests=change.digests,
        )
        self._state.record(row, replaces=old_name(change))
        self._state.clear_failure(change.key)
        if live.online is False and KINDS[live.kind].is_enabled(live.fields):
            self._state.add_failure(self._refusal(change, refusal_of(live), live, as_found=True))

    def _refusal(
        self,
        change: Change,
        reason: str,
        live: Live | None,
        *,
        retry: bool = False,
        as_found: bool = False,
    ) -> FailedEntry:
        fields = change.desired or {}
        return FailedEntry(
            key=change.key,
            fields=fields,
            live=live.fields if live else None,
            reason=reason,
            retry=retry,
            surroundings=reference_fingerprint(fields, self._snapshot),
            as_found=as_found,
        )


def give_back(state: State, live: Live) -> None:
    """Makes the host nobody's of ours: without a row, and whatever else we know it by."""
    if live.marker is not None or not KINDS[live.kind].keeps_marker:
        state.give_back(live.kind, live.npm_id, live.created_on)
    state.forget([row.key for row in state.applied() if same_host(row, live)])


def outcome_of(change: Change, result: ChangeResult, error: ProxysyncError) -> ChangeOutcome:
    return ChangeOutcome(
        change.key, change.action, change.npm_id, result, error.message, error.hint
    )


def old_name(change: Change) -> str | None:
    """The name in NPM's marker, where it is another one: the entry was renamed."""
    marker = change.live.marker if change.live else None
    return marker.name if marker and marker.name != change.name else None
