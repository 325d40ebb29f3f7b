"""Shows, and with --yes applies, the plan back to what managed hosts were before a run.

`proxysync history` lists the runs; without an ID it is the last one. A daemon then leaves NPM
alone until the file changes or `proxysync resume` is given.
"""

import argparse
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from proxysync.cli import context
from proxysync.cli.flags import add_lock_timeout

if TYPE_CHECKING:
    from proxysync.cli.context import Store
    from proxysync.config.environment import Environment
    from proxysync.config.models import Settings
    from proxysync.plan.model import Plan
    from proxysync.reconcile import Round

HELP = "go back to what managed hosts were before a run"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("id", metavar="ID", nargs="?", type=int, help="a run of `history`")
    parser.add_argument("-y", "--yes", action="store_true", help="apply it; else it is only shown")
    add_lock_timeout(parser)


def run(arguments: argparse.Namespace) -> int:
    from proxysync.apply.lock import write_lock
    from proxysync.cli import terminal
    from proxysync.reconcile import Reconciler
    from proxysync.store.database import make_folder

    env = context.environment(arguments)
    npm = context.client(env)
    npm.require_write()
    make_folder(env.state_dir)
    file = _read(env)
    with write_lock(env.state_dir, npm.url, timeout=arguments.lock_timeout, on_wait=terminal.note):
        store = context.open_store(env)
        store.events.mask(file.secrets)
        reconciler = Reconciler(npm, store.state, store.journal, store.events.emit)
        try:
            run_id = _chosen(store, arguments.id)
            if not arguments.yes:
                return _show(reconciler.plan_back(run_id, file.settings), file.secrets)
            done = reconciler.roll_back(run_id, file.settings, file.fingerprint)
        finally:
            store.database.close()
    return _tell(done, file.secrets)


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
        return _File(Settings(), fingerprint(env.file) or "", {})
    return _File(config.settings, config.fingerprint, config.secrets)


def _chosen(store: "Store", run_id: int | None) -> int:
    from proxysync.errors import ProxysyncError

    runs = [run.id for run in store.journal.runs(limit=1_000_000)]
    if not runs or (run_id is not None and run_id not in runs):
        raise ProxysyncError(
            f"there is no run {run_id}" if runs else "nothing was applied yet",
            hint="`proxysync history` lists what was applied.",
        )
    return runs[0] if run_id is None else run_id


def _show(plan: "Plan", secrets: Mapping[str, str]) -> int:
    from proxysync.cli.terminal import colours
    from proxysync.plan.render import to_text

    if plan.empty:
        print("Nothing to do: managed hosts are as they were before that run.")
        return 0
    print(to_text(plan, colour=colours(sys.stdout), mask=secrets))
    if plan.to_make and not plan.refused:
        print("Apply it with --yes.")
    return 1 if plan.refused else 0


def _tell(done: "Round", secrets: Mapping[str, str]) -> int:
    from proxysync.cli.outcome import print_round

    if not done.plan.to_make:
        return _show(done.plan, secrets)
    print_round(done, secrets)
    print("Managed hosts are " + ("" if done.ok else "not all ") + "as they were before that run.")
    print("A daemon leaves NPM alone until the file changes or `proxysync resume` is given.")
    return 0 if done.ok else 1
