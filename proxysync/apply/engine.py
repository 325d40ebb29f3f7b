"""Carries out a plan: one write at a time, each one checked, one bad entry stopping no other."""

import time
from collections.abc import Callable, Sequence, Set
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace

from proxysync.apply.ledger import Emit, Ledger, old_name, outcome_of
from proxysync.apply.order import NO_NAMES, Part, Step, held, in_order, wanted
from proxysync.apply.promise import Findings, Trouble
from proxysync.apply.report import Outcome, Report, Result
from proxysync.apply.write import Writer
from proxysync.apply.written import Refusal, Written
from proxysync.model import Key
from proxysync.npm.errors import (
    NpmError,
    NpmNotFoundError,
    NpmRejectedError,
    NpmUnconfirmedError,
)
from proxysync.plan.model import Change, Plan
from proxysync.store.edges import Seen as EdgeSeen
from proxysync.store.journal import Journal, Row
from proxysync.store.state import State

BATCH = 25
"""Writes after which visitors are asked: a site that got worse must not wait for hundreds."""

NOT_SERVED = (
    "It is written again with the next run; if that does not help, read the log of NPM's nginx, "
    "or restart NPM."
)


@dataclass(frozen=True)
class Hooks:
    """What the caller wants to know or decide while a plan runs.

    `stop` is asked before each change, but not while domains are on their way from one host to
    another; `uninterrupted` is what a whole run is made in. `progress` hears of each step
    before it starts, `note` of what it has to wait for; `pause` waits for so many seconds.
    """

    stop: Callable[[], bool] = lambda: False
    progress: Callable[[str], object] = lambda _: None
    note: Callable[[str], object] = lambda _: None
    pause: Callable[[float], object] = time.sleep
    uninterrupted: Callable[[], AbstractContextManager[object]] = nullcontext


@dataclass(frozen=True)
class _Pending:
    """A step that NPM has taken, and that visitors have yet to see."""

    step: Step
    row: Row
    written: Written


@dataclass
class _Log:
    """How a run has gone so far; `outcomes` are by the row of the journal."""

    outcomes: list[tuple[int, Outcome]] = field(default_factory=list)
    failed: set[Key] = field(default_factory=set)
    pending: list[_Pending] = field(default_factory=list)
    stopped: str | None = None
    unseen: str | None = None

    def take(self, row: Row, step: Step, outcome: Outcome) -> None:
        self.outcomes.append((row.id, outcome))
        if outcome.result is Result.FAILED:
            self.failed.add(step.key)


