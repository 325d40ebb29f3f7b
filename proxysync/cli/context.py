"""What several commands need: the environment, the file, NPM and the state, made on demand."""

import argparse
import os
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from proxysync.config.environment import Environment
    from proxysync.config.models import Config
    from proxysync.npm.client import NpmClient
    from proxysync.store.database import Database
    from proxysync.store.events import Event, EventLog
    from proxysync.store.state import State

FLAGS = (
    "file",
    "state_dir",
    "npm_url",
    "npm_identity",
    "npm_secret",
    "npm_secret_file",
    "npm_ca_file",
)


def environment(arguments: argparse.Namespace) -> "Environment":
    """Settings from the environment, flags winning."""
    from proxysync.config.environment import read_environment

    overrides = {f"PROXYSYNC_{name.upper()}": getattr(arguments, name, None) for name in FLAGS}
    return read_environment(os.environ, overrides=overrides)


def config(env: "Environment") -> "Config":
    """The file, or a ConfigError with everything that is wrong with it."""
    from proxysync.config.load import load

    return load(env.file, os.environ)


def client(env: "Environment", pause: Callable[[float], object] | None = None) -> "NpmClient":
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
        Transport(env.npm_url, env.ca_file),
        env.identity,
        env.secret.reveal(),
        pause=pause or time.sleep,
    )
    return NpmClient(session)


def read_state(env: "Environment") -> "State | None":
    """The state without touching it; None if there is none, or none that can be read."""
    from proxysync.cli.terminal import note
    from proxysync.store.database import StateError, open_for_reading
    from proxysync.store.state import State

    try:
        database = open_for_reading(env.state_dir / "state.db")
        return State(database) if database else None
    except StateError as error:
        note(f"Warning: {error}")
        return None


def open_store(
    env: "Environment", listeners: tuple[Callable[["Event"], object], ...] = ()
) -> "tuple[Database, State, EventLog]":
    """The state and the event log for writing; a damaged database is set aside, and said so."""
    from proxysync.store.database import open_for_writing
    from proxysync.store.events import EventLog
    from proxysync.store.state import State

    database, set_aside = open_for_writing(env.state_dir / "state.db")
    events = EventLog(database, env.state_dir / "events.jsonl", listeners)
    if set_aside:
        events.emit(
            "error",
            "daemon",
            "state.damaged",
            f"the state was damaged and is set aside as {set_aside}; ownership is rebuilt from "
            "the markers in NPM",
            data={"path": str(set_aside)},
        )
    return database, State(database), events
