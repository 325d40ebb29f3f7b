"""One host in NPM: its new definition, or what worked before where that is refused."""

import time
from dataclasses import dataclass, replace

from proxysync.apply.after_refusal import AfterRefusal, DeleteHost, LeaveHost, after_refusal
from proxysync.apply.domain_move import DomainMove, HostId, host_id
from proxysync.apply.order import placeholder
from proxysync.apply.outcome import ApplyError, WriteOutcome
from proxysync.apply.promise import NOTHING_PROMISED, Promise
from proxysync.kinds import KINDS
from proxysync.kinds.refusal import refusal_of
from proxysync.model import Applied, Fields, Live, Marker
from proxysync.npm.client import NpmClient, OnCreated
from proxysync.plan.model import Change


@dataclass(frozen=True)
class PreparedWrite:
    """A write that was checked and may be made.

    `target` is what to write, None for a deletion, and `before` the host as it is now, None
    where there is none. `last` is what was last applied, to put back where nothing else works.
    """

    change: Change
    target: Fields | None
    before: Live | None
    promise: Promise = NOTHING_PROMISED
    last: Applied | None = None


class HostWriter:
    """Writes single hosts to one NPM; raises ApplyError for an entry's own failure, else NpmError.

    The hosts `disable_first` are disabled before they get their new definition: as long as
    nginx has the old one, it can test no other. `state` is the id that markers name as their
    writer's.
    """

    def __init__(
        self,
        npm: NpmClient,
        instance: str,
        state: str | None = None,
        disable_first: frozenset[HostId] = frozenset(),
    ) -> None:
        self._npm = npm
        self.instance = instance
        self._state = state
        self._disable_first = disable_first

    def marker(self, change: Change) -> Marker | None:
        """The marker that the host has once the change is made: none where it is given back."""
        return None if change.action == "release" else self._own_marker(change)

    def refetch(self, change: Change, move: DomainMove) -> Live:
        """The host as it is now; raises ApplyError if it is no longer as the run expects it."""
        expected = move.expected(change)
        assert expected is not None
        live = self._npm.get(KINDS[change.kind], expected.npm_id)
        if live is None or not _same(live, expected):
            raise ApplyError(
                f"host #{expected.npm_id} was changed in NPM after the plan was made",
                "Run it again: the next plan takes that into account.",
                live=live,
                retry=True,
            )
        return live

    def write(
        self, prepared: PreparedWrite, move: DomainMove, on_created: OnCreated
    ) -> WriteOutcome:
        """Writes it, and returns what NPM then has.

        `on_created` hears of a new host's id before anything else is asked.
        """
        change, target, before = prepared.change, prepared.target, prepared.before
        if target is None:
            assert before is not None
            self._npm.delete(KINDS[change.kind], before.npm_id)
            gone = replace(NOTHING_PROMISED, written=time.monotonic())
            return WriteOutcome(change, promise=gone)
        trouble = None
        if self._serves_while_off(change, target):
            live = self._write_and_disable(change, target, before, on_created)
        elif before is None:
            live = self._create(change, target, on_created)
            trouble = trouble_of(live, target)
        elif change.action != "release" and _may_linger(target, before, prepared.last):
            live = self._disable_anew(change, target, before)
        else:
            before = self._disable_before(target, before)
            live = self._npm.update(
                KINDS[change.kind], before, target, self.marker(change), change.secrets
            )
            trouble = None if _is_refused_as_before(change, before) else trouble_of(live, target)
        outcome = WriteOutcome(change, live, None, prepared.promise, before, prepared.last)
        if trouble is not None:
            raise self.take_back(outcome, move, trouble)
        return replace(outcome, promise=replace(prepared.promise, written=time.monotonic()))

    def take_back(self, outcome: WriteOutcome, move: DomainMove, trouble: str) -> ApplyError:
        """Is rid of what was written, and returns the error that tells all of it.

        Raises NpmError, and NpmUnconfirmedError where nobody knows what nginx then has.
        """
        change, live, before = outcome.change, outcome.live, outcome.before
        assert live is not None
        previous = move.restored(change, live) if before and move.now(change) else None
        action = after_refusal(live, before, outcome.last, previous)
        return self.carry_out(action, live, before, trouble)

    def carry_out(
        self, action: AfterRefusal, live: Live | None, before: Live | None, trouble: str
    ) -> ApplyError:
        """Does with a refused host what was decided, and returns the error that tells of it.

        `live` is the host as NPM has it now; None if there is none, but only on a canary.
        """
        if isinstance(action, LeaveHost):
            return ApplyError(trouble, _hint(action.told), live=live, retry=False)
        assert live is not None
        kind = KINDS[live.kind]
        if isinstance(action, DeleteHost):
            self._npm.delete(kind, live.npm_id)
            return ApplyError(trouble, _hint(action.told), retry=False)
        assert before is not None
        restored = self._npm.update(kind, live, action.fields, before.marker)
        if kind.is_enabled(restored.fields) and not kind.is_enabled(action.fields):
            restored = self._npm.disable(kind, before.npm_id)
        told = "what worked before is back"
        if restored.online is False:
            told = "nginx now refuses what was there before, too, so the site is down"
        return ApplyError(trouble, _hint(told), live=restored, retry=False, restored=True)

    def _own_marker(self, change: Change) -> Marker:
        return Marker(change.name, self.instance, state=self._state)

    def _create(self, change: Change, target: Fields, on_created: OnCreated) -> Live:
        """A new host. Where NPM would serve a disabled one, it leads nowhere until it is off."""
        kind, marker = KINDS[change.kind], self._own_marker(change)
        created_off = kind.is_switched_by_put and not self._npm.server().serves_disabled
        if kind.is_enabled(target) or created_off:
            return self._npm.create(kind, target, marker, on_created, change.secrets)
        live = self._npm.create(
            kind, kind.placeholder_definition(placeholder(change)), marker, on_created
        )
        live = self._npm.disable(kind, live.npm_id)
        return self._npm.update(kind, live, target, marker)

    def _serves_while_off(self, change: Change, target: Fields) -> bool:
        """Whether NPM would serve what it is sent for a host that is off."""
        kind = KINDS[change.kind]
        is_off = not kind.is_enabled(target) and not kind.is_switched_by_put
        return is_off and self._npm.server().serves_disabled

    def _write_and_disable(
        self, change: Change, target: Fields, before: Live | None, on_created: OnCreated
    ) -> Live:
        """The host as it is to be, served for a moment and then off."""
        kind = KINDS[change.kind]
        on = {**target, kind.switch: True}
        if before is None:
            live = self._npm.create(kind, on, self._own_marker(change), on_created)
        else:
            live = self._npm.update(kind, before, on, self.marker(change))
        return self._npm.disable(kind, live.npm_id)

    def _disable_before(self, target: Fields, before: Live) -> Live:
        """The host as it is to be when it gets its definition: disabled where that must be so."""
        kind = KINDS[before.kind]
        needed = not kind.is_enabled(target) or host_id(before) in self._disable_first
        if needed and kind.is_enabled(before.fields):
            return self._npm.disable(kind, before.npm_id)
        return before

    def _disable_anew(self, change: Change, target: Fields, before: Live) -> Live:
        """Disables a host that NPM may call disabled already while nginx still serves it.

        NPM refuses to disable it twice, so that it is enabled first: as a host that nobody
        asks for and that leads nowhere.
        """
        kind = KINDS[change.kind]
        self._npm.update(
            kind, before, kind.placeholder_definition(placeholder(change)), before.marker
        )
        live = self._npm.disable(kind, before.npm_id)
        return self._npm.update(kind, live, target, self.marker(change))