class Engine:
    """Runs plans against one NPM and keeps the state true to what was done."""

    def __init__(
        self,
        writer: Writer,
        state: State,
        journal: Journal,
        emit: Emit,
        hooks: Hooks = Hooks(),
    ) -> None:
        self._writer = writer
        self._state = state
        self._journal = journal
        self._emit = emit
        self._ledger = Ledger(state, emit, writer.surroundings)
        self._hooks = hooks
        self._rehearsed: list[tuple[Change, Outcome]] = []

    def rehearse(self, plan: Plan) -> bool:
        """Tries what is risky before anything is touched; whether the plan is still good.

        What nginx refuses is remembered, so that the next plan leaves it out, and with it
        whatever another entry would have given up for it. Raises NpmError.
        """
        good = True
        changes = plan.to_make
        for change in changes:
            if change.live is None and not _takes_from_another(change, changes):
                continue  # a new host that takes nothing away is its own canary
            try:
                self._writer.rehearse(change, self._ledger.last(change))
            except Refusal as refusal:
                self._refused_in_rehearsal(change, refusal)
                good = False
            except (NpmRejectedError, NpmNotFoundError) as error:
                rejected = Refusal(error.message, error.hint, live=change.live, retry=False)
                self._refused_in_rehearsal(change, rejected)
                good = False
        return good

    def _refused_in_rehearsal(self, change: Change, refusal: Refusal) -> None:
        known = self._state.failures()
        outcome = self._ledger.refused(change, refusal)
        if self._state.failures() != known:  # else the history has it already
            self._rehearsed.append((change, outcome))

    def run(self, plan: Plan, *, why: str, fingerprint: str) -> Report:
        """Carries out `plan.to_make`; the caller holds the write lock.

        A 5xx, a lost answer or an NPM that is away ends the run: NPM itself is then broken,
        and each further write would do harm. `why` and `fingerprint` (of the file) stand in
        the history, and so does what was refused in the rehearsal.
        """
        for row in plan.records:
            self._state.record(row)
            self._state.clear_failure(row.key)
        self._state.forget(plan.forget)
        refused, self._rehearsed = self._rehearsed, []
        if not plan.to_make and not refused:
            return Report()
        run_id = self._journal.begin(why, fingerprint, self._writer.instance)
        for change, outcome in refused:
            self._open(run_id, change).close(str(outcome.result), outcome.message)
        steps = in_order(plan.to_make, self._writer.names_in_use())
        with self._hooks.uninterrupted():
            report = self._carry_out_all(steps, run_id)
        results = {o.result for o in report.outcomes} | {outcome.result for _, outcome in refused}
        self._journal.end(run_id, report.stopped or _in_words(results))
        return report

    def _carry_out_all(self, steps: Sequence[Step], run_id: int) -> Report:
        log = _Log()
        fatal: NpmError | None = None
        for index, step in enumerate(steps):
            if step.begins and self._hooks.stop():
                log.stopped = "it was told to stop"
                break
            # A host may only let go of its names once others are seen to serve them.
            if index % BATCH == 0 or step.part is Part.SETTLE or self._looks_bad(log):
                fatal = self._verify(log)
            if index % BATCH == 0:
                self._writer.look_ahead([ahead.change for ahead in steps[index : index + BATCH]])
            if fatal is None:
                self._hooks.progress(f"{step.change.action} {step.change.name}")
                fatal = self._carry_out(step, run_id, log)
            if fatal is not None:
                break
        fatal = self._verify(log) or fatal
        stopped = log.stopped if fatal is None else fatal.message
        outcomes = (outcome for _, outcome in sorted(log.outcomes, key=lambda one: one[0]))
        return Report(tuple(outcomes), stopped, fatal, log.unseen)

    def _open(self, run_id: int, change: Change) -> Row:
        live = change.live
        return self._journal.open(
            run_id,
            key=change.key,
            old_name=old_name(change) or change.name,
            action=change.action,
            npm_id=change.npm_id,
            created_on=live.created_on if live else None,
            before=live.fields if live else None,
            after=change.target,
        )

    def _carry_out(self, step: Step, run_id: int, log: "_Log") -> NpmError | None:
        """Carries out a step; returns what ends the run."""
        row = self._open(run_id, step.change)
        if step.key in log.failed:
            outcome, fatal = self._clear_up(step)
        else:
            written, outcome, fatal = self._write(step, row)
            if written is not None:
                pending = _Pending(step, row, written)
                if self._writer.can_see(written):
                    log.pending.append(pending)
                    return None
                outcome = self._done(pending)
        self._close(step, row, outcome, fatal, log)
        return fatal

    def _close(
        self,
        step: Step,
        row: Row,
        outcome: Outcome | None,
        fatal: NpmError | None,
        log: "_Log",
    ) -> None:
        if outcome is None:
            row.close("released")
            return
        in_doubt = outcome.result is Result.UNCONFIRMED and fatal is not None
        if not in_doubt or _is_recorded(step.change, fatal):
            row.close(str(outcome.result), outcome.message or step.change.reason)
        log.take(row, step, outcome)

    def _looks_bad(self, log: "_Log") -> bool:
        return self._writer.looks_bad([pending.written for pending in log.pending])

    def _verify(self, log: "_Log") -> NpmError | None:
        """Waits until nginx serves what was written, and undoes what does worse than before."""
        pending, log.pending = log.pending, []
        if not pending:
            return None
        self._hooks.progress(f"waiting for nginx to serve {len(pending)} hosts")
        findings = self._writer.check([one.written for one in pending])
        log.unseen = log.unseen or findings.unseen
        ends: NpmError | None = None
        self._state.edges.prove(self._writer.addresses(findings.proven))
        self._state.edges.tell_unseen(self._emit, findings.unseen)
        if findings.unseen is None:
            self._tell_edges(pending, findings)
        for one, trouble in zip(pending, findings.troubles, strict=True):
            # What was only written once more leaves nothing that did better.
            if trouble is None or not (trouble.undo and one.written.changes_anything):
                self._close(one.step, one.row, self._seen(one, trouble), None, log)
                continue
            outcome, fatal = self._undo(one, trouble)
            if fatal is None:
                self._close(one.step, one.row, outcome, None, log)
            else:
                log.take(one.row, one.step, outcome)
            ends = ends or fatal
        return ends

    def _tell_edges(self, pending: Sequence["_Pending"], findings: Findings) -> None:
        """Remembers what visitors see of those that stay as they were written."""
        told, seen = self._state.edges.told(), dict[Key, EdgeSeen]()
        for one, trouble in zip(pending, findings.troubles, strict=True):
            key, promise = one.step.key, one.written.promise
            if trouble is not None:
                if not (trouble.undo and one.written.changes_anything):
                    seen[key] = "not_served", trouble.message
            elif key in told and promise and promise.names <= promise.before.served:
                # It was there, but was not what the file says: a check of health can tell.
                seen[key] = "unknown", None
            elif one.step.part is not Part.TAKE and one.written.live is not None:
                seen[key] = "served", None
        self._state.edges.tell(self._emit, seen)

    def _seen(self, pending: "_Pending", trouble: Trouble | None) -> Outcome | None:
        """Ends a change that visitors are at least not worse off by."""
        outcome = self._done(pending)
        if trouble is None or outcome is None:
            return outcome
        return replace(outcome, result=Result.UNCONFIRMED, message=trouble.message, hint=NOT_SERVED)

    def _undo(self, pending: "_Pending", trouble: Trouble) -> tuple[Outcome, NpmError | None]:
        """What becomes of a change that visitors are worse off by.

        What cannot be put back now stays open in the journal, and is put back by the next run.
        """
        change, last = pending.step.change, pending.written.last
        try:
            refusal = self._writer.undo(pending.written, trouble.message)
        except Refusal as other:
            return self._ledger.refused(change, other), None
        except NpmError as error:
            return outcome_of(change, Result.UNCONFIRMED, error), error
        self._ledger.confirm(last, refusal.live)
        return self._ledger.refused(change, refusal), None

    def _done(self, pending: "_Pending") -> Outcome | None:
        """Remembers and announces a change that is complete; None if its host has more to do."""
        change, live = pending.step.change, pending.written.live
        if pending.step.part is Part.TAKE:
            return None
        self._ledger.remember(change, live)
        npm_id = live.npm_id if live else change.npm_id
        self._ledger.announce(change, npm_id)
        return Outcome(change.key, change.action, npm_id, Result.DONE)

    def _write(
        self, step: Step, row: Row
    ) -> tuple[Written | None, Outcome | None, NpmError | None]:
        change, last = step.change, self._ledger.last(step.change)
        try:
            if step.part is Part.RELEASE:
                self._ledger.doubt(change, last, self._writer.release(change, step.names))
                return None, None, None
            if step.part is Part.SETTLE:
                return self._writer.settle(change, last, step.names, row), None, None
            stand_ins = step.names if step.part is Part.TAKE else NO_NAMES
            written = self._writer.write(change, last, stand_ins, row)
        except Refusal as refusal:
            if not refusal.retry:
                self._ledger.confirm(last, refusal.live)
            return None, self._ledger.refused(change, refusal), None
        except NpmRejectedError as error:
            refused = Refusal(error.message, error.hint, retry=True)
            return None, self._ledger.refused(change, refused), None
        except NpmUnconfirmedError as error:
            if change.live is None and error.live is not None:
                row.created(error.live.npm_id, error.live.created_on)
            return None, self._ledger.unconfirmed(change, error, last), error
        except NpmError as error:
            return None, outcome_of(change, Result.SKIPPED, error), error
        return written, None, None

    def _clear_up(self, step: Step) -> tuple[Outcome | None, NpmError | None]:
        """What is left to do for a change that has failed: its host gets its names back."""
        if step.part is not Part.SETTLE:
            return None, None
        change, last = step.change, self._ledger.last(step.change)
        try:
            self._ledger.confirm(last, self._writer.give_back(change))
        except (Refusal, NpmRejectedError):
            return None, None  # somebody else was faster; the next plan sees how it is
        except NpmUnconfirmedError as error:
            return self._ledger.unconfirmed(change, error, last), error
        except NpmError as error:
            return None, error
        return None, None


def _in_words(results: Set[Result]) -> str:
    """How a run ended that was not cut short."""
    if results <= {Result.DONE}:
        return "done"
    return "failed in part" if Result.DONE in results else "failed"


def _takes_from_another(change: Change, changes: Sequence[Change]) -> bool:
    return any(wanted(change) & held(other) for other in changes)


def _is_recorded(change: Change, error: NpmError | None) -> bool:
    """Whether the state knows of a write in doubt, so that the next plan repeats it.

    It knows of no host that is gone but still served, and of none that is new and was not seen.
    """
    seen = isinstance(error, NpmUnconfirmedError) and error.live is not None
    return change.target is not None and (change.live is not None or seen)
