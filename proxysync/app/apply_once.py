"""One reconcile on somebody's word: looked at before, agreed to, and not while a rollback holds."""

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field, replace

from proxysync.app import planning
from proxysync.app.hold import require_no_hold
from proxysync.app.plan import PlanResult
from proxysync.app.plan import result as plan_result
from proxysync.app.planning import OnProbe, Options, Planned, nobody_watches
from proxysync.app.reconcile import reconcile
from proxysync.app.result import ReconcileResult
from proxysync.app.rights import account_warnings
from proxysync.app.saved_plan import SavedPlan
from proxysync.app.state_folder import StateFolder, opened, read_folder
from proxysync.app.workspace import Workspace
from proxysync.apply.hooks import Hooks
from proxysync.apply.lock import write_lock
from proxysync.config.environment import Environment
from proxysync.config.load import fingerprint
from proxysync.config.models import Config
from proxysync.model.errors import ProxysyncError
from proxysync.npm.client import NpmClient
from proxysync.plan.model import Plan
from proxysync.store.database import make_folder


@dataclass(frozen=True)
class Caller:
    """How a use case that writes asks and tells whoever wants it.

    `confirm` is shown the plan before, and says whether to carry it out, or raises; None asks
    nobody, and `show` gets the plan that the run begins with. With `saved`, that plan was agreed to
    before. `lock_timeout` is in seconds, for another
    proxysync may be writing. The rest tells how it goes on.
    """

    confirm: Callable[[PlanResult], bool] | None = None
    show: Callable[[PlanResult], object] = lambda _found: None
    saved: SavedPlan | None = None
    lock_timeout: float = 60.0
    hooks: Hooks = field(default_factory=Hooks)
    on_probe: OnProbe = nobody_watches


def apply_once(
    config: Config,
    npm: NpmClient,
    env: Environment,
    options: Options = Options(),  # noqa: B008
    caller: Caller = Caller(),
) -> ReconcileResult:
    """Plans, validates, applies and verifies.

    What the caller has agreed to is carried out, or nothing. Raises ProxysyncError.
    """
    if caller.saved is not None:
        caller.saved.require_file(config, npm.url)
    _require_ready(config, npm, env, caller)
    agreed: Plan | None = None
    if caller.confirm is not None:
        shown = _look(config, npm, env, options)
        agreed = shown.plan
        if not caller.confirm(shown):
            return ReconcileResult(agreed, secrets=config.secrets, only_shown=True)
    with (
        write_lock(env.state_dir, npm.url, timeout=caller.lock_timeout, on_wait=caller.hooks.note),
        opened(env.state_dir) as folder,
    ):
        folder.events.mask(config.secrets)
        _require_same_file(config, env)
        require_no_hold(folder.state.hold_against(config.fingerprint))
        if agreed is not None or caller.saved is not None:
            now = planning.read(config, options, npm.snapshot(), folder.state)
            _require_agreed(planning.plan_from(now), agreed, caller.saved)
        work = workspace(npm, folder, caller)
        if agreed is None:
            work = replace(work, on_plan=caller.show)
        return reconcile(work, config, options)


def workspace(npm: NpmClient, folder: StateFolder, caller: Caller) -> Workspace:
    """What a run in this state folder works with."""
    return Workspace(
        npm, folder.state, folder.journal, folder.events.emit, caller.hooks, caller.on_probe
    )


def _require_same_file(config: Config, env: Environment) -> None:
    """Raises ProxysyncError if the file was changed while another writer was waited for."""
    if config.files and fingerprint(env.file) != config.fingerprint:
        raise ProxysyncError(
            f"{env.file_name} was changed since it was read, so nothing was written",
            hint="Run it again: what stands in it now is applied then.",
        )


def _require_agreed(planned: Planned, agreed: Plan | None, saved: SavedPlan | None) -> None:
    """Raises ProxysyncError if a person has agreed to another plan than this one."""
    if agreed is not None:
        require_same(planned.plan, agreed)
    if saved is not None:
        saved.require_same(planned)


def require_same(plan: Plan, agreed: Plan) -> None:
    """Raises ProxysyncError if the plan is no longer the one that a person agreed to."""
    if (plan.changes, plan.refused) != (agreed.changes, agreed.refused):
        raise ProxysyncError(
            "NPM has changed since the plan was shown, so nothing was written",
            hint="Run it again and look at the new plan.",
        )


def _require_ready(config: Config, npm: NpmClient, env: Environment, caller: Caller) -> None:
    """Raises ProxysyncError if nothing can or may be written."""
    npm.require_write()
    make_folder(env.state_dir)
    with closing(read_folder(env.state_dir)) as stored:
        for warning in account_warnings(npm, config, stored.state):
            caller.hooks.note(f"Warning: {warning}")
        for text in stored.warnings:
            caller.hooks.note(text)
        held = stored.state.hold() if stored.state else None
    require_no_hold(held if held and held.covers(config.fingerprint) else None)


def _look(config: Config, npm: NpmClient, env: Environment, options: Options) -> PlanResult:
    """The plan that would be carried out now."""
    snapshot = npm.snapshot()
    with closing(read_folder(env.state_dir)) as stored:
        read = planning.read(config, options, snapshot, stored.state)
    return plan_result(planning.plan_from(read))
