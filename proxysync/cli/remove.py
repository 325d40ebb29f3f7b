"""Takes an entry out of the file, with the comments right above it.

NPM is brought in sync by the daemon, or by `proxysync apply`; to keep the host in NPM as it is,
give it back first with `proxysync release`.
"""

import argparse

from proxysync.cli.editing import add_edit_flags, editor, tell


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME")
    add_edit_flags(parser)


def run(arguments: argparse.Namespace) -> int:
    return tell(editor(arguments).remove(arguments.name), arguments.format)
