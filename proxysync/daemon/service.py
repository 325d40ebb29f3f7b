"""What the daemon does each time it is woken, and what it says about it: each thing once."""

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from proxysync.app.reconcile import Options, Reconciler, Round
from proxysync.apply.lock import LockedError, write_lock
from proxysync.config.load import ConfigError, load
from proxysync.config.load import fingerprint as fingerprint_of
from proxysync.config.source import is_detached
from proxysync.config.variables import have_changed
from proxysync.daemon.backoff import Backoff
from proxysync.daemon.oversight import Oversight
from proxysync.daemon.repairs import Repairs
from proxysync.daemon.vanished import PATIENCE, Vanished
from proxysync.model import Key, clock
from proxysync.npm.client import NpmClient
from proxysync.npm.errors import NpmError, NpmStoppedError, NpmUnconfirmedError
from proxysync.plan.model import HoldKind
from proxysync.store.database import Database, StateError
from proxysync.store.event_queue import EventQueue
from proxysync.store.state import Hold, State

if TYPE_CHECKING:
    from proxysync.config.models import Config, Settings

LOCK_PATIENCE = 600.0
"""Seconds to wait for another writer until that is an error; the next resync waits again."""

STATE_ERRORS = (StateError, LockedError, OSError)
"""What keeps the state from being used. Errors of NPM are none of these."""

DEFAULT_RESYNC = 300.0
"""Seconds between two looks at NPM while no file has been read yet."""


