"""The file, for the commands that read it; others start faster without."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

from proxysync.app.access import load_config
from proxysync.app.state_folder import earlier_secrets
from proxysync.cli import terminal
from proxysync.config.environment import Environment
from proxysync.config.errors import ConfigError
from proxysync.config.models import Config


def load_file(env: Environment) -> Config:
    """The file, no secret of which is shown from then on. Raises ConfigError."""
    try:
        config = load_config(env, os.environ)
    except ConfigError:
        terminal.hide(earlier_secrets(env.state_dir))
        raise
    terminal.hide(config.secrets)
    return config


@contextmanager
def problems_told(style: str) -> Iterator[None]:
    """With `json`, what is wrong with a file that is read within is printed as `problems`, too."""
    try:
        yield
    except ConfigError as error:
        if style == "json":
            terminal.print_json({"problems": error.to_json()})
        raise
