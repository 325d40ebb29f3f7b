"""The way to the file and to the NPM that the environment names."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from proxysync.app.state_folder import earlier_secrets
from proxysync.config.environment import Environment
from proxysync.config.load import load
from proxysync.config.models import Config
from proxysync.git.errors import GitError
from proxysync.git.place import Place
from proxysync.npm.client import NpmClient
from proxysync.npm.patience import ENDLESS, Patience
from proxysync.npm.session import Session
from proxysync.npm.transport import OnExchange, Transport
from proxysync.store.tokens import TokenFile


def load_config(env: Environment, environ: Mapping[str, str]) -> Config:
    """The file; its `secrets` are also those that it, or an earlier version of it, had before.

    Raises ConfigError with everything that is wrong with it.
    """
    config = (
        load(env.file, environ, tags=env.tags)
        if env.place is None
        else _load_from(env.place, environ, env.tags)
    )
    return replace(config, secrets={**earlier_secrets(env.state_dir), **config.secrets})


def _load_from(place: Place, environ: Mapping[str, str], tags: Sequence[str]) -> Config:
    """The file of the commit that counts, all of it from that one."""
    while (commit := place.commit) is not None:
        config = load(place.path, environ, root=place.current, tags=tags)
        if place.commit == commit:
            return replace(config, commit=commit)
    trouble = f": {place.trouble}" if place.trouble else ""
    raise GitError(
        f"the daemon has not fetched {place.remote} into {place.home} yet{trouble}",
        hint="Start it (`proxysync run`) with the same settings, or see `proxysync events --source "
        "git` for what keeps it from that. -f names another file.",
        code="git.no_checkout",
    )


def connect(
    env: Environment,
    pause: Callable[[float], object] = time.sleep,
    stop: Callable[[], bool] = lambda: False,
    patience: Patience = ENDLESS,
    on_exchange: OnExchange = lambda _method, _status, _seconds: None,
) -> NpmClient:
    """A client of NPM; nothing is sent yet. Raises ProxysyncError if a setting is missing."""
    session = open_session(env, pause, stop, patience, on_exchange, keeps_login=True)
    return NpmClient(session)


def open_session(
    env: Environment,
    pause: Callable[[float], object] = time.sleep,
    stop: Callable[[], bool] = lambda: False,
    patience: Patience = ENDLESS,
    on_exchange: OnExchange = lambda _method, _status, _seconds: None,
    *,
    keeps_login: bool = False,
) -> Session:
    """The same, for what is asked without a client; with `keeps_login`, not each run logs in."""
    env.require_npm()
    assert env.npm_url is not None
    assert env.identity is not None
    assert env.secret is not None
    transport = Transport(env.npm_url, env.ca_file, stop, patience, on_exchange)
    secret = env.secret.reveal()
    kept = TokenFile(env.state_dir, env.npm_url, env.identity, secret) if keeps_login else None
    return Session(transport, env.identity, secret, pause=pause, kept=kept)
