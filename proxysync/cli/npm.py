"""NPM as a person's command asks it: nobody sits there for as long as a daemon waits."""

from proxysync.app import access
from proxysync.cli import terminal
from proxysync.config.environment import Environment
from proxysync.npm.client import NpmClient
from proxysync.npm.patience import Patience

TELL_AFTER = 3.0
GIVE_UP_AFTER = 10.0
"""Seconds without any answer; the whole command is to be over within 15, its start included."""


def connect(env: Environment) -> NpmClient:
    """A client of NPM. Raises ProxysyncError if a setting is missing."""

    def tell() -> None:
        terminal.note(f"waiting for NPM at {env.npm_url} to answer")

    return access.connect(env, patience=Patience(GIVE_UP_AFTER, TELL_AFTER, tell))
