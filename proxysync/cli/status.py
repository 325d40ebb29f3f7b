"""Shows every entry of the file: whether NPM is in sync with it, and how its service is.

Health is what the daemon found when it last checked.
"""

import argparse
import shutil
import sys
import time
from collections.abc import Callable
from contextlib import closing, suppress
from functools import partial

from proxysync.app.look import LookNow
from proxysync.app.status_view import Status, StatusView
from proxysync.app.status_warnings import StatusWarning
from proxysync.cli import context, terminal
from proxysync.cli.file import load_file
from proxysync.cli.filters import add_filters, filters
from proxysync.cli.flags import add_format
from proxysync.cli.npm import connect
from proxysync.cli.status_table import details, render
from proxysync.model import clock
from proxysync.model.errors import ProxysyncError

REFRESH = 2.0
"""Seconds between two frames with --watch."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME", nargs="?", help="only this entry, in more detail")
    parser.add_argument("--all", action="store_true", help="also hosts that are not ours")
    parser.add_argument("--watch", action="store_true", help="go on showing it until Ctrl-C")
    add_filters(parser)
    add_format(parser)


def run(arguments: argparse.Namespace) -> int:
    if arguments.watch and arguments.format == "json":
        raise ProxysyncError(
            "--watch is for people and cannot print JSON",
            hint="Use `proxysync events --follow --format json` to hear of changes.",
        )
    env = context.environment(arguments)
    look = LookNow(partial(connect, env))
    with closing(StatusView(partial(load_file, env), look, env.state_dir, place=env.place)) as view:
        only = filters(arguments)
        read = partial(view.read, arguments.name, everything=arguments.all, only=only)
        if arguments.watch:
            _watch(read)
        else:
            _show_once(read(), arguments.format)
    return 0


def _watch(read: Callable[[], Status]) -> None:
    with suppress(KeyboardInterrupt):
        while True:
            frame = render_frame(read())
            if sys.stdout.isatty():
                terminal.draw(sys.stdout, "\033[H\033[J")
                frame = _cut(frame, shutil.get_terminal_size().lines - 1)
            print(frame if sys.stdout.isatty() else f"{frame}\n", flush=True)
            time.sleep(REFRESH)


def _cut(frame: str, height: int) -> str:
    """As many lines as the terminal shows, so that what comes first stays on the screen."""
    lines = frame.splitlines()
    if len(lines) <= height:
        return frame
    return "\n".join([*lines[: height - 1], f"… and {len(lines) - height + 1} more lines"])


def _show_once(status: Status, style: str) -> None:
    if style == "text":
        print(render_frame(status))
        return
    _note(status)
    if status.trouble:
        terminal.note(f"Warning: {status.trouble}\nThis is what the state knows:")
    terminal.print_json(status.to_json())


def render_frame(status: Status) -> str:
    """The table and all that belongs below it; what has to be said besides goes to stderr."""
    _note(status)
    now = clock.now()
    parts = [f"commit {status.commit[:12]}"] if status.commit else []
    parts += [render(status.entries, [*_away(status.trouble), *status.warnings], now)]
    parts += [details(entry, now) for entry in status.entries if entry.changes is not None]
    return "\n\n".join(parts)


def _away(trouble: ProxysyncError | None) -> list[StatusWarning]:
    """What to say of an NPM that cannot be asked."""
    if trouble is None:
        return []
    advice = f" ({trouble.hint.rstrip('.')})" if trouble.hint else ""
    message = f"{trouble.message}{advice}; this is what the state knows"
    return [StatusWarning(trouble.code, message)]


def _note(status: Status) -> None:
    terminal.print_notes(status.notes)
