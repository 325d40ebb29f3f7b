"""Plans, validates, applies and verifies, once.

Exits with 0 if NPM is then in sync with the file, with 1 otherwise.
"""

import argparse
from dataclasses import replace
from pathlib import Path

from proxysync.app.apply_once import apply_once
from proxysync.app.planning import Options
from proxysync.app.saved_plan import SavedPlan
from proxysync.cli import context, terminal
from proxysync.cli.file import load_file, problems_told
from proxysync.cli.flags import add_format, add_lock_timeout, add_max_delete, max_delete
from proxysync.cli.npm import connect
from proxysync.cli.outcome import conclusion, note_unseen, print_result, print_totals
from proxysync.cli.writing import caller, confirm_in
from proxysync.model.errors import ProxysyncError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-y", "--yes", action="store_true", help="do not ask")
    parser.add_argument(
        "--plan",
        metavar="FILE",
        type=Path,
        help="apply just the plan that `proxysync plan --out FILE` saved, without a question",
    )
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
    env = context.environment(arguments)
    options = Options(
        max_delete=max_delete(arguments),
        recreate=arguments.recreate,
        delete_orphans=arguments.delete_orphans,
    )
    saved = _saved(arguments)
    with problems_told(arguments.format):
        config = load_file(env)
    confirm = confirm_in(arguments.format) if saved is None else None
    person = replace(caller(arguments, confirm), saved=saved)
    done = apply_once(config, connect(env), env, options, person)
    note_unseen(done.report)
    if arguments.format == "json":
        terminal.print_json(done.to_json())
    else:
        print_result(done)
        print(conclusion(done))
        print_totals(done)
    return 0 if done.ok else 1


def _saved(arguments: argparse.Namespace) -> SavedPlan | None:
    """The plan that was named. Raises ProxysyncError."""
    if arguments.plan is None:
        return None
    if arguments.recreate or arguments.delete_orphans:
        raise ProxysyncError(
            "--plan was given with --recreate or --delete-orphans, which make another plan",
            hint="Apply those without --plan.",
        )
    return SavedPlan.load(arguments.plan)
