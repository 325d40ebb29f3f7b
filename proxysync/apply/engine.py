"""Carries out plans: what is risky is tried first, then each run stands in the history."""

from collections.abc import Sequence, Set

from proxysync.apply.hooks import Hooks
from proxysync.apply.host_writer import HostWriter
from proxysync.apply.ledger import Ledger
from proxysync.apply.order import in_order, names_in_use
from proxysync.apply.plan_run import PlanRun, open_row
from proxysync.apply.rehearsal import Rehearsal, rehearse
from proxysync.apply.report import ChangeOutcome, ChangeResult, Report
from proxysync.apply.site_check import SiteCheck
from proxysync.apply.step_writer import StepWriter
from proxysync.model import Snapshot
from proxysync.model.event import Emit
from proxysync.npm.client import NpmClient
from proxysync.plan.model import Change, Plan
from proxysync.store.journal import Journal
from proxysync.store.state import State


class Engine:
    """Runs plans against one NPM and keeps the state true to what was done."""

    def __init__(
        self,
        npm: NpmClient,
        hosts: HostWriter,
        sites: SiteCheck,
        state: State,
        journal: Journal,
        emit: Emit,
        hooks: Hooks = Hooks(),  # noqa: B008
    ) -> None:
        self._npm = npm
        self._hosts = hosts
        self._sites = sites
        self._state = state
        self._journal = journal
        self._emit = emit
        self._hooks = hooks

    def rehearse(self, plan: Plan, snapshot: Snapshot) -> Rehearsal:
        """Tries what is risky before anything is touched; see `rehearsal.rehearse`."""
        return rehearse(plan, self._npm, self._hosts, self._sites, self._ledger(snapshot))

    def run(
        self,
        plan: Plan,
        snapshot: Snapshot,
        *,
        trigger: str,
        fingerprint: str,
        commit: str | None = None,
        refused: Sequence[tuple[Change, ChangeOutcome]] = (),
    ) -> Report:
        """Carries out `plan.to_make`; the caller holds the write lock.

        The plan was made from the `snapshot`. `trigger`, and `fingerprint` and `commit` of the
        file, stand in the history, and so does what was `refused` in the rehearsal.
        """
        for applied in plan.records:
            self._state.record(applied)
            self._state.clear_failure(applied.key)
        self._state.forget(plan.forget)
        if not plan.to_make and not refused:
            return Report()
        run_id = self._journal.begin(trigger, fingerprint, self._hosts.instance, commit)
        for change, outcome in refused:
            row = open_row(self._journal, run_id, change)
            row.close(str(outcome.result), outcome.message)
        steps = in_order(plan.to_make, names_in_use(snapshot))
        with self._hooks.uninterrupted():
            report = self._plan_run(snapshot, run_id).carry_out(steps)
        results = {o.result for o in report.outcomes} | {outcome.result for _, outcome in refused}
        self._journal.end(run_id, report.stopped or _in_words(results))
        return report

    def _plan_run(self, snapshot: Snapshot, run_id: int) -> PlanRun:
        return PlanRun(
            StepWriter(self._npm, self._hosts, self._sites, snapshot),
            self._sites,
            self._ledger(snapshot),
            self._journal,
            self._hooks,
            snapshot,
            run_id,
        )

    def _ledger(self, snapshot: Snapshot) -> Ledger:
        return Ledger(self._state, self._emit, snapshot)


def _in_words(results: Set[ChangeResult]) -> str:
    """How a run ended that was not cut short."""
    if results <= {ChangeResult.DONE}:
        return "done"
    return "failed in part" if ChangeResult.DONE in results else "failed"
