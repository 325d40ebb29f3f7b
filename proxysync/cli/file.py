"""The file, for the commands that read it; others start faster without."""

import os

from proxysync.app.access import load_config
from proxysync.cli import terminal
from proxysync.config.environment import Environment
from proxysync.config.models import Config


def load_file(env: Environment) -> Config:
    """The file, no secret of which is shown from then on. Raises ConfigError."""
    config = load_config(env, os.environ)
    terminal.hide(config.secrets)
    return config
