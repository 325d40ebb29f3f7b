"""Shows what would change in NPM to bring it in sync with the file. Touches nothing.

Exits with 0, or with --detailed-exitcode: 0 no changes, 2 some, 1 an error. A change that
cannot be made now (blocked, failed, a conflict) counts, too. --kind and --tag choose what is
shown; the exit code and --out are about the whole plan.
"""

import argparse
import os
import sys
from contextlib import closing
from pathlib import Path

from proxysync.app.ahead import Ahead
from proxysync.app.plan import PlanResult, plan
from proxysync.app.state_folder import read_folder
from proxysync.cli import context, terminal
from proxysync.cli.file import load_file, problems_told
from proxysync.cli.filters import add_filters, filters
from proxysync.cli.flags import add_format
from proxysync.cli.github import annotated, print_annotations
from proxysync.cli.npm import connect
from proxysync.config.environment import Environment
from proxysync.model.errors import ProxysyncError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--probe", action="store_true", help="validate the upstreams, too")
    parser.add_argument(
        "--detailed-exitcode",
        action="store_true",
        help="exit with 2 if there are changes, those included that cannot be made now",
    )
    parser.add_argument(
        "--against",
        metavar="VERSION",
        help="compare with this file, folder or git revision, not with NPM: no network, password "
        "or variable is needed",
    )
    parser.add_argument(
        "--out", metavar="FILE", type=Path, help="save the plan for `proxysync apply --plan FILE`"
    )
    add_filters(parser)
    add_format(parser, "markdown", "github")


def run(arguments: argparse.Namespace) -> int:
    env = context.environment(arguments)
    with annotated(arguments.format), problems_told(arguments.format):
        found = _against(arguments, env) if arguments.against is not None else _plan(arguments, env)
        shown = found.only(filters(arguments))
    if arguments.format == "github":
        print_annotations(shown.to_annotations(env.file_name))
    show(shown, arguments.format)
    if arguments.out is not None and found.saved is not None:
        found.saved.save(arguments.out)
        terminal.note(f"Saved; `proxysync apply --plan {arguments.out}` applies just this plan.")
    terminal.print_notes(found.notes)
    if found.plan.refused:
        return 1
    return 2 if arguments.detailed_exitcode and not found.plan.empty else 0


def _plan(arguments: argparse.Namespace, env: Environment) -> PlanResult:
    progress = terminal.progress("probing")
    try:
        npm = connect(env)
    except ProxysyncError:
        load_file(env)  # what is wrong with the file is told first
        raise
    snapshot = Ahead(npm.snapshot)
    config = load_file(env)
    with closing(read_folder(env.state_dir)) as stored:
        return plan(
            config, npm, stored, snapshot.result(), probe=arguments.probe, on_probe=progress
        )


def _against(arguments: argparse.Namespace, env: Environment) -> PlanResult:
    if arguments.out is not None:
        raise ProxysyncError(
            "--out and --against were given, and a comparison of two files cannot be applied",
            hint="Leave out one of them; a plan to apply is made with NPM.",
        )
    if arguments.probe:
        raise ProxysyncError(
            "--probe and --against were given, and a comparison of two files asks no upstream",
            hint="Leave out one of them; `proxysync validate` probes what the file says.",
        )
    from proxysync.app.against import plan_against  # noqa: PLC0415 - git, for this alone

    found = plan_against(env.file, arguments.against, os.environ)
    terminal.hide(found.secrets)
    return found


def show(found: PlanResult, style: str) -> None:
    """Prints a plan in one of its styles."""
    if style == "json":
        terminal.print_json(found.to_json())
    elif style == "markdown":
        print(found.to_markdown())
    else:
        print(found.to_text(colour=terminal.colours(sys.stdout)))
