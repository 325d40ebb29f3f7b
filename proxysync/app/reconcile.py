"""The way from a loaded file to an NPM in sync with it: read, plan, probe, plan again, apply."""

from proxysync.app import planning
from proxysync.app.blocking import remember_blocked
from proxysync.app.contest import Contest
from proxysync.app.executor import Executor
from proxysync.app.first_health import remember_first_health
from proxysync.app.plan import result as plan_result
from proxysync.app.planning import Options
from proxysync.app.result import ReconcileResult
from proxysync.app.workspace import Workspace
from proxysync.apply.report import STOPPED, Report
from proxysync.config.models import Config
from proxysync.model import Snapshot, clock
from proxysync.plan.model import Plan


def reconcile(
    work: Workspace,
    config: Config,
    options: Options = Options(),  # noqa: B008
    *,
    respect_backoff: bool = False,
) -> ReconcileResult:
    """Brings NPM in sync with a file, once; the caller holds the write lock.

    With `respect_backoff`, an entry whose next try is not due yet stays blocked. Raises NpmError
    if NPM cannot be read.
    """
    executor = Executor(work, config.settings, options.trigger, config.fingerprint, config.commit)
    recovered = executor.recover()
    planned = planning.plan_from(planning.read(config, options, recovered.snapshot, work.state))
    if work.on_plan is not None:
        work.on_plan(plan_result(planned))
    if planned.plan.refused:
        return ReconcileResult(planned.plan, secrets=config.secrets)
    due_by = clock.now() if respect_backoff else None
    probed = planning.probe(planned, due_by=due_by, on_probe=work.on_probe, stop=work.hooks.stop)
    if work.hooks.stop():
        # Probes that were cut short say nothing about their upstreams.
        return ReconcileResult(planned.plan, report=Report(stopped=STOPPED), secrets=config.secrets)
    planned = planning.replan(probed)
    remember_blocked(work.state, work.emit, probed, planned.plan)

    def replan(now: Snapshot) -> Plan:
        read = planning.read(config, options, now, work.state)
        return planning.plan_from(read, probed.blocked).plan

    executed = executor.execute(planned.plan, recovered.snapshot, replan)
    remember_first_health(work.state.health, config, probed.verdicts, executed.report)
    contest = Contest(work.npm, work.state, work.emit)
    plan = contest.follow(executed.plan, executed.report, config.fingerprint)
    recovered.raise_unless_told(executed.report)
    return ReconcileResult(plan, probed.verdicts, executed.report, config.secrets)
