"""Goes back to what managed hosts were before a run, after showing the plan and asking.

It plans from the state and the history, not from the file. `proxysync history` lists the runs;
without an ID it is the last one. NPM then stays so until the content of the file changes or
`proxysync resume` is given.
"""

import argparse
import os
from collections.abc import Callable
from functools import partial

from proxysync.app.plan import PlanResult
from proxysync.app.planning import Options
from proxysync.app.result import ReconcileResult
from proxysync.app.rollback import read_file, roll_back_once
from proxysync.cli import context, terminal
from proxysync.cli.flags import (
    add_format,
    add_lock_timeout,
    add_max_delete,
    max_delete,
    whole_number,
)
from proxysync.cli.npm import connect
from proxysync.cli.outcome import note_unseen, print_result, print_totals
from proxysync.cli.plan import show
from proxysync.cli.writing import ask, caller, show_in


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("id", metavar="ID", nargs="?", type=whole_number, help="a run of `history`")
    parser.add_argument("-y", "--yes", action="store_true", help="do not ask")
    add_max_delete(parser)
    add_lock_timeout(parser)
    add_format(parser)


def run(arguments: argparse.Namespace) -> int:
    env = context.environment(arguments)
    options = Options(max_delete=max_delete(arguments))
    npm = connect(env)
    file = read_file(env, os.environ)
    terminal.hide(file.secrets)
    show_plan = _show if arguments.format == "text" else show_in(arguments.format)
    person = caller(arguments, partial(_confirm, show_plan), show_plan)
    done = roll_back_once(file, npm, env, arguments.id, options, person)
    if arguments.format == "json":
        note_unseen(done.report)
        terminal.print_json(done.to_json())
        return 0 if done.ok else 1
    if done.only_shown:
        return 1 if done.plan.refused else 0
    return _tell(done)


def _confirm(show_plan: Callable[[PlanResult], object], found: PlanResult) -> bool:
    """What a person says to the plan that is shown. Raises ProxysyncError."""
    show_plan(found)
    if not found.plan.to_make:
        return False
    ask(found)
    return True


def _show(found: PlanResult) -> None:
    if found.plan.empty:
        print("Nothing to do: managed hosts are as they were before that run.")
    else:
        show(found, "text")


def _tell(done: ReconcileResult) -> int:
    note_unseen(done.report)
    if not done.plan.to_make:
        return 0 if done.plan.empty else 1
    print_result(done)
    print("Managed hosts are " + ("" if done.ok else "not all ") + "as they were before that run.")
    print("They stay so until the content of the file changes or `proxysync resume` is given.")
    print_totals(done)
    return 0 if done.ok else 1
