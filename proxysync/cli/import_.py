"""Writes what NPM has as a file that proxysync can keep. Changes nothing in NPM.

Without a name, everything is taken. `proxysync adopt --all` with that file takes it over.
"""

import argparse
import os
import sys
from contextlib import closing
from pathlib import Path

from proxysync.app.import_ import Imported, import_
from proxysync.app.new_file import require_free, write_file
from proxysync.app.state_folder import read_folder
from proxysync.cli import context, terminal
from proxysync.cli.file import load_file
from proxysync.cli.flags import add_format
from proxysync.cli.npm import connect
from proxysync.model.errors import ProxysyncError
from proxysync.model.text import entries


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "names",
        metavar="DOMAIN",
        nargs="*",
        help="only what has these domains; KIND/ is all of a kind, such as redirection/",
    )
    parser.add_argument("--all", action="store_true", help="everything, as without a name")
    parser.add_argument(
        "-o", "--output", metavar="FILE", type=Path, help="write it there, not to stdout"
    )
    parser.add_argument("--force", action="store_true", help="replace FILE if it is there")
    add_format(parser)


def run(arguments: argparse.Namespace) -> int:
    if arguments.names and arguments.all:
        raise ProxysyncError("--all and names were given", hint="Leave out one of them.")
    output: Path | None = arguments.output
    env = context.environment(arguments)
    if output and not arguments.force:
        require_free(output)
    config = load_file(env) if env.file.exists() else None
    with closing(read_folder(env.state_dir)) as stored:
        found = import_(connect(env), stored, config, os.environ, arguments.names, env.tags)
    if output:
        write_file(output, found.text, replace=arguments.force)
    if arguments.format == "json":
        terminal.print_json(found.to_json())
    elif not output:
        print(found.text, end="", flush=True)
    _tell(found, output)
    return 0


def _tell(found: Imported, output: Path | None) -> None:
    """What came of it, beside the file."""
    terminal.print_notes(found.notes)
    for entry in found.left_out:
        reasons = "; ".join(entry.problems)
        text = f"Left out: {entry.label} ({entry.key.name}): {reasons}"
        terminal.note(terminal.safe(text))
    where = f" written to {output}" if output else ""
    terminal.note(terminal.safe(f"{entries(len(found.taken))}{where}."))
    if found.changes_nothing:
        terminal.note("Adopting these changes nothing.")
        return
    terminal.note("Adopting these would change:")
    print(found.adopting.to_text(colour=terminal.colours(sys.stderr)), file=sys.stderr)
