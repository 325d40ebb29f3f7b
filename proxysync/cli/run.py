"""The daemon: watches the file and keeps NPM in sync with it until a signal stops it.

SIGHUP reads the file again; SIGTERM and SIGINT end it after the write in flight. The log
goes to stderr: for people on a terminal, as JSON otherwise (under systemd, say).
"""

import argparse
import os

from proxysync.cli import context
from proxysync.cli.log import printed
from proxysync.cli.terminal import note
from proxysync.daemon import signals
from proxysync.daemon.inbox import Inbox, Trigger


def add_arguments(_parser: argparse.ArgumentParser) -> None:
    """It has none of its own."""


def run(arguments: argparse.Namespace) -> int:
    stop, inbox = signals.Stop(), Inbox()
    with signals.handled(stop, lambda: inbox.put(Trigger.STOP), lambda: inbox.put(Trigger.RELOAD)):
        # It takes a while, in which a signal must not kill.
        from proxysync.daemon.start import run_daemon  # noqa: PLC0415

        env = context.environment(arguments)
        run_daemon(env, os.environ, stop, inbox, printed=printed, note=note)
    return 0
