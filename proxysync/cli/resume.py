"""Ends a pause, and the hold after a rollback: a daemon brings NPM in sync with the file again.

Also what somebody else has changed again and again, and was left alone for that, is put right.
"""

import argparse

from proxysync.app.resume import resume
from proxysync.cli import context, terminal
from proxysync.cli.flags import add_format


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_format(parser)


def run(arguments: argparse.Namespace) -> int:
    done = resume(context.environment(arguments).state_dir)
    if arguments.format == "json":
        terminal.print_json(done.to_json())
        return 0
    if done.another_writer:
        print("What was left to somebody else, who changed it again and again, is put right again.")
    if done.paused:
        print("The pause is over.")
    print("Resumed." if done.held or done.paused else "Nothing was on hold.")
    return 0
