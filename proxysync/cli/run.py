"""The daemon: watches the file and keeps NPM in line with it until it is told to stop.

SIGHUP reads the file again; SIGTERM and SIGINT end it after the write in flight. The log
goes to stderr: for people on a terminal, as JSON otherwise (under systemd, say).
"""

import argparse
from collections.abc import Mapping
from contextlib import ExitStack
from typing import TYPE_CHECKING

from proxysync.app.access import connect
from proxysync.app.state_folder import open_folder

if TYPE_CHECKING:
    from proxysync.app.state_folder import StateFolder as Store
    from proxysync.apply.hooks import Hooks
    from proxysync.apply.lock import DaemonLock
    from proxysync.config.environment import Environment
    from proxysync.daemon.loop import Inbox
    from proxysync.daemon.repairs import Repairs
    from proxysync.daemon.signals import Stop
    from proxysync.health.monitor import Monitor
    from proxysync.model import Key
    from proxysync.model.health import EdgeStatus
    from proxysync.npm.client import NpmClient
    from proxysync.store.bus import Bus
    from proxysync.store.event_queue import EventQueue


def add_arguments(_parser: argparse.ArgumentParser) -> None:
    """It has none of its own."""


def run(arguments: argparse.Namespace) -> int:
    from proxysync.daemon import signals
    from proxysync.daemon.loop import Inbox, Trigger

    stop, inbox = signals.Stop(), Inbox()
    with signals.handled(stop, lambda: inbox.put(Trigger.STOP), lambda: inbox.put(Trigger.RELOAD)):
        from proxysync.apply.lock import DaemonLock
        from proxysync.apply.machine import announced
        from proxysync.cli import context
        from proxysync.cli.log import printed
        from proxysync.store.bus import Bus
        from proxysync.store.database import make_folder

        env = context.environment(arguments)
        npm = connect(env, pause=stop.wait, stop=stop)
        _check(npm)
        make_folder(env.state_dir)
        bus = Bus()
        with ExitStack() as held:
            lock = held.enter_context(DaemonLock(env.state_dir))
            held.enter_context(announced(npm.url, env.state_dir))
            held.enter_context(printed(bus))
            store = _open_store(env, bus, stop)
            if store is not None:
                _serve(env, npm, store, stop, inbox, lock)
    return 0


def _serve(
    env: "Environment",
    npm: "NpmClient",
    store: "Store",
    stop: "Stop",
    inbox: "Inbox",
    lock: "DaemonLock",
) -> None:
    """Works until told to stop."""
    import os

    from proxysync.app.reconcile import Reconciler
    from proxysync.daemon.loop import Loop, Trigger
    from proxysync.daemon.monitoring import Monitoring
    from proxysync.daemon.repairs import Repairs
    from proxysync.daemon.service import Service
    from proxysync.daemon.threads import told_to
    from proxysync.daemon.watch import FileWatcher
    from proxysync.model.event import NewEvent
    from proxysync.store.event_queue import EventQueue

    events = EventQueue(store.events)
    message = f"keeping {npm.url} in line with {env.file}"
    events.emit(NewEvent("daemon.started", message))
    repairs = Repairs()
    monitor = _monitor(npm, store, repairs, inbox)
    hooks = _hooks(stop, events)
    service = Service(
        env.file,
        env.state_dir,
        npm,
        store.state,
        events,
        store.database,
        Reconciler(npm, store.state, store.journal, events.emit, hooks),
        Monitoring(npm, monitor),
        environ=os.environ,
        stop=stop,
        relock=lock.renew,
        repairs=repairs,
    )
    watcher = FileWatcher(env.file, lambda: inbox.put(Trigger.FILE), service.watching)
    with told_to(service.failed):
        with monitor:
            Loop(service, watcher, stop, inbox).run()
            store.database.be_brief()
        events.emit(NewEvent("daemon.stopped", "told to stop"))
        service.tend()
    store.database.close()


def _hooks(stop: "Stop", events: "EventQueue") -> "Hooks":
    """What a reconciliation asks and tells on the way."""
    from proxysync.apply.hooks import Hooks
    from proxysync.model.event import NewEvent

    def note(message: str) -> None:
        events.emit(NewEvent("daemon.waiting", message))

    return Hooks(stop=stop, note=note, pause=stop.wait)


def _monitor(npm: "NpmClient", store: "Store", repairs: "Repairs", inbox: "Inbox") -> "Monitor":
    """Checks what is live; a site that is not served is written again."""
    from proxysync.daemon.loop import Trigger
    from proxysync.daemon.monitoring import npm_probe
    from proxysync.health.monitor import Monitor
    from proxysync.store.health import HealthStore

    def on_edge(seen: Mapping["Key", "EdgeStatus"]) -> None:
        if repairs.take(seen):
            inbox.put(Trigger.RESYNC)

    health = HealthStore(store.database)
    return Monitor(health, store.events, npm=npm_probe(npm.url), on_edge=on_edge)


def _open_store(env: "Environment", bus: "Bus", stop: "Stop") -> "Store | None":
    """The state, once nobody else has it locked and the disk has room; None if told to stop."""
    from proxysync.cli.terminal import note
    from proxysync.daemon.retries import Retries
    from proxysync.store.database import StateError

    retries, said = Retries(), False
    while not stop():
        try:
            return open_folder(env.state_dir, bus)
        except StateError as error:
            if not error.passing:
                raise
            if not said:
                note(f"Warning: {error}\nproxysync waits for that, and leaves NPM as it is.")
                said = True
            stop.wait(retries.next())
    return None


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
