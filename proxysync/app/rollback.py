"""The way back to what managed hosts were before a run, from the state and the journal."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from proxysync.app.access import load_config
from proxysync.app.apply_once import Caller, require_same, workspace
from proxysync.app.executor import Executor, Recovered
from proxysync.app.plan import PlanResult
from proxysync.app.planning import Options, final_failures
from proxysync.app.remembered import remember
from proxysync.app.result import ReconcileResult
from proxysync.app.rights import rights_warning
from proxysync.app.state_folder import StateFolder, earlier_secrets, opened
from proxysync.app.way_back import ours_after, plan_back, rollback_trigger
from proxysync.app.workspace import Workspace
from proxysync.apply.lock import write_lock
from proxysync.config.environment import Environment
from proxysync.config.load import ConfigError, fingerprint
from proxysync.config.models import Settings
from proxysync.git.errors import GitError
from proxysync.model import Snapshot
from proxysync.model.errors import ProxysyncError
from proxysync.npm.client import NpmClient
from proxysync.plan.model import Plan
from proxysync.plan.policy import Policy
from proxysync.store.database import make_folder
from proxysync.store.state import Hold
from proxysync.values.limits import DeleteLimit

MOST_RUNS = 1_000_000


@dataclass(frozen=True)
class FileAtRollback:
    """What matters of the file, which may be the very thing that is broken.

    `fingerprint` is empty where there is nothing to be read.
    """

    settings: Settings
    fingerprint: str
    secrets: Mapping[str, str] = field(repr=False)


@dataclass(frozen=True)
class WayBack:
    """All that a plan back to before a run is made from, but for NPM."""

    work: Workspace
    run_id: int
    settings: Settings
    options: Options

    def plan(self, snapshot: Snapshot) -> Plan:
        remembered, journal = remember(self.work.state, ""), self.work.journal
        snapshot = remembered.seen(snapshot)
        policy = Policy(
            instance=self.settings.instance,
            state=remembered.state_id,
            drift="report" if self.options.keep_drift else "fix",
            max_delete=self.settings.max_delete,
            max_delete_override=self.options.max_delete,
            back_to=self.run_id,
            unknown_texts=remembered.unknown_texts,
            secret_key=remembered.secret_key,
        )
        return plan_back(
            self.run_id,
            journal.entries(since=self.run_id),
            remembered.applied,
            snapshot,
            policy,
            final_failures(remembered, snapshot),
            ours_after(journal.entries(since=0, until=self.run_id - 1)),
        )

    def recover(self) -> Recovered:
        return self._executor.recover()

    def go(self, plan: Plan, snapshot: Snapshot) -> ReconcileResult:
        """Carries out a plan that was made from this snapshot."""
        executed = self._executor.execute(plan, snapshot, self.plan)
        return ReconcileResult(executed.plan, report=executed.report)

    @property
    def _executor(self) -> Executor:
        trigger, fingerprint = rollback_trigger(self.run_id), self.work.journal.fingerprint
        return Executor(self.work, self.settings, trigger, fingerprint)


def read_file(env: Environment, environ: Mapping[str, str]) -> FileAtRollback:
    """The file as it is; where it is no good, the settings that hold without one."""
    try:
        config = load_config(env, environ)
    except (ConfigError, GitError):
        secrets = earlier_secrets(env.state_dir)
        return FileAtRollback(Settings(), fingerprint(env.file) or "", secrets)
    return FileAtRollback(config.settings, config.fingerprint, config.secrets)


def roll_back_once(
    file: FileAtRollback,
    npm: NpmClient,
    env: Environment,
    run_id: int | None = None,
    options: Options = Options(),  # noqa: B008
    caller: Caller = Caller(),  # noqa: B008
) -> ReconcileResult:
    """Goes back to before this run, or the last one, and holds.

    What the caller has agreed to is carried out, or nothing. Raises ProxysyncError.
    """
    npm.require_write()
    make_folder(env.state_dir)
    with opened(env.state_dir) as folder:
        folder.events.mask(file.secrets)
        if warning := rights_warning(npm.denied(), None, folder.state):
            caller.hooks.note(f"Warning: {warning}")
        work = workspace(npm, folder, caller)
        way = way_back(work, _chosen(folder, run_id), file.settings, options)
        agreed: Plan | None = None
        if caller.confirm is not None:
            agreed = way.plan(npm.snapshot())
            go_on = caller.confirm(PlanResult(agreed, file.secrets, {}))
            if not agreed.to_make or not go_on:
                return ReconcileResult(agreed, secrets=file.secrets, only_shown=True)
        with write_lock(
            env.state_dir, npm.url, timeout=caller.lock_timeout, on_wait=caller.hooks.note
        ):
            if agreed is not None:
                require_same(way.plan(npm.snapshot()), agreed)
            else:
                way = replace(way, work=replace(work, on_plan=caller.show))
            return replace(roll_back(way, file.fingerprint), secrets=file.secrets)


def way_back(work: Workspace, run_id: int, settings: Settings, options: Options) -> WayBack:
    """The way back to before a run: whose hosts they are does not depend on the file."""
    instance = work.journal.instance
    return WayBack(work, run_id, settings.model_copy(update={"instance": instance}), options)


def roll_back(way: WayBack, fingerprint: str) -> ReconcileResult:
    """Goes back, and holds: nobody applies the file as long as its content is the same.

    `fingerprint` is the file's as it is now, good or bad; empty where there is none. The caller
    holds the write lock. Raises NpmError.
    """
    snapshot = way.recover().snapshot
    plan = way.plan(snapshot)
    if way.work.on_plan is not None:
        way.work.on_plan(PlanResult(plan, {}, {}))
    if plan.refused or not plan.to_make:
        return ReconcileResult(plan)
    # Held before the first write: a daemon must not put the file back in between.
    allowed = str(way.options.max_delete) if way.options.max_delete else None
    way.work.state.set_hold({fingerprint, way.work.journal.fingerprint}, way.run_id, allowed)
    return way.go(plan, snapshot)


def continue_rollback(work: Workspace, hold: Hold, settings: Settings) -> ReconcileResult:
    """Finishes a rollback that was cut off; what was changed in NPM since then stays.

    The caller holds the write lock. Raises NpmError.
    """
    limit = DeleteLimit.parse(hold.max_delete) if hold.max_delete else None
    options = Options(max_delete=limit, keep_drift=True)
    way = way_back(work, hold.run_id, settings, options)
    recovered = way.recover()
    done = way.go(way.plan(recovered.snapshot), recovered.snapshot)
    recovered.raise_unless_told(done.report)
    return done


def _chosen(folder: StateFolder, run_id: int | None) -> int:
    """The run that was named; else the one whose rollback was cut off, else the last."""
    runs = folder.journal.runs(limit=MOST_RUNS)
    if not runs or (run_id is not None and run_id not in {run.id for run in runs}):
        raise ProxysyncError(
            f"there is no run {run_id}" if runs else "nothing was applied yet",
            hint="`proxysync history` lists what was applied.",
        )
    if run_id is not None:
        return run_id
    hold, last = folder.state.hold(), runs[0]
    if hold is None or (last.trigger, last.outcome) == (rollback_trigger(hold.run_id), "done"):
        return last.id
    return hold.run_id
