"""Gives hosts back: proxysync no longer manages them, and whoever uses NPM does.

Nothing of such a host is touched but our marker: it stays as it is, and is served all the while.
Give it back first and take its entry out of the file then: a managed host without one is deleted.
"""

import argparse
from collections.abc import Callable

from proxysync.app.release import ReleaseResult, release, to_release
from proxysync.cli import context, terminal
from proxysync.cli.file import load_file
from proxysync.cli.flags import add_format, add_lock_timeout
from proxysync.cli.npm import connect
from proxysync.cli.outcome import note_unseen, print_result
from proxysync.cli.writing import caller, confirm_in
from proxysync.kinds import KINDS
from proxysync.model import Key, label_among


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "names", metavar="NAME", nargs="+", help="entries, or managed hosts that have none any more"
    )
    parser.add_argument("-y", "--yes", action="store_true", help="do not ask")
    add_lock_timeout(parser)
    add_format(parser)


def run(arguments: argparse.Namespace) -> int:
    env = context.environment(arguments)
    config = load_file(env)
    npm = connect(env)
    asked = to_release(config, npm, env, arguments.names)
    done = release(config, npm, env, asked, caller(arguments, confirm_in(arguments.format)))
    note_unseen(done.reconciled.report)
    if arguments.format == "json":
        terminal.print_json(done.to_json())
    else:
        print_result(done.reconciled)
        _print_rest(done, label_among(resource.key for resource in config.resources))
    return 0 if done.ok else 1


def _print_rest(done: ReleaseResult, label: Callable[[Key], str]) -> None:
    """What there was nothing to do for, and what is left to do in the file."""
    if done.asked.nothing:
        names = ", ".join(map(label, done.asked.nothing))
        print(f"Nothing to release for {names}: NPM has no host of theirs that is managed.")
    entries = done.asked.entries
    if entries and done.ok:
        print("Now take out of the file, or each is a conflict in `proxysync plan`:")
        for entry in entries:
            print(f"  {KINDS[entry.kind].section}.{entry.name} ({entry.source})")
        names = " ".join(label(entry.key) for entry in entries)
        print(f"`proxysync adopt {names}` takes them back.")
