"""One run of a plan: one step at a time, each one checked, one bad entry stopping no other."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from proxysync.apply.checked import Checked, Unchecked
from proxysync.apply.domain_move import DomainMove
from proxysync.apply.hooks import Hooks
from proxysync.apply.ledger import Ledger, old_name, outcome_of
from proxysync.apply.order import NO_NAMES, Part, WriteStep
from proxysync.apply.outcome import WriteOutcome, attempt
from proxysync.apply.promise import Before, Trouble
from proxysync.apply.report import STOPPED, ChangeOutcome, ChangeResult, Report
from proxysync.apply.site_check import SiteCheck
from proxysync.apply.step_writer import StepWriter, served_before, users_among
from proxysync.kinds import KINDS
from proxysync.model import Applied, Key, Snapshot
from proxysync.npm.errors import NpmError, NpmUnconfirmedError
from proxysync.plan.model import Change
from proxysync.plan.references import resolved
from proxysync.store.journal import Journal, Row

BATCH = 25
"""Writes after which visitors are asked: a site that got worse must not wait for hundreds."""

NOT_SERVED = (
    "It is written again with the next run; if that does not help, read the log of NPM's nginx, "
    "or restart NPM."
)


class PlanRun:
    """Carries out the steps of one run.

    Each step opens a row of the journal before it writes. The row is closed when it is known
    how the step ended: at once where nobody can see the site, else after the next check.
    """

    def __init__(
        self,
        writer: StepWriter,
        sites: SiteCheck,
        ledger: Ledger,
        journal: Journal,
        hooks: Hooks,
        snapshot: Snapshot,
        run_id: int,
    ) -> None:
        self._writer = writer
        self._sites = sites
        self._ledger = ledger
        self._journal = journal
        self._hooks = hooks
        self._snapshot = snapshot
        self._run_id = run_id
        self._move = DomainMove()
        self._before = Before()
        self._unchecked: tuple[Unchecked, ...] = ()
        self._ended: dict[int, tuple[WriteStep, ChangeOutcome]] = {}
        self._unseen: str | None = None
        self._made: dict[Key, int] = {}
        self._changes: Sequence[Change] = ()
        self._spoken_for: frozenset[str] = NO_NAMES

    def carry_out(self, steps: Sequence[WriteStep]) -> Report:
        """A 5xx, a lost answer or an NPM that is away ends the run: NPM itself is then broken,
        and each further write would do harm.
        """
        stopped: str | None = None
        fatal: NpmError | None = None
        self._changes = [step.change for step in steps]
        for index, step in enumerate(steps):
            if step.begins and self._hooks.stop():
                stopped = STOPPED
                break
            # A host may only let go of its names once others are seen to serve them.
            if index % BATCH == 0 or step.part is Part.FINISH or self._looks_bad():
                fatal = self._check_sites()
            if index % BATCH == 0 and fatal is None:
                batch = steps[index : index + BATCH]
                names = served_before(batch, self._move, self._snapshot)
                self._before = self._sites.before(names)
            if fatal is None:
                number = f"[{index + 1}/{len(steps)}]"
                self._hooks.progress(f"{number} {step.change.action} {step.change.name}")
                fatal = self._carry_out(step)
            if fatal is not None:
                break
        fatal = self._check_sites() or fatal
        self._ledger.prove(self._sites.proven_addresses)
        outcomes = tuple(outcome for _, (_, outcome) in sorted(self._ended.items()))
        return Report(outcomes, fatal.message if fatal else stopped, fatal, self._unseen)

    def _carry_out(self, step: WriteStep) -> NpmError | None:
        """Carries out a step; returns what ends the run."""
        step = replace(step, change=_with_ids(step.change, self._made))
        self._ledger.keep_unknown_texts(step.change)
        row = open_row(self._journal, self._run_id, step.change)
        last = self._ledger.last(step.change)
        if step.key in self._failed():
            return self._clean_up(step, row)
        outcome = attempt(step.change, lambda: self._write(step, last, row))
        if step.part is Part.DETACH and outcome.live is not None and outcome.error is None:
            self._move = self._move.detach(outcome.live)
            self._ledger.doubt(step.change, last, outcome.live)
            row.close("released")
            return None
        self._move = self._move.after(outcome)
        if outcome.error is None:
            self._spoken_for |= _names_before(step.change)
        if outcome.live is not None and outcome.error is None:
            self._made[step.key] = outcome.live.npm_id
        if outcome.error is not None:
            self._close(step, row, self._ledger.not_taken(outcome, last), outcome)
            return outcome.fatal
        is_told = outcome.live is not None and self._ledger.is_told(step.key)
        if self._sites.edge is not None and (outcome.promise.is_visible or is_told):
            self._unchecked += (Unchecked(step, row, outcome),)
        else:
            self._done(step, row, outcome)
        return None

    def _write(self, step: WriteStep, last: Applied | None, row: Row) -> WriteOutcome:
        if not KINDS[step.change.kind].is_uploaded or step.change.target is None:
            return self._writer.write(step, last, self._move, self._before, row)
        # Killed from here on, nobody could tell that nginx has not loaded it for these hosts.
        for change in users_among(self._changes, step.change):
            assert change.live is not None
            self._ledger.doubt(change, self._ledger.last(change), change.live)
        outcome = self._writer.write(step, last, self._move, self._before, row)
        self._writer.load_upload(outcome, self._changes)
        return outcome

    def _clean_up(self, step: WriteStep, row: Row) -> NpmError | None:
        """What is left to do for a change that has failed: its host gets its names back."""
        if step.part is not Part.FINISH:
            row.close("released")
            return None
        change, last = step.change, self._ledger.last(step.change)
        outcome = attempt(change, lambda: self._writer.restore_domains(change, self._move))
        self._move = self._move.after(outcome)
        if outcome.error is None:
            self._ledger.confirm(last, outcome.live)
        if isinstance(outcome.error, NpmUnconfirmedError):
            self._close(step, row, self._ledger.not_taken(outcome, last), outcome)
        else:  # where somebody else was faster, the next plan sees how it is
            row.close("released")
        return outcome.fatal

    def _close(
        self, step: WriteStep, row: Row, ended: ChangeOutcome, outcome: WriteOutcome
    ) -> None:
        """Notes how a step ended.

        The row stays open for recovery where the state does not know that it is in doubt.
        """
        if outcome.live is not None and step.change.live is None and outcome.fatal:
            row.created(outcome.live.npm_id, outcome.live.created_on)
        in_doubt = ended.result is ChangeResult.UNCONFIRMED and outcome.fatal is not None
        if not in_doubt or _is_recorded(outcome):
            row.close(str(ended.result), ended.message or step.change.reason)
        self._ended[row.id] = step, ended

    def _done(
        self, step: WriteStep, row: Row, outcome: WriteOutcome, trouble: Trouble | None = None
    ) -> None:
        """Ends a step that visitors are at least not worse off by; a TAKE has more to come."""
        if step.part is Part.TAKE:
            row.close("released")
            return
        ended = self._ledger.done(outcome)
        if trouble is not None:
            ended = replace(
                ended, result=ChangeResult.UNCONFIRMED, message=trouble.message, hint=NOT_SERVED
            )
        self._close(step, row, ended, outcome)

    def _failed(self) -> set[Key]:
        """The entries that no further step is to be written for."""
        return {step.key for step, o in self._ended.values() if o.result is ChangeResult.FAILED}

    def _looks_bad(self) -> bool:
        return self._sites.looks_bad([self._due(one).outcome.promise for one in self._unchecked])

    def _due(self, one: Unchecked) -> Unchecked:
        """What still is to be seen of it: a host that this run has written, too, has a promise of
        its own, and may have another name or list by now, or be off."""
        promise = one.outcome.promise
        if KINDS[one.step.change.kind].is_host or not promise.names & self._spoken_for:
            return one
        promise = replace(promise, names=promise.names - self._spoken_for)
        return replace(one, outcome=replace(one.outcome, promise=promise))

    def _check_sites(self) -> NpmError | None:
        """Waits until nginx serves what was written, and undoes what does worse than before."""
        unchecked, self._unchecked = [self._due(one) for one in self._unchecked], ()
        if not unchecked:
            return None
        self._hooks.progress(f"waiting for nginx to serve what is written: {len(unchecked)}")
        findings = self._sites.check([one.outcome.promise for one in unchecked])
        checked = [
            Checked(one.step, one.row, one.outcome, trouble)
            for one, trouble in zip(unchecked, findings.troubles, strict=True)
        ]
        self._unseen = self._unseen or findings.unseen
        self._ledger.sites_seen(findings, checked, self._sites.addresses(findings.proven))
        fatal: NpmError | None = None
        for one in checked:
            if one.to_undo is None:
                self._done(one.step, one.row, one.outcome, one.trouble)
            else:
                fatal = self._undo(one, one.to_undo) or fatal
        return fatal

    def _undo(self, one: Checked, trouble: Trouble) -> NpmError | None:
        """Undoes a change that visitors are worse off by.

        What cannot be put back now stays open in the journal, and is put back by the next run.
        """
        change, live = one.step.change, one.outcome.live
        assert live is not None
        self._move = self._move.without(live)
        try:
            error = self._writer.take_back(one.outcome, self._move, trouble.message)
        except NpmError as away:
            self._ended[one.row.id] = one.step, outcome_of(change, ChangeResult.UNCONFIRMED, away)
            return away
        undone = WriteOutcome(change, error.live, error)
        self._move = self._move.after(undone)
        self._close(one.step, one.row, self._ledger.not_taken(undone, one.outcome.last), undone)
        return None


def _names_before(change: Change) -> frozenset[str]:
    """The names by which a host answered before it was written."""
    kind, live = KINDS[change.kind], change.live
    return kind.served(live.fields).names if kind.is_host and live is not None else NO_NAMES


def _with_ids(change: Change, made: Mapping[Key, int]) -> Change:
    """The change with the ids of what was made for it in this run."""
    target, desired = change.target, change.desired
    return replace(
        change,
        target=None if target is None else resolved(target, made),
        desired=None if desired is None else resolved(desired, made),
    )


def open_row(journal: Journal, run_id: int, change: Change) -> Row:
    """Notes what is about to be done."""
    live = change.live
    return journal.open(
        run_id,
        key=change.key,
        old_name=old_name(change) or change.name,
        action=change.action,
        npm_id=change.npm_id,
        created_on=live.created_on if live else None,
        before=live.fields if live else None,
        after=change.target,
    )


def _is_recorded(outcome: WriteOutcome) -> bool:
    """Whether the state knows of a write in doubt, so that the next plan repeats it.

    It knows of no host that is gone but still served, of none that is new and was not seen, and of
    none that is given back: there is nothing that we want of it.
    """
    change = outcome.change
    seen = isinstance(outcome.error, NpmUnconfirmedError) and outcome.live is not None
    return change.desired is not None and (change.live is not None or seen)
