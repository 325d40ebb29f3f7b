"""Goes back to what managed hosts were before a run, after showing the plan and asking.

It plans from the state and the history, not from the file. `proxysync history` lists the runs;
without an ID it is the last one. NPM then stays so until the content of the file changes or
`proxysync resume` is given.
"""

import argparse
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from proxysync.app.access import connect
from proxysync.app.state_folder import earlier_secrets, open_folder
from proxysync.cli import context
from proxysync.cli.apply import ask, require_same
from proxysync.cli.flags import add_lock_timeout, add_max_delete, max_delete

if TYPE_CHECKING:
    from proxysync.app.reconcile import Round
    from proxysync.app.state_folder import StateFolder as Store
    from proxysync.config.environment import Environment
    from proxysync.config.models import Settings
    from proxysync.plan.model import Plan


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("id", metavar="ID", nargs="?", type=int, help="a run of `history`")
    parser.add_argument("-y", "--yes", action="store_true", help="do not ask")
    add_max_delete(parser)
    add_lock_timeout(parser)


def run(arguments: argparse.Namespace) -> int:
    from proxysync.app.reconcile import Options, Reconciler
    from proxysync.apply.lock import write_lock
    from proxysync.cli import interrupt, terminal
    from proxysync.store.database import make_folder

    env = context.environment(arguments)
    options = Options(max_delete=max_delete(arguments))
    npm = connect(env)
    npm.require_write()
    make_folder(env.state_dir)
    file = _read(env)
    store = open_folder(env.state_dir)
    try:
        store.events.mask(file.secrets)
        reconciler = Reconciler(
            npm, store.state, store.journal, store.events.emit, interrupt.hooks()
        )
        run_id = _chosen(store, arguments.id)
        shown = None
        if not arguments.yes:
            shown = reconciler.plan_back(run_id, file.settings, options)
            code = _show(shown, file.secrets)
            if not shown.to_make or not _agreed(shown):
                return code
        with write_lock(
            env.state_dir, npm.url, timeout=arguments.lock_timeout, on_wait=terminal.note
        ):
            if shown is not None:
                require_same(reconciler.plan_back(run_id, file.settings, options), shown)
            done = reconciler.roll_back(run_id, file.settings, file.fingerprint, options)
    finally:
        store.database.close()
    return _tell(done, file.secrets)


def _agreed(plan: "Plan") -> bool:
    """What a person says; where there is none it was only to be shown. Raises ProxysyncError."""
    if not sys.stdin.isatty():
        print("Apply it with --yes.")
        return False
    ask(plan)
    return True


@dataclass(frozen=True)
class _File:
    """What matters of the file, which may be the very thing that is broken."""

    settings: "Settings"
    fingerprint: str
    secrets: Mapping[str, str]


def _read(env: "Environment") -> _File:
    from proxysync.config.load import ConfigError, fingerprint
    from proxysync.config.models import Settings

    try:
        config = context.config(env)
    except ConfigError:
        return _File(Settings(), fingerprint(env.file) or "", earlier_secrets(env.state_dir))
    return _File(config.settings, config.fingerprint, config.secrets)


def _chosen(store: "Store", run_id: int | None) -> int:
    """The run that was named; else the one whose rollback was cut off, else the last."""
    from proxysync.app.rollback import why_back
    from proxysync.model.errors import ProxysyncError

    runs = store.journal.runs(limit=1_000_000)
    if not runs or (run_id is not None and run_id not in {run.id for run in runs}):
        raise ProxysyncError(
            f"there is no run {run_id}" if runs else "nothing was applied yet",
            hint="`proxysync history` lists what was applied.",
        )
    if run_id is not None:
        return run_id
    hold, last = store.state.hold(), runs[0]
    if hold is None or (last.why, last.outcome) == (why_back(hold.run_id), "done"):
        return last.id
    return hold.run_id


def _show(plan: "Plan", secrets: Mapping[str, str]) -> int:
    from proxysync.cli.terminal import colours
    from proxysync.plan.render import to_text

    if plan.empty:
        print("Nothing to do: managed hosts are as they were before that run.")
        return 0
    print(to_text(plan, colour=colours(sys.stdout), mask=secrets))
    return 1 if plan.refused else 0


def _tell(done: "Round", secrets: Mapping[str, str]) -> int:
    from proxysync.cli.outcome import note_unseen, print_round

    note_unseen(done.report)
    if not done.plan.to_make:
        return _show(done.plan, secrets)
    print_round(done, secrets)
    print("Managed hosts are " + ("" if done.ok else "not all ") + "as they were before that run.")
    print("They stay so until the content of the file changes or `proxysync resume` is given.")
    return 0 if done.ok else 1