class Service:
    """Keeps the last good file in force and NPM in line with it; see `daemon.loop.Work`."""

    def __init__(
        self,
        path: Path,
        folder: Path,
        npm: NpmClient,
        state: State,
        events: EventQueue,
        database: Database,
        reconciler: Reconciler,
        oversight: Oversight,
        *,
        environ: Mapping[str, str],
        stop: Callable[[], bool],
        relock: Callable[[], object] = lambda: None,
        repairs: Repairs | None = None,
    ) -> None:
        """`relock` makes sure of the daemon's lock before a lost state is written anew."""
        self._path = path
        self._folder = folder
        self._npm = npm
        self._state = state
        self._events = events
        self._database = database
        self._reconciler = reconciler
        self._oversight = oversight
        self._environ = environ
        self._stop = stop
        self._repairs = repairs or Repairs()
        self._version: tuple[int, int, int] | None = None
        self._relock = relock
        self._config: Config | None = None
        self._seen: str | None = None
        self._vanished = Vanished()
        self._said: dict[str, str] = {}
        self._backoff = Backoff()
        self._state_backoff = Backoff()
        self._tend_at = 0.0
        self._why = "start"

    @property
    def resync_interval(self) -> float:
        return self._config.settings.resync_interval if self._config else DEFAULT_RESYNC

    def load(self, *, asked: bool = False) -> bool:
        """Takes the file in force if it is good and new; says so if it is bad."""
        seen = fingerprint_of(self._path)
        rotated = self._secrets_rotated()
        if seen is not None and seen == self._seen and not asked and not rotated:
            return False
        self._seen = seen
        if asked:
            self._said.pop("config", None)
        try:
            config = load(self._path, self._environ)
        except ConfigError as error:
            self._say(
                "config",
                "error",
                "config.invalid",
                f"{error}\nThe last good file stays in force." if self._config else str(error),
                data={"problems": error.to_json()},
            )
            return False
        self._said.pop("config", None)
        if waits := self._vanished.waits(self._config, config):
            self._wait_for(waits)
            return True
        self._said.pop("missing", None)
        same = self._config is not None and self._config.fingerprint == config.fingerprint
        if asked and same and not rotated:
            message = f"{self._path} has not changed: {len(config.resources)} proxies are in force"
            self._events.emit("info", "config", "config.unchanged", message)
            return False
        self._config = config
        self._why = "edit" if self._why != "start" else "start"
        self._events.mask(config.secrets)
        self._events.emit(
            "info",
            "config",
            "config.loaded",
            f"{self._path} is in force: {len(config.resources)} proxies",
            data={"fingerprint": config.fingerprint, "proxies": len(config.resources)},
        )
        return True

    def _wait_for(self, files: tuple[Path, ...]) -> None:
        """Says what is missing; the file is to be looked at again though it stays as it is now."""
        self._seen = None
        names = ", ".join(map(str, files))
        message = (
            f"{names} is gone. What it said stays in force for {PATIENCE:.0f} s; if it is not back "
            "by then, its entries count as removed"
        )
        self._say("missing", "warn", "config.missing", message, source="config")

    def reconcile(self) -> float | None:
        """One round; NPM or the state being away or broken is no end, only a later try."""
        try:
            self._see_to_state()
            if self._secrets_rotated() or self._vanished.left is not None:
                self.load()
            pauses = (self._round(), self._vanished.left)
        except STATE_ERRORS as error:
            return self._state_trouble(error)
        return min((pause for pause in pauses if pause is not None), default=None)

    def _round(self) -> float | None:
        if self._config is None and self._state.hold() is None:
            return None
        lost = self._state.edges.told()
        waiting = self._repairs.waiting()
        options = Options(why=self._why, patience=waiting)
        try:
            with write_lock(
                self._folder,
                self._npm.url,
                timeout=LOCK_PATIENCE,
                on_wait=self._waiting,
                stop=self._stop,
            ):
                self._why = "resync"
                # A rollback may have been what the lock was waited for.
                hold = self._hold()
                if hold is not None:
                    done = self._reconciler.continue_back(hold, self._settings)
                elif self._config is not None:
                    done = self._reconciler.reconcile(self._config, options, patient=True)
                else:
                    return None
            blind_spot, version = self._npm.blind_spot(), self._npm.version()
        except LockedError as error:
            if not self._stop():
                self._say("lock", "error", error.code, str(error), source="daemon")
            return None
        except NpmError as error:
            return self._trouble(error)
        self._watch_repairs(lost - waiting, done)
        if done.report.error is not None:
            return self._trouble(done.report.error)
        self._well(version)
        if blind_spot:
            self._say("visibility", "warn", "npm.visibility", blind_spot, source="npm")
        else:
            self._said.pop("visibility", None)
        if hold is not None:
            self._tell_refused(done)
            return None
        self._tell(done)
        return self._next_try()

    def _watch_repairs(self, lost: frozenset[Key], done: Round) -> None:
        """Has what was written because nginx did not serve it looked at again."""
        written = {outcome.key for outcome in done.report.outcomes} & lost
        if written:
            self._repairs.tried(written)
            self._oversight.look_soon(written)

    def oversee(self) -> None:
        """Has what is live now watched, and inspected if it is time to."""
        if self._config is None:
            return
        try:
            self._oversight.follow(self._config, self._state.applied())
            self._oversight.inspect(self._config)
        except STATE_ERRORS as error:
            self._state_trouble(error)

    def tend(self) -> None:
        """Sees to the state folder and to the file; cheap as long as all is well."""
        if is_detached(self._path):
            self._say(
                "detached",
                "warn",
                "config.detached",
                f"{self._path} was replaced outside of this container, which goes on seeing the "
                "old file: edits do not arrive any more",
                source="config",
                data={"hint": "Mount the folder that holds the file, not the file itself."},
            )
        else:
            self._said.pop("detached", None)
        if time.monotonic() < self._tend_at:
            return
        try:
            self._see_to_state()
        except STATE_ERRORS as error:
            self._tend_at = time.monotonic() + self._state_trouble(error)

    def watching(self, reason: str | None) -> None:
        """Hears why the file cannot be watched, or that it is watched again."""
        if reason is not None:
            self._say(
                "watch",
                "warn",
                "config.polled",
                f"the system does not let us watch {self._path} ({reason}): it is looked at every "
                "2 seconds instead",
                source="config",
                data={
                    "hint": "Raise fs.inotify.max_user_watches and fs.inotify.max_user_instances "
                    "with sysctl."
                },
            )
        elif self._said.pop("watch", None) is not None:
            self._events.emit("info", "config", "config.watched", f"{self._path} is watched again")

    def failed(self, error: Exception) -> None:
        """Tells of an error that nobody has foreseen, once for each kind of it in a row."""
        self._say(
            "fault",
            "error",
            "daemon.fault",
            f"proxysync itself failed, and goes on: {type(error).__name__}: {error}",
            source="daemon",
            data={"hint": "This is a bug. Please report it."},
        )

    def _see_to_state(self) -> None:
        """Makes the state whole again if it was lost, and records what had to wait.

        Raises one of STATE_ERRORS where that is impossible as yet.
        """
        if self._database.is_lost():
            self._relock()
            restored = self._database.restore()
            self._events.emit("error", "daemon", "state.restored", restored)
        self._events.flush()
        self._state_backoff.reset()
        if self._said.pop("state", None) is not None:
            message = "the state can be written again; nothing that happened is missing"
            self._events.emit("info", "daemon", "state.back", message)
        late = self._events.late_lines
        if late is not None:
            self._say("lines", "error", "events.late", str(late), source="daemon")
        else:
            self._said.pop("lines", None)

    def _state_trouble(self, error: Exception) -> float:
        """Says once that NPM is left alone: what cannot be remembered must not be done."""
        if "state" not in self._said:
            self._say(
                "state",
                "error",
                "state.unusable",
                f"NPM is left as it is, for the state cannot be used: {error}",
                source="daemon",
            )
        return self._state_backoff.next()

    def _secrets_rotated(self) -> bool:
        """Whether files with secrets hold others now than when the file was read."""
        return self._config is not None and have_changed(self._config.variables, self._environ)

    @property
    def _settings(self) -> "Settings":
        from proxysync.config.models import Settings

        return self._config.settings if self._config else Settings()

    def _hold(self) -> Hold | None:
        """What keeps us from applying the file as it is, said once."""
        fingerprint = self._config.fingerprint if self._config else None
        hold = self._state.hold() if fingerprint is None else self._state.hold_against(fingerprint)
        if hold is None:
            self._said.pop("hold", None)
            return None
        message = (
            f"NPM is left as it was rolled back to (before run {hold.run_id}) until the content "
            "of the file changes or `proxysync resume` is given"
        )
        self._say("hold", "warn", "daemon.held", message, source="daemon")
        return hold

    def _waiting(self, message: str) -> None:
        self._events.emit("info", "daemon", "daemon.waiting", message)

    def _trouble(self, error: NpmError) -> float:
        if isinstance(error, NpmStoppedError):
            return 0.0  # that is not NPM's fault, and there will be no next try
        if not isinstance(error, NpmUnconfirmedError):
            self._npm.forget_server()
        if self._said.get("npm") != error.code:
            self._said["npm"] = error.code
            self._events.emit("error", "npm", error.code, str(error))
        return self._backoff.next()

    def _well(self, version: tuple[int, int, int] | None) -> None:
        self._said.pop("lock", None)
        self._backoff.reset()
        if self._said.pop("npm", None) is not None:
            self._events.emit("info", "npm", "npm.back", f"NPM at {self._npm.url} is well again")
            self._oversight.look_soon()
        if self._version is not None and version != self._version:
            self._oversight.look_soon()
        self._version = version

    def _tell_refused(self, done: Round) -> None:
        if done.plan.refused:
            self._say("plan", "error", "plan.refused", done.plan.refused)
        else:
            self._said.pop("plan", None)

    def _tell(self, done: Round) -> None:
        self._tell_refused(done)
        current = set()
        for change in done.plan.changes:
            topic = f"proxy {change.key.qualified}"
            if change.action == "conflict":
                current.add(topic)
                self._say(
                    topic,
                    "error",
                    "proxy.conflict",
                    f"{change.name}: {change.reason}",
                    key=change.key,
                    source="plan",
                )
            elif change.hold and change.hold.kind in (HoldKind.DRIFT, HoldKind.WAITING):
                current.add(topic)
                self._say(
                    topic,
                    "warn",
                    f"proxy.{change.hold.kind}",
                    f"{change.name} is left as it is: {change.hold.reason}",
                    key=change.key,
                    source="plan",
                )
        for note in done.plan.notes:
            topic = f"proxy {note.key.qualified} {note.message}"
            current.add(topic)
            message = f"{note.name}: {note.message}"
            self._say(topic, "warn", "proxy.warning", message, key=note.key, source="plan")
        for topic in [t for t in self._said if t.startswith("proxy ") and t not in current]:
            del self._said[topic]

    def _next_try(self) -> float | None:
        now = clock.now()
        waits = [entry.wait(now) for entry in self._state.blocked()]
        return max(0.5, min(waits)) if waits else None

    def _say(
        self,
        topic: str,
        severity: str,
        event: str,
        message: str,
        *,
        key: Key | None = None,
        data: dict[str, Any] | None = None,
        source: str | None = None,
    ) -> None:
        """Raises the event unless it would repeat what was said last about `topic`."""
        if self._said.get(topic) != message:
            self._said[topic] = message
            self._events.emit(severity, source or topic, event, message, key=key, data=data)
