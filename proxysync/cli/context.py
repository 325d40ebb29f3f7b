"""What several commands need: the environment, the file, NPM and the state, made on demand."""

import argparse
import os
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from proxysync.config.environment import Environment
    from proxysync.config.models import Config
    from proxysync.npm.client import NpmClient
    from proxysync.store.bus import Bus
    from proxysync.store.database import Database
    from proxysync.store.events import EventLog
    from proxysync.store.health import HealthStore
    from proxysync.store.journal import Journal
    from proxysync.store.state import State


@dataclass(frozen=True)
class Store:
    """All that is kept in the state folder, opened for writing."""

    database: "Database"
    state: "State"
    journal: "Journal"
    events: "EventLog"


FLAGS = (
    "file",
    "state_dir",
    "npm_url",
    "npm_identity",
    "npm_secret",
    "npm_secret_file",
    "npm_ca_file",
)


BESIDE_A_DAEMON = frozenset(
    ("plan", "apply", "status", "events", "history", "rollback", "adopt", "resume")
)
"""Commands that mean little with another state than that of the daemon."""


def environment(arguments: argparse.Namespace) -> "Environment":
    """Settings from the environment, flags winning. No output shows a secret from then on."""
    from proxysync.config.environment import read_environment

    overrides = {f"PROXYSYNC_{name.upper()}": getattr(arguments, name, None) for name in FLAGS}
    env = read_environment(os.environ, overrides=overrides)
    _hide_secrets(env)
    if arguments.command in BESIDE_A_DAEMON:
        _tell_of_other_states(env)
    return env


def _hide_secrets(env: "Environment") -> None:
    from proxysync.cli import terminal
    from proxysync.config.variables import SHORTEST_SECRET, handed_over

    ours = {"PROXYSYNC_NPM_SECRET": env.secret, "PROXYSYNC_API_TOKEN": env.api_token}
    revealed = {secret.reveal(): f"${{{name}}}" for name, secret in ours.items() if secret}
    terminal.hide({text: shown for text, shown in revealed.items() if len(text) >= SHORTEST_SECRET})
    terminal.hide(earlier_secrets(env))
    terminal.hide(handed_over(os.environ))


def _tell_of_other_states(env: "Environment") -> None:
    """Says so where this is not the state of the daemon that keeps the same NPM."""
    from proxysync.apply.machine import daemons
    from proxysync.cli.terminal import note, safe

    found = daemons(env.npm_url) if env.npm_url else []
    if any(daemon.has_state(env.state_dir) for daemon in found):
        return
    for daemon in found:
        folder = safe(str(daemon.state))
        note(
            f"Note: the daemon (pid {daemon.pid}) for this NPM keeps its state in {folder}, and "
            f"this command uses {env.state_dir}: name the other with --state-dir {folder} or "
            "PROXYSYNC_STATE_DIR"
        )


def config(env: "Environment") -> "Config":
    """The file, or a ConfigError with everything that is wrong with it.

    Its `secrets` are also those that it, or an earlier version of it, had before.
    """
    from proxysync.cli import terminal
    from proxysync.config.load import load

    loaded = load(env.file, os.environ)
    terminal.hide(loaded.secrets)
    return replace(loaded, secrets={**earlier_secrets(env), **loaded.secrets})


def earlier_secrets(env: "Environment") -> dict[str, str]:
    """What the state knows of secrets; of a state that cannot be read, others tell."""
    import sqlite3

    from proxysync.store.database import StateError, open_for_reading
    from proxysync.store.secrets import known_secrets

    with suppress(StateError, sqlite3.DatabaseError):
        database = open_for_reading(env.state_dir / "state.db")
        if database is not None:
            with closing(database):
                return known_secrets(database)
    return {}


def client(
    env: "Environment",
    pause: Callable[[float], object] | None = None,
    stop: Callable[[], bool] = lambda: False,
) -> "NpmClient":
    """A client of the NPM that the environment names; nothing is sent yet."""
    env.require_npm()
    import time

    from proxysync.npm.client import NpmClient
    from proxysync.npm.session import Session
    from proxysync.npm.transport import Transport

    assert env.npm_url is not None
    assert env.identity is not None
    assert env.secret is not None
    session = Session(
        Transport(env.npm_url, env.ca_file, stop),
        env.identity,
        env.secret.reveal(),
        pause=pause or time.sleep,
    )
    return NpmClient(session)


def read_state(env: "Environment") -> "State | None":
    """The state without touching it; None if there is none, or none that can be read."""
    from proxysync.store.state import State

    database = _read_database(env)
    return State(database) if database else None


def read_health(env: "Environment") -> "HealthStore | None":
    """What health checks found, without touching it; None if there is none, or none readable."""
    from proxysync.store.health import HealthStore

    database = _read_database(env)
    return HealthStore(database) if database else None


def _read_database(env: "Environment") -> "Database | None":
    from proxysync.cli.terminal import note
    from proxysync.store.database import StateError, open_for_reading

    try:
        return open_for_reading(env.state_dir / "state.db")
    except StateError as error:
        note(f"Warning: {error}")
        return None


def read_journal(env: "Environment") -> "Journal | None":
    """The journal without touching it; None if there is none, or none that can be read."""
    from proxysync.store.journal import Journal

    database = _read_database(env)
    return Journal(database) if database else None


def open_store(env: "Environment", bus: "Bus | None" = None) -> "Store":
    """The state and the event log for writing; a damaged database is set aside, and said so.

    The events go over `bus`, too, if there are listeners to them already.
    """
    from proxysync.model.event import NewEvent
    from proxysync.store.database import open_for_writing
    from proxysync.store.events import EventLog
    from proxysync.store.journal import Journal
    from proxysync.store.state import State

    database, set_aside = open_for_writing(env.state_dir / "state.db")
    events = EventLog(database, env.state_dir / "events.jsonl", bus=bus)
    if set_aside:
        message = (
            f"the state was damaged and is set aside as {set_aside}; ownership is rebuilt from "
            "the markers in NPM"
        )
        events.emit(NewEvent("state.damaged", message, data={"path": str(set_aside)}))
    return Store(database, State(database), Journal(database), events)
