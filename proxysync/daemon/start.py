"""The daemon from its start to its end: what it holds, what it is made of, and in which order."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import replace

from proxysync.app.access import connect
from proxysync.app.state_folder import StateFolder, open_folder
from proxysync.app.vitals import Vitals
from proxysync.app.workspace import Workspace
from proxysync.apply.hooks import Hooks
from proxysync.apply.lock import DaemonLock
from proxysync.apply.machine import announced
from proxysync.config.api_settings import Listening
from proxysync.config.environment import Environment
from proxysync.config.git_settings import to_fetch
from proxysync.daemon import notify
from proxysync.daemon.git import GitFollower
from proxysync.daemon.inbox import Inbox, Trigger
from proxysync.daemon.loop import Loop
from proxysync.daemon.monitoring import Monitoring, npm_probe
from proxysync.daemon.repairs import Repairs
from proxysync.daemon.retries import Retries
from proxysync.daemon.service import Service
from proxysync.daemon.signals import Stop
from proxysync.daemon.threads import told_to
from proxysync.daemon.watch import FileWatcher
from proxysync.health.monitor import Monitor
from proxysync.model import Key
from proxysync.model.event import NewEvent
from proxysync.model.health import EdgeStatus
from proxysync.npm.client import NpmClient
from proxysync.npm.errors import NpmAddressError, NpmError, NpmLoginError, NpmRightsError
from proxysync.npm.patience import Patience
from proxysync.store.bus import Bus
from proxysync.store.database import StateError, make_folder
from proxysync.store.event_queue import EventQueue
from proxysync.store.health import HealthStore

GIVE_UP_AFTER = 5.0
"""Seconds that the start waits for NPM; the daemon then goes on trying."""


def run_daemon(
    env: Environment,
    environ: Mapping[str, str],
    stop: Stop,
    inbox: Inbox,
    *,
    vitals: Vitals,
    printed: Callable[[Bus], AbstractContextManager[object]],
    served: Callable[[Bus], AbstractContextManager[Listening]] | None = None,
    note: Callable[[str], object],
) -> None:
    """Works until `stop`. Events are `printed`, and `note` is for what comes before there are any.

    What is `served` beside it, which gives where that is, is up as long as the state is; the
    `vitals` are kept for that.

    Raises ProxysyncError for what keeps it from starting, and will not pass by itself.
    """
    if env.remote is not None:
        env = replace(env, remote=to_fetch(env.remote))
    npm = connect(env, pause=stop.wait, stop=stop, on_exchange=vitals.exchanged)
    _check(env, stop, note)
    make_folder(env.state_dir)
    bus = Bus()
    with ExitStack() as held:
        lock = held.enter_context(DaemonLock(env.state_dir))
        stop.tell(notify.Watchdog(environ))
        stop.tell(lock.show_life)
        stop.tell(vitals.show_life)
        held.enter_context(announced(npm.url, env.state_dir))
        held.enter_context(printed(bus))
        folder = _open_folder(env, bus, stop, note)
        if folder is not None:
            listening = held.enter_context(served(bus)) if served else None
            _serve(env, environ, npm, folder, stop, inbox, lock, listening, vitals)


def _serve(
    env: Environment,
    environ: Mapping[str, str],
    npm: NpmClient,
    folder: StateFolder,
    stop: Stop,
    inbox: Inbox,
    lock: DaemonLock,
    listening: Listening | None,
    vitals: Vitals,
) -> None:
    events = EventQueue(folder.events)
    what = env.remote or env.file
    events.emit(NewEvent("daemon.started", f"keeping {npm.url} in sync with {what}"))
    if listening is not None:
        message = f"the API and the page are at {listening}"
        events.emit(NewEvent("daemon.listening", message, data={"address": listening.url}))
    repairs = Repairs()
    monitor = _monitor(npm, folder, repairs, inbox, vitals)
    git = _git(env, events, inbox)
    service = Service(
        env.file,
        env.state_dir,
        Workspace(npm, folder.state, folder.journal, events.emit, _hooks(stop, events)),
        events,
        folder.database,
        Monitoring(npm, monitor),
        environ=environ,
        tags=env.tags,
        stop=stop,
        relock=lock.renew,
        repairs=repairs,
        git=git,
        vitals=vitals,
    )
    watcher = FileWatcher(env.file, lambda: inbox.put(Trigger.FILE), service.watching)
    with told_to(service.failed):
        with monitor, git or nullcontext():
            Loop(service, watcher, stop, inbox).run()
            folder.database.be_brief()
        events.emit(NewEvent("daemon.stopped", "stopped by signal"))
        service.tend()
    folder.database.close()


def _git(env: Environment, events: EventQueue, inbox: Inbox) -> GitFollower | None:
    """What follows the repository that the file comes from, if it comes from one."""
    if env.place is None:
        return None
    return GitFollower(env.place, events.emit, lambda: inbox.put(Trigger.FILE))


def _hooks(stop: Stop, events: EventQueue) -> Hooks:
    """What a reconcile asks and tells on the way."""

    def note(message: str) -> None:
        events.emit(NewEvent("daemon.waiting", message))

    return Hooks(stop=stop, note=note, pause=stop.wait)


def _monitor(
    npm: NpmClient, folder: StateFolder, repairs: Repairs, inbox: Inbox, vitals: Vitals
) -> Monitor:
    """Checks what is live; a site that is not served is written again."""

    def on_edge(seen: Mapping[Key, EdgeStatus]) -> None:
        if repairs.take(seen):
            inbox.put(Trigger.RESYNC)

    health = HealthStore(folder.database)
    return Monitor(
        health,
        folder.events,
        npm=npm_probe(npm.url),
        on_edge=on_edge,
        on_check=vitals.checked,
    )


def _open_folder(
    env: Environment, bus: Bus, stop: Stop, note: Callable[[str], object]
) -> StateFolder | None:
    """The state, once nobody else has it locked and the disk has room; None if it is to stop."""
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


def _check(env: Environment, stop: Stop, note: Callable[[str], object]) -> None:
    """Ends the start for what will not pass by itself; an NPM that is away may still come."""

    def tell() -> None:
        note(f"waiting for NPM at {env.npm_url} to answer")

    try:
        connect(env, stop.wait, stop, Patience(GIVE_UP_AFTER, tell=tell)).require_write()
    except (NpmAddressError, NpmLoginError, NpmRightsError):
        raise
    except NpmError:
        return
