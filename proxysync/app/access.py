"""The way to the file and to the NPM that the environment names."""

import time
from collections.abc import Callable, Mapping
from dataclasses import replace

from proxysync.app.state_folder import earlier_secrets
from proxysync.config.environment import Environment
from proxysync.config.load import load
from proxysync.config.models import Config
from proxysync.npm.client import NpmClient
from proxysync.npm.patience import ENDLESS, Patience
from proxysync.npm.session import Session
from proxysync.npm.transport import Transport


def load_config(env: Environment, environ: Mapping[str, str]) -> Config:
    """The file; its `secrets` are also those that it, or an earlier version of it, had before.

    Raises ConfigError with everything that is wrong with it.
    """
    config = load(env.file, environ)
    return replace(config, secrets={**earlier_secrets(env.state_dir), **config.secrets})


def connect(
    env: Environment,
    pause: Callable[[float], object] = time.sleep,
    stop: Callable[[], bool] = lambda: False,
    patience: Patience = ENDLESS,
) -> NpmClient:
    """A client of NPM; nothing is sent yet. Raises ProxysyncError if a setting is missing."""
    return NpmClient(open_session(env, pause, stop, patience))


def open_session(
    env: Environment,
    pause: Callable[[float], object] = time.sleep,
    stop: Callable[[], bool] = lambda: False,
    patience: Patience = ENDLESS,
) -> Session:
    """The same, for what is asked without a client."""
    env.require_npm()
    assert env.npm_url is not None
    assert env.identity is not None
    assert env.secret is not None
    transport = Transport(env.npm_url, env.ca_file, stop, patience)
    return Session(transport, env.identity, env.secret.reveal(), pause=pause)
