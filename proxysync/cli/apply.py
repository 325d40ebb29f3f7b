"""Plans, validates, applies and verifies, once.

Exits with 0 if NPM is then in line with the file, with 1 otherwise.
"""

import argparse
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING

from proxysync.app.access import connect
from proxysync.app.state_folder import open_folder
from proxysync.cli.flags import add_format, add_lock_timeout, add_max_delete, max_delete
from proxysync.cli.reading import read_state

if TYPE_CHECKING:
    from proxysync.app.reconcile import Options, Round
    from proxysync.app.state_folder import StateFolder as Store
    from proxysync.config.environment import Environment
    from proxysync.config.models import Config
    from proxysync.model import Key
    from proxysync.npm.client import NpmClient
    from proxysync.plan.model import Plan
    from proxysync.store.state import Hold


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-y", "--yes", action="store_true", help="do not ask")
    add_max_delete(parser)
    parser.add_argument(
        "--recreate",
        action="store_true",
        help="make hosts again that are gone from NPM, however many they are",
    )
    parser.add_argument(
        "--delete-orphans",
        action="store_true",
        help="also delete hosts that carry our marker, but that the state knows nothing of",
    )
    add_lock_timeout(parser)
    add_format(parser)


def run(arguments: argparse.Namespace) -> int:
    from proxysync.app.reconcile import Options
    from proxysync.cli import context

    env = context.environment(arguments)
    options = Options(
        max_delete=max_delete(arguments),
        recreate=arguments.recreate,
        delete_orphans=arguments.delete_orphans,
    )
    return carry_out(arguments, env, context.config(env), options)


def carry_out(
    arguments: argparse.Namespace, env: "Environment", config: "Config", options: "Options"
) -> int:
    """Asks, reconciles once and prints what became of it; returns the exit code."""
    from proxysync.apply.lock import write_lock
    from proxysync.cli import terminal
    from proxysync.cli.outcome import conclusion, note_unseen, print_round
    from proxysync.store.database import make_folder

    npm = connect(env)
    npm.require_write()
    if visibility_warning := npm.visibility_warning():
        terminal.note(f"Warning: {visibility_warning}")
    make_folder(env.state_dir)
    state = read_state(env.state_dir)
    hold = state.hold() if state else None
    require_no_hold(hold if hold and hold.covers(config.fingerprint) else None)
    shown = None if arguments.yes else _ask(env, npm, config, options, arguments.format)
    with write_lock(env.state_dir, npm.url, timeout=arguments.lock_timeout, on_wait=terminal.note):
        store = open_folder(env.state_dir)
        try:
            store.events.mask(config.secrets)
            require_no_hold(store.state.hold_against(config.fingerprint))
            done = _reconcile(npm, store, config, options, shown)
        finally:
            store.database.close()
    note_unseen(done.report)
    if arguments.format == "json":
        terminal.print_json(_json(done, config.secrets))
    else:
        print_round(done, config.secrets)
        if options.adopting:
            _print_idle(done, options.adopting)
        else:
            print(conclusion(done))
    return 0 if done.ok else 1


def require_no_hold(hold: "Hold | None") -> None:
    """Raises ProxysyncError while NPM is to stay as it was rolled back to."""
    from proxysync.model.errors import ProxysyncError

    if hold is not None:
        raise ProxysyncError(
            f"NPM was rolled back to before run {hold.run_id} and stays so, so nothing was written",
            hint="`proxysync resume` lets it be brought in line with this file again; a change of "
            "the file's content does, too.",
        )


def _print_idle(done: "Round", keys: "frozenset[Key]") -> None:
    """Says of whom there was nothing to take over; of all of them in one line."""
    changed = {change.key for change in done.plan.changes}
    idle = ", ".join(str(key) for key in sorted(keys - changed))
    if idle and not done.plan.refused:
        print(f"Nothing to adopt for {idle}: no foreign host holds their domains.")


def _ask(
    env: "Environment", npm: "NpmClient", config: "Config", options: "Options", style: str
) -> "Plan":
    """Shows the plan and asks; returns it if it may be carried out, or if there is nothing to.

    Raises ProxysyncError if the answer is no, or nobody is there to ask.
    """
    from proxysync.app.reconcile import build_plan
    from proxysync.cli.plan import show

    snapshot = npm.snapshot()
    plan = build_plan(config, snapshot, read_state(env.state_dir), options)
    if style == "text":
        show(plan, config, snapshot, style)
    if plan.to_make:
        ask(plan)
    return plan


def ask(plan: "Plan") -> None:
    """Raises ProxysyncError unless a person agrees to the plan that was shown."""
    from proxysync.cli import terminal
    from proxysync.model.errors import ProxysyncError

    if not terminal.confirm(f"Make these {len(plan.to_make)} changes?"):
        raise ProxysyncError(
            "nothing was changed, for nobody agreed to it",
            hint="With --yes it is done without a question.",
        )


def require_same(plan: "Plan", shown: "Plan") -> None:
    """Raises ProxysyncError if the plan is no longer the one that a person agreed to."""
    from proxysync.model.errors import ProxysyncError

    if plan.changes != shown.changes:
        raise ProxysyncError(
            "NPM has changed since the plan was shown, so nothing was written",
            hint="Run it again and look at the new plan.",
        )


def _reconcile(
    npm: "NpmClient",
    store: "Store",
    config: "Config",
    options: "Options",
    shown: "Plan | None",
) -> "Round":
    from proxysync.app.reconcile import Reconciler
    from proxysync.cli import interrupt
    from proxysync.cli.terminal import progress

    reconciler = Reconciler(
        npm,
        store.state,
        store.journal,
        store.events.emit,
        interrupt.hooks(_progress),
        on_probe=progress("probing"),
    )
    if shown is not None:
        require_same(reconciler.plan(config, options), shown)
    return reconciler.reconcile(config, options)


def _progress(what: str) -> None:
    if sys.stderr.isatty():
        print(f"{what} …", file=sys.stderr)


def _json(done: "Round", secrets: Mapping[str, str]) -> dict[str, object]:
    from proxysync.app.reconcile import APPLIED_ANYWAY
    from proxysync.model.redact import redact
    from proxysync.plan import render

    value = {
        "ok": done.ok,
        "plan": render.to_json(done.plan, mask=secrets),
        "validation": [verdict.to_json() for verdict in done.verdicts],
        "outcomes": [
            {
                "name": outcome.name,
                "action": outcome.action,
                "npm_id": outcome.npm_id,
                "result": str(outcome.result),
                "message": outcome.message,
                "hint": outcome.hint,
            }
            for outcome in done.report.outcomes
        ],
        "stopped": done.report.stopped,
        "warnings": [
            {
                "name": verdict.name,
                "message": f"{APPLIED_ANYWAY}: {verdict.reason}",
                "hint": verdict.hint,
            }
            for verdict in done.warned
        ],
        "unseen": done.report.unseen,
    }
    masked: dict[str, object] = redact(value, secrets)
    return masked
