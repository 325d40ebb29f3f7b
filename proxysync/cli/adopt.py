"""Takes over the foreign hosts that hold the domains of these entries.

From then on each is managed: NPM is made as the file says, now and later. A host that is so already
is not written, only remembered.
"""

import argparse
from collections.abc import Callable

from proxysync.app.adopt import AdoptResult, adopt, entries_to_adopt
from proxysync.cli import context, terminal
from proxysync.cli.file import load_file
from proxysync.cli.flags import add_format, add_lock_timeout
from proxysync.cli.npm import connect
from proxysync.cli.outcome import note_unseen, print_result
from proxysync.cli.writing import caller, confirm_in
from proxysync.model import Key, label_among


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("names", metavar="NAME", nargs="*", help="entries of the file")
    parser.add_argument(
        "--all",
        action="store_true",
        help="every entry that can be, of hosts that no other proxysync manages",
    )
    parser.add_argument("-y", "--yes", action="store_true", help="do not ask")
    add_lock_timeout(parser)
    add_format(parser)


def run(arguments: argparse.Namespace) -> int:
    env = context.environment(arguments)
    config = load_file(env)
    everything = arguments.all and not arguments.names
    keys = entries_to_adopt(config, arguments.names, everything=everything)
    person = caller(arguments, confirm_in(arguments.format))
    done = adopt(config, connect(env), env, keys, person, everything=everything)
    note_unseen(done.reconciled.report)
    if arguments.format == "json":
        terminal.print_json(done.to_json())
    else:
        print_result(done.reconciled)
        _print_count(done, label_among(resource.key for resource in config.resources))
    return 0 if done.ok else 1


def _print_count(done: AdoptResult, label: Callable[[Key], str]) -> None:
    if done.not_needed and not (done.taken or done.not_taken):
        names = ", ".join(map(label, done.not_needed))
        print(f"Nothing to adopt for {names}: no foreign host holds their domains.")
    elif not done.reconciled.plan.refused:
        number = len(done.not_taken)
        names = (
            f"; {number} could not be: {', '.join(map(label, done.not_taken))}" if number else ""
        )
        print(f"taken over: {len(done.taken)}{names}")
