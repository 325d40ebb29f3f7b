"""Changes values of an entry in the file: `set media websockets=true health.path=/health`.

Nothing else in the file changes. It is checked, and its upstream probed, before it is written.
"""

import argparse

from proxysync.app.edit import assignment
from proxysync.cli.editing import add_edit_flags, editor, tell
from proxysync.model.errors import ProxysyncError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME")
    parser.add_argument("values", metavar="KEY=VALUE", nargs="*", help="as health.path=/x")
    parser.add_argument(
        "--unset", metavar="KEY", action="append", default=[], help="take it out of the entry"
    )
    add_edit_flags(parser)


def run(arguments: argparse.Namespace) -> int:
    if not arguments.values and not arguments.unset:
        raise ProxysyncError("there is nothing to set", hint="Give KEY=VALUE, or --unset KEY.")
    values = [assignment(text) for text in arguments.values]
    unset = [key.split(".") for key in arguments.unset]
    return tell(editor(arguments).change(arguments.name, values, unset), arguments.format)
