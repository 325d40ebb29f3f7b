"""What `add`, `set` and `remove` have in common: the file is edited, and the edit is shown."""

import argparse
import os
import sys
from difflib import unified_diff

from proxysync.app.edit import Edited, Editor
from proxysync.app.verdict import Verdict
from proxysync.cli import context, terminal
from proxysync.cli.flags import add_format
from proxysync.model.errors import ProxysyncError
from proxysync.model.palette import paint

COLOURS = {"+": "green", "-": "red"}


def add_edit_flags(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--no-probe", action="store_true", help="ask no upstream")
    add_format(parser)


def editor(arguments: argparse.Namespace) -> Editor:
    """The editor of the file that the environment names.

    Raises ProxysyncError where that comes from a repository.
    """
    env = context.environment(arguments)
    if env.remote is not None:
        raise ProxysyncError(
            f"the file comes from a git repository: {env.remote}",
            hint="Edit it in a clone and push (-f names the file there); the daemon fetches it.",
        )
    return Editor(
        env.file,
        os.environ,
        probe=not arguments.no_probe,
        on_probe=terminal.progress("probing"),
    )


def tell(done: Edited, style: str) -> int:
    """Prints what became of an edit; returns the exit code."""
    terminal.hide(done.config.secrets)
    if style == "json":
        terminal.print_json(done.to_json())
        return 0 if done.written else 1
    if not done.written:
        assert done.verdict is not None
        _refuse(done, done.verdict)
        return 1
    if done.before == done.after:
        print(f"{done.file} says so already.")
        return 0
    for line in list(
        unified_diff(done.before.splitlines(), done.after.splitlines(), n=1, lineterm="")
    )[2:]:
        on = terminal.colours(sys.stdout)
        print(paint(terminal.safe(line), COLOURS.get(line[:1]), on=on))
    print(f"{done.file} is written.")
    return 0


def _refuse(done: Edited, verdict: Verdict) -> None:
    print(f"{done.key}: {verdict.reason}")
    if verdict.hint:
        print(f"  hint: {verdict.hint}")
    print(f"{done.file} is left as it was; --no-probe writes it all the same.")