def trouble_of(live: Live, target: Fields) -> str | None:
    """Why a written host is not as it should be, though NPM answered that all is well.

    What somebody else has changed since is no fault of the write: it is drift, for the next plan.
    """
    differ = {name for name, value in target.items() if live.fields.get(name) != value}
    if wrong := sorted(differ - live.overwritten):
        return f"NPM did not store {', '.join(wrong)} as sent"
    if differ:
        return None
    if KINDS[live.kind].is_enabled(live.fields) and live.online is False:
        return f"nginx refuses it: {refusal_of(live)}"
    return None


def needs_no_write(change: Change) -> bool:
    """Whether the state's row is all that it takes: a host that is as the file says already is
    taken over, or one without a marker of ours is given back.

    A write would reload nginx, or worse: NPM since 2.13 loses the certificate of a 404 host by a
    PUT that changes nothing. A marker that names another proxysync has to go, and a host of which
    NPM does not say whether nginx has it has to be written. One that nginx refuses would be
    refused again.
    """
    live = change.live
    if live is None or change.fields or change.action not in ("adopt", "release"):
        return False
    if change.action == "release":
        return True
    kind = KINDS[change.kind]
    is_marked = kind.keeps_marker and live.marker is not None
    is_tested = live.online is not None or not (kind.is_host and kind.is_enabled(live.fields))
    return is_tested and not is_marked and not change.secrets


def _is_refused_as_before(change: Change, before: Live) -> bool:
    """Whether a host is given back as it is, which nginx has not served before either."""
    return change.action == "release" and before.online is False and change.target == before.fields


def _may_linger(target: Fields, live: Live, last: Applied | None) -> bool:
    """Whether nginx may serve what is to be off though NPM calls it disabled.

    That is so after a write that was lost, or if it was disabled by a PUT.
    """
    kind = KINDS[live.kind]
    if last is None or kind.is_enabled(target):
        return False
    by_a_put = not kind.is_enabled(live.fields) and kind.is_enabled(last.fields)
    return last.unconfirmed or by_a_put


def _same(live: Live, planned: Live) -> bool:
    """Whether it is as planned, but for a marker that says nothing since no write takes it away."""
    if KINDS[live.kind].keeps_marker and live.marker != planned.marker:
        return False
    return (live.fields, live.created_on) == (planned.fields, planned.created_on)


def _hint(what: str) -> str:
    return f"Fix the entry in the file; {what}."
