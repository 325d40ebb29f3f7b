"""What is done with any plan: first what an earlier run left open, then the rehearsal, then it."""

from collections.abc import Callable
from dataclasses import dataclass

from proxysync.app.recovery_plan import recovery_plan
from proxysync.app.workspace import Workspace
from proxysync.apply import under_way
from proxysync.apply.domain_move import HostId
from proxysync.apply.engine import Engine
from proxysync.apply.host_writer import HostWriter
from proxysync.apply.recovery import Recovery
from proxysync.apply.report import Report
from proxysync.apply.site_check import SiteCheck
from proxysync.config.models import Settings
from proxysync.model import Snapshot
from proxysync.npm.errors import NpmError, NpmUnconfirmedError
from proxysync.plan.model import Plan
from proxysync.probe.edge import Edge

Replan = Callable[[Snapshot], Plan]
"""Makes the plan anew for another reading of NPM."""


@dataclass(frozen=True)
class Recovered:
    """NPM once nothing is open that an earlier run began; `error` is why something still is."""

    snapshot: Snapshot
    error: NpmError | None

    def raise_unless_told(self, report: Report) -> None:
        """Raises the error, unless the run that followed ended with one of its own."""
        if self.error is not None and report.error is None:
            raise self.error


@dataclass(frozen=True)
class Executed:
    """The plan that was carried out in the end, and what became of it."""

    plan: Plan
    report: Report


@dataclass(frozen=True)
class Executor:
    """Carries out one plan in one NPM, whatever it is made from; the caller holds the write lock.

    `trigger`, and `fingerprint` and `commit` of the file, stand in the history.
    """

    workspace: Workspace
    settings: Settings
    trigger: str
    fingerprint: str
    commit: str | None = None

    def recover(self) -> Recovered:
        """Ends what an earlier run left open. Raises NpmError if NPM cannot be read."""
        work = self.workspace
        snapshot = under_way.wait(work.npm, work.journal.flights, work.hooks, work.npm.snapshot())
        recovery = Recovery(work.npm, work.state, work.journal, work.emit, self._site_check())
        result = recovery.run(snapshot, self.settings.instance)
        if result.npm_changed:
            snapshot = work.npm.snapshot()
        return Recovered(snapshot, result.error)

    def execute(self, plan: Plan, snapshot: Snapshot, replan: Replan) -> Executed:
        """Rehearses, and runs the plan, or a new one if something was refused.

        Raises NpmError if NPM is broken and nothing in the plan may put it right.
        """
        npm, engine = self.workspace.npm, self._engine()
        rehearsal = engine.rehearse(plan, snapshot)
        if rehearsal.error is not None:
            self._recover_nginx(plan, snapshot, rehearsal.error)
            snapshot = npm.snapshot()
            plan = replan(snapshot)
            rehearsal = rehearsal.then(engine.rehearse(plan, snapshot))
            if rehearsal.error is not None:
                raise rehearsal.error
        if not rehearsal.good:
            snapshot = npm.snapshot()
            plan = replan(snapshot)
        report = engine.run(
            plan,
            snapshot,
            trigger=self.trigger,
            fingerprint=self.fingerprint,
            commit=self.commit,
            refused=rehearsal.refused,
        )
        return Executed(plan, report)

    def _recover_nginx(self, plan: Plan, snapshot: Snapshot, error: NpmError) -> None:
        """Carries out first what may put a broken nginx right; raises where nothing is known to."""
        if error.code != NpmUnconfirmedError.code:
            raise error
        first = recovery_plan(plan, self.settings.validation.resolver)
        if not first.plan.to_make:
            raise error
        engine = self._engine(first.disable_first)
        report = engine.run(
            first.plan,
            snapshot,
            trigger="recovery",
            fingerprint=self.fingerprint,
            commit=self.commit,
        )
        if not report.ok:
            raise report.error or error

    def _engine(self, disable_first: frozenset[HostId] = frozenset()) -> Engine:
        work = self.workspace
        hosts = HostWriter(work.npm, self.settings.instance, work.state.id, disable_first)
        sites = self._site_check()
        return Engine(work.npm, hosts, sites, work.state, work.journal, work.emit, work.hooks)

    def _site_check(self) -> SiteCheck:
        address = self.settings.edge(self.workspace.npm.url)
        edge = Edge.at(address) if address else None
        proven = self.workspace.state.edges.proven()
        schemes = [s for s in ("http", "https") if edge and edge.address(s) in proven]
        return SiteCheck(edge, frozenset(schemes))
