"""The daemon: watches the file and keeps NPM in line with it until it is told to stop.

SIGHUP reads the file again; SIGTERM and SIGINT end it after the write in flight. The log
goes to stderr: for people on a terminal, as JSON otherwise (under systemd, say).
"""

import argparse
from collections.abc import Collection
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from proxysync.npm.client import NpmClient

HELP = "the daemon: keep NPM in line from now on"


def add_arguments(_parser: argparse.ArgumentParser) -> None:
    """It has none of its own."""


def run(arguments: argparse.Namespace) -> int:
    import os
    from functools import partial

    from proxysync.apply.engine import Hooks
    from proxysync.apply.lock import daemon_lock
    from proxysync.apply.machine import announced
    from proxysync.cli import context
    from proxysync.cli.log import printed
    from proxysync.daemon.loop import Loop, Stop, Wake
    from proxysync.daemon.oversight import Oversight, npm_probe
    from proxysync.daemon.repairs import Repairs
    from proxysync.daemon.service import Service
    from proxysync.daemon.watch import FileWatcher
    from proxysync.health.monitor import Monitor
    from proxysync.reconcile import Reconciler
    from proxysync.store.bus import Bus
    from proxysync.store.database import make_folder
    from proxysync.store.health import HealthStore

    env = context.environment(arguments)
    stop = Stop()
    npm = context.client(env, pause=stop.wait, stop=stop)
    _check(npm)
    make_folder(env.state_dir)
    bus = Bus()
    with daemon_lock(env.state_dir), announced(npm.url, env.state_dir), printed(bus):
        store = context.open_store(env, bus)
        state, events = store.state, store.events
        events.emit(
            "info", "daemon", "daemon.started", f"keeping {npm.url} in line with {env.file}"
        )
        health = HealthStore(store.database)
        repairs = Repairs()

        def on_lost(names: Collection[str]) -> None:
            if repairs.any_due(names):
                loop.wake(Wake.RESYNC)

        monitor = Monitor(health, events, npm=npm_probe(npm.url), on_lost=on_lost)
        service = Service(
            env.file,
            env.state_dir,
            npm,
            state,
            events,
            Reconciler(
                npm,
                state,
                store.journal,
                events.emit,
                Hooks(
                    stop=stop,
                    note=partial(events.emit, "info", "daemon", "daemon.waiting"),
                    pause=stop.wait,
                ),
            ),
            Oversight(npm, monitor),
            environ=os.environ,
            stop=stop,
            repairs=repairs,
        )
        watcher = FileWatcher(env.file, lambda: loop.wake(Wake.FILE))
        loop = Loop(service, watcher, stop)
        with monitor:
            loop.run()
        events.emit("info", "daemon", "daemon.stopped", "told to stop")
        store.database.close()
    return 0


def _check(npm: "NpmClient") -> None:
    """Ends the start for what will not mend itself; an NPM that is away may still come."""
    from proxysync.npm.errors import (
        NpmAddressError,
        NpmError,
        NpmLoginError,
        NpmRightsError,
    )

    try:
        npm.require_write()
    except (NpmAddressError, NpmLoginError, NpmRightsError):
        raise
    except NpmError:
        return
