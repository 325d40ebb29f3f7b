"""What is done with any plan: first what an earlier run left open, then the rehearsal, then it."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from proxysync.app.recovery_plan import recovery_plan
from proxysync.apply import under_way
from proxysync.apply.domain_move import HostId
from proxysync.apply.engine import Engine
from proxysync.apply.hooks import Hooks
from proxysync.apply.host_writer import HostWriter
from proxysync.apply.recovery import Recovery
from proxysync.apply.report import Report
from proxysync.apply.site_check import SiteCheck
from proxysync.model import Snapshot
from proxysync.model.event import Emit
from proxysync.npm.client import NpmClient
from proxysync.npm.errors import NpmError, NpmUnconfirmedError
from proxysync.plan.model import Plan
from proxysync.probe.edge import Edge
from proxysync.store.journal import Journal
from proxysync.store.state import State

if TYPE_CHECKING:
    from proxysync.config.models import Settings


class Runner:
    """Carries out plans in one NPM, whatever they are made from."""

    def __init__(
        self,
        npm: NpmClient,
        state: State,
        journal: Journal,
        emit: Emit,
        hooks: Hooks = Hooks(),  # noqa: B008
        on_probe: Callable[[int], Callable[[], object]] = lambda _total: lambda: None,
    ) -> None:
        self._npm = npm
        npm.recorder = journal.flights
        self._state = state
        self._journal = journal
        self._emit = emit
        self._hooks = hooks
        self._on_probe = on_probe

    def _recovered(self, settings: "Settings") -> tuple[Snapshot, NpmError | None]:
        """NPM as it is once nothing is left open that an earlier run began; or why it still is."""
        flights = self._journal.flights
        snapshot = under_way.wait(self._npm, flights, self._hooks, self._npm.snapshot())
        recovery = Recovery(
            self._npm, self._state, self._journal, self._emit, self._site_check(settings)
        )
        result = recovery.run(snapshot, settings.instance)
        if result.npm_changed:
            snapshot = self._npm.snapshot()
        return snapshot, result.error

    def _carry_out(
        self,
        plan: Plan,
        snapshot: Snapshot,
        replan: Callable[[Snapshot], Plan],
        settings: "Settings",
        why: str,
        fingerprint: str,
    ) -> tuple[Plan, Report]:
        """Rehearses, and runs the plan, or a new one if something was refused."""
        engine = self._engine(settings)
        rehearsal = engine.rehearse(plan, snapshot)
        if rehearsal.error is not None:
            self._recover_nginx(plan, snapshot, settings, rehearsal.error, fingerprint)
            snapshot = self._npm.snapshot()
            plan = replan(snapshot)
            rehearsal = rehearsal.then(engine.rehearse(plan, snapshot))
            if rehearsal.error is not None:
                raise rehearsal.error
        if not rehearsal.good:
            snapshot = self._npm.snapshot()
            plan = replan(snapshot)
        report = engine.run(
            plan, snapshot, why=why, fingerprint=fingerprint, refused=rehearsal.refused
        )
        return plan, report

    def _recover_nginx(
        self,
        plan: Plan,
        snapshot: Snapshot,
        settings: "Settings",
        error: NpmError,
        fingerprint: str,
    ) -> None:
        """Carries out first what may put a broken nginx right; raises where nothing is known to."""
        if error.code != NpmUnconfirmedError.code:
            raise error
        first = recovery_plan(plan, settings.validation.resolver)
        if not first.plan.to_make:
            raise error
        engine = self._engine(settings, first.disable_first)
        report = engine.run(first.plan, snapshot, why="recovery", fingerprint=fingerprint)
        if not report.ok:
            raise report.error or error

    def _engine(
        self, settings: "Settings", disable_first: frozenset[HostId] = frozenset()
    ) -> Engine:
        hosts = HostWriter(self._npm, settings.instance, self._state.id, disable_first)
        sites = self._site_check(settings)
        return Engine(self._npm, hosts, sites, self._state, self._journal, self._emit, self._hooks)

    def _site_check(self, settings: "Settings") -> SiteCheck:
        address = settings.edge(self._npm.url)
        edge = Edge.at(address) if address else None
        proven = self._state.edges.proven()
        schemes = [s for s in ("http", "https") if edge and edge.address(s) in proven]
        return SiteCheck(edge, frozenset(schemes))
