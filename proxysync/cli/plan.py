"""Shows what would change in NPM to bring it in sync with the file. Touches nothing.

Exits with 0, or with --detailed-exitcode: 0 no changes, 2 some, 1 an error.
"""

import argparse
import sys
from contextlib import closing

from proxysync.app.plan import PlanResult, plan
from proxysync.app.state_folder import read_folder
from proxysync.cli import context, terminal
from proxysync.cli.file import load_file
from proxysync.cli.flags import add_format
from proxysync.cli.npm import connect


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--probe", action="store_true", help="validate the upstreams, too")
    parser.add_argument(
        "--detailed-exitcode",
        action="store_true",
        help="exit with 2 if there are changes",
    )
    add_format(parser, "markdown")


def run(arguments: argparse.Namespace) -> int:
    env = context.environment(arguments)
    config = load_file(env)
    progress = terminal.progress("probing")
    with closing(read_folder(env.state_dir)) as stored:
        found = plan(config, connect(env), stored, probe=arguments.probe, on_probe=progress)
    show(found, arguments.format)
    terminal.print_notes(found.notes)
    if found.plan.refused:
        return 1
    return 2 if arguments.detailed_exitcode and not found.plan.empty else 0


def show(found: PlanResult, style: str) -> None:
    """Prints a plan in one of its styles."""
    if style == "json":
        terminal.print_json(found.to_json())
    elif style == "markdown":
        print(found.to_markdown())
    else:
        print(found.to_text(colour=terminal.colours(sys.stdout)))
