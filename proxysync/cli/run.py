"""The daemon: watches the file and keeps NPM in sync with it until a signal stops it.

SIGHUP reads the file again; SIGTERM and SIGINT end it after the write in flight. The log
goes to stderr: for people on a terminal, as JSON otherwise (under systemd, say). With
PROXYSYNC_LISTEN it also serves the HTTP API and the page.
"""

import argparse
import os
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial

from proxysync.app.vitals import Vitals
from proxysync.cli import context, terminal
from proxysync.cli.log import printed
from proxysync.cli.terminal import note
from proxysync.config.api_settings import LISTEN, TOKEN, Listening, read_api_settings
from proxysync.config.environment import Environment
from proxysync.config.setting import SettingError
from proxysync.daemon import signals
from proxysync.daemon.inbox import Inbox, Trigger
from proxysync.store.bus import Bus


def add_arguments(_parser: argparse.ArgumentParser) -> None:
    """It has none of its own."""


def run(arguments: argparse.Namespace) -> int:
    stop, inbox = signals.Stop(), Inbox()
    with signals.handled(stop, lambda: inbox.put(Trigger.STOP), lambda: inbox.put(Trigger.RELOAD)):
        # It takes a while, in which a signal must not kill.
        from proxysync.daemon.start import run_daemon  # noqa: PLC0415

        env = context.environment(arguments)
        vitals = Vitals()
        run_daemon(
            env,
            os.environ,
            stop,
            inbox,
            vitals=vitals,
            printed=printed,
            served=_served(env, vitals),
            note=note,
        )
    return 0


def _served(
    env: Environment, vitals: Vitals
) -> Callable[[Bus], AbstractContextManager[Listening]] | None:
    """What serves the API beside the daemon, if it is to. Raises ProxysyncError."""
    settings = read_api_settings(os.environ)
    if settings is None:
        return None
    terminal.hide({settings.token.reveal(): f"${{{TOKEN}}}"} if settings.token else {})
    try:
        from proxysync.web.server import serving  # noqa: PLC0415 - 0.2 s, and an extra
    except ModuleNotFoundError as error:
        raise SettingError(
            f"{LISTEN} is set, and what serves the API is not installed ({error.name} is missing)",
            hint="Install it: pip install '.[web]' in the clone of proxysync; or unset it.",
        ) from error
    return partial(serving, settings, env, os.environ, vitals)
