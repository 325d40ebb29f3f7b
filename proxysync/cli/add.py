"""Adds an entry to the file: `add media domains=media.example.com upstream=http://10.0.0.5:8096`.

A redirection is `add redirection/old domains=… to=…`, and a list
`'domains=[a.x.com, b.x.com]'`. Nothing else in the file changes. It is checked, and its
upstream probed, before it is written.
"""

import argparse

from proxysync.app.edit import assignment
from proxysync.cli.editing import add_edit_flags, editor, tell
from proxysync.kinds import KINDS


def add_arguments(parser: argparse.ArgumentParser) -> None:
    kinds = sorted(KINDS)
    parser.add_argument("name", metavar="NAME", help="its name, or KIND/NAME")
    parser.add_argument("values", metavar="KEY=VALUE", nargs="*", help="as health.path=/x")
    essential = next(kind.name for kind in KINDS.values() if kind.is_essential)
    parser.add_argument(
        "--kind",
        choices=kinds,
        default=essential,
        help=f"what it is, where NAME does not say so (default: {essential})",
    )
    add_edit_flags(parser)


def run(arguments: argparse.Namespace) -> int:
    values = [assignment(text) for text in arguments.values]
    before, slash, rest = arguments.name.partition("/")
    kind, name = (before, rest) if slash and before in KINDS else (arguments.kind, arguments.name)
    done = editor(arguments).add(kind, name, values)
    return tell(done, arguments.format)
