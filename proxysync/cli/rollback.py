"""Shows, and with --yes applies, the plan back to what managed hosts were before a run.

`proxysync history` lists the runs; without an ID it is the last one. A daemon then leaves NPM
alone until the file changes or `proxysync resume` is given.
"""

import argparse
from typing import TYPE_CHECKING

from proxysync.cli.flags import add_lock_timeout

if TYPE_CHECKING:
    from proxysync.cli.context import Store
    from proxysync.config.environment import Environment
    from proxysync.config.models import Settings
    from proxysync.model import Snapshot
    from proxysync.npm.client import NpmClient
    from proxysync.plan.model import Plan

HELP = "go back to what managed hosts were before a run"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("id", metavar="ID", nargs="?", type=int, help="a run of `history`")
    parser.add_argument("-y", "--yes", action="store_true", help="apply it; else it is only shown")
    add_lock_timeout(parser)


def run(arguments: argparse.Namespace) -> int:
    from proxysync.apply.lock import write_lock
    from proxysync.cli import context, terminal
    from proxysync.store.database import make_folder

    env = context.environment(arguments)
    npm = context.client(env)
    npm.require_write()
    make_folder(env.state_dir)
    settings, fingerprint = _file(env)
    with write_lock(env.state_dir, timeout=arguments.lock_timeout, on_wait=terminal.note):
        store = context.open_store(env)
        try:
            run_id = _chosen(store, arguments.id)
            plan = _plan(store, npm.snapshot(), run_id, settings.instance)
            if not arguments.yes or plan.refused or not plan.to_make:
                hint = "" if plan.refused or not plan.to_make else "\nApply it with --yes."
                print(_text(plan) + hint)
                return 1 if plan.refused else 0
            return _apply(store, npm, settings, plan, run_id, fingerprint)
        finally:
            store.database.close()


def _file(env: "Environment") -> "tuple[Settings, str]":
    """The settings and the fingerprint of the file, which may be the very thing that is broken."""
    from proxysync.config.load import ConfigError, fingerprint, load
    from proxysync.config.models import Settings

    try:
        config = load(env.file)
    except ConfigError:
        return Settings(), fingerprint(env.file) or ""
    return config.settings, config.fingerprint


def _chosen(store: "Store", run_id: int | None) -> int:
    from proxysync.errors import ProxysyncError

    runs = [run.id for run in store.journal.runs(limit=1_000_000)]
    if not runs or (run_id is not None and run_id not in runs):
        raise ProxysyncError(
            f"there is no run {run_id}" if runs else "nothing was applied yet",
            hint="`proxysync history` lists what was applied.",
        )
    return runs[0] if run_id is None else run_id


def _plan(store: "Store", snapshot: "Snapshot", run_id: int, instance: str) -> "Plan":
    from proxysync.rollback import plan_back

    entries = store.journal.entries(since=run_id)
    return plan_back(entries, store.state.applied(), snapshot, instance)


def _text(plan: "Plan") -> str:
    import sys

    from proxysync.cli.terminal import colours
    from proxysync.plan.render import to_text

    return to_text(plan, colour=colours(sys.stdout))


def _apply(
    store: "Store",
    npm: "NpmClient",
    settings: "Settings",
    plan: "Plan",
    run_id: int,
    fingerprint: str,
) -> int:
    from proxysync.apply.engine import Engine
    from proxysync.apply.visit import Visitor
    from proxysync.apply.write import Writer

    # Held before the first write: a daemon must not put the file back in between.
    store.state.set_hold(fingerprint, run_id)
    visitor = Visitor(settings.verify.url if settings.verify else None)
    engine = Engine(
        Writer(npm, settings.instance, visitor), store.state, store.journal, store.events.emit
    )
    engine.rehearse(plan)
    report = engine.run(plan, why=f"rollback to before {run_id}", fingerprint=fingerprint)
    for outcome in report.outcomes:
        tail = f": {outcome.message}" if outcome.message else ""
        print(f"{outcome.result:<11} {outcome.action} {outcome.name}{tail}")
    if report.stopped:
        print(f"stopped: {report.stopped}")
    print("A daemon leaves NPM alone until the file changes or `proxysync resume` is given.")
    return 0 if report.ok else 1
