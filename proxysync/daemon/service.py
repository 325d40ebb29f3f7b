"""What the daemon does each time it is woken, and what it says about it: each thing once."""

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from proxysync.app import hold as holding
from proxysync.app.planning import Options
from proxysync.app.reconcile import reconcile
from proxysync.app.result import ReconcileResult
from proxysync.app.rights import rights_warning
from proxysync.app.rollback import continue_rollback
from proxysync.app.vitals import Vitals
from proxysync.app.workspace import Workspace
from proxysync.apply.lock import LockedError, write_lock
from proxysync.config import attachments
from proxysync.config.attachments import Digests
from proxysync.config.load import ConfigError, load
from proxysync.config.load import fingerprint as fingerprint_of
from proxysync.config.models import Config, Settings
from proxysync.config.source import is_detached
from proxysync.config.variables import have_changed
from proxysync.daemon.alerts import Alerts, change_event
from proxysync.daemon.git import GitFollower
from proxysync.daemon.monitoring import Monitoring
from proxysync.daemon.repairs import Repairs
from proxysync.daemon.retries import Retries
from proxysync.daemon.vanished import GIVE_UP_AFTER, Vanished
from proxysync.model import Key, clock
from proxysync.model.event import NewEvent
from proxysync.npm.errors import NpmError, NpmStoppedError, NpmUnconfirmedError
from proxysync.store.database import Database, StateError
from proxysync.store.event_queue import EventQueue
from proxysync.store.pauses import Pause
from proxysync.store.state import Hold

LOCK_PATIENCE = 600.0
"""Seconds to wait for another writer until that is an error; the next resync waits again."""

STATE_ERRORS = (StateError, LockedError, OSError)
"""What keeps the state from being used. Errors of NPM are none of these."""

DEFAULT_RESYNC = 300.0
"""Seconds between two looks at NPM while no file has been read yet."""

ENTRY = "entry "
"""How the topics of the alerts about one entry begin."""


class Service:
    """Keeps the last valid file, and NPM in sync with it; see `daemon.loop.Work`."""

    def __init__(
        self,
        path: Path,
        folder: Path,
        work: Workspace,
        events: EventQueue,
        database: Database,
        monitoring: Monitoring,
        *,
        environ: Mapping[str, str],
        tags: Sequence[str] = (),
        stop: Callable[[], bool],
        relock: Callable[[], object] = lambda: None,
        repairs: Repairs | None = None,
        git: GitFollower | None = None,
        vitals: Vitals | None = None,
    ) -> None:
        """`relock` makes sure of the daemon's lock before a lost state is written anew."""
        self._path = path
        self._root, self._name = (git.place.current, git.place.path) if git else (Path(), path)
        self._folder = folder
        self._work = work
        self._npm = work.npm
        self._state = work.state
        self._events = events
        self._database = database
        self._monitoring = monitoring
        self._environ = environ
        self._tags = tuple(tags)
        self._stop = stop
        self._repairs = repairs or Repairs()
        self._version: tuple[int, int, int] | None = None
        self._relock = relock
        self._config: Config | None = None
        self._seen: str | None = None
        self._attachments: Digests = {}
        self._git = git
        self._vanished = Vanished()
        self._alerts = Alerts(events.emit)
        self._retries = Retries()
        self._state_retries = Retries()
        self._tend_at = 0.0
        self._trigger = "start"
        self._vitals = vitals or Vitals()

    @property
    def resync_interval(self) -> float:
        return self._config.settings.resync_interval if self._config else DEFAULT_RESYNC

    @property
    def attachments(self) -> Collection[Path]:
        return self._attachments.keys()

    def load(self, *, asked: bool = False) -> bool:
        """Loads the file if it is valid and new; says so if it is not."""
        commit, looked_at = None, time.monotonic()
        if self._git and (commit := self._git.take(asked=asked)) is None:
            return False  # the follower tells why there is none
        seen = fingerprint_of(self._path)
        rotated = self._beside_changed()
        if seen is not None and seen == self._seen and not asked and not rotated:
            if self._config is not None and seen == self._config.fingerprint:
                self._config = replace(self._config, commit=commit)
                self._vitals.found_same(looked_at)
            return False
        self._seen = seen
        if asked:
            self._alerts.end("config")
        try:
            config = load(self._name, self._environ, root=self._root, tags=self._tags)
            config = replace(config, commit=commit)
        except ConfigError as error:
            self._attachments = error.attachments
            kept = "\nThe last valid file is kept." if self._config else ""
            data = {"problems": error.to_json(), "commit": commit}
            self._alerts.fire("config", NewEvent("config.invalid", f"{error}{kept}", data=data))
            return False
        self._attachments = config.attachments
        self._alerts.end("config")
        # A commit is there as a whole: what it has no more is meant to be gone.
        if not self._git and (waits := self._vanished.waits(self._config, config)):
            self._wait_for(waits)
            return True
        self._alerts.end("missing")
        same = self._config is not None and self._config.fingerprint == config.fingerprint
        if asked and same and not rotated:
            message = f"{self._name} has not changed: {config.selection}"
            self._events.emit(NewEvent("config.unchanged", message))
            self._vitals.found_same(looked_at)
            return False
        self._config = config
        self._vitals.loaded(config, looked_at)
        self._trigger = "edit" if self._trigger != "start" else "start"
        self._events.mask(config.secrets)
        message = f"{self._name} is loaded: {config.selection}"
        loaded = {"fingerprint": config.fingerprint, "entries": len(config.resources)}
        self._events.emit(NewEvent("config.loaded", message, data={**loaded, "commit": commit}))
        return True

    def _wait_for(self, files: tuple[Path, ...]) -> None:
        """Says what is missing; the file is to be looked at again though it stays as it is now."""
        self._seen = None
        names = ", ".join(map(str, files))
        message = (
            f"{names} is gone. What it said is kept for {GIVE_UP_AFTER:.0f} s; if it is not back "
            "by then, its entries count as removed"
        )
        self._alerts.fire("missing", NewEvent("config.missing", message))

    def reconcile(self) -> float | None:
        """One reconcile; NPM or the state being away or broken is no end, only a later try."""
        self._monitoring.npm_changes()
        try:
            self._see_to_state()
            if self._beside_changed() or self._vanished.left is not None:
                self.load()
            pauses = (self._reconcile(), self._vanished.left)
        except STATE_ERRORS as error:
            return self._state_trouble(error)
        return min((pause for pause in pauses if pause is not None), default=None)

    def _reconcile(self) -> float | None:
        if self._config is None and self._state.hold() is None:
            return None
        lost = self._state.edges.told()
        waiting = self._repairs.waiting()
        options = Options(trigger=self._trigger, ignore_unserved=waiting)
        try:
            with write_lock(
                self._folder,
                self._npm.url,
                timeout=LOCK_PATIENCE,
                on_wait=self._waiting,
                stop=self._stop,
            ):
                if (pause := self._pause()) is not None:
                    return pause.left
                self._trigger = "resync"
                # A rollback may have been what the lock was waited for.
                hold = self._hold()
                if hold is not None:
                    done = continue_rollback(self._work, hold, self._settings)
                elif self._config is not None:
                    done = reconcile(self._work, self._config, options, respect_backoff=True)
                else:
                    return None
            denied, version = self._npm.denied(), self._npm.version()
            limits = {
                "visibility": self._npm.visibility_warning(),
                "rights": rights_warning(denied, self._config, self._state),
            }
        except LockedError as error:
            if not self._stop():
                self._alerts.fire("lock", NewEvent(error.code, str(error)))
            return None
        except NpmError as error:
            return self._trouble(error)
        self._watch_repairs(lost - waiting, done)
        if done.report.error is not None:
            return self._trouble(done.report.error)
        self._well(version)
        self._tell_limits(limits)
        if hold is not None:
            self._tell_refused(done)
            return None
        self._tell(done, denied)
        return self._next_try()

    def _watch_repairs(self, lost: frozenset[Key], done: ReconcileResult) -> None:
        """Has what was written because nginx did not serve it looked at again."""
        written = {outcome.key for outcome in done.report.outcomes} & lost
        if written:
            self._repairs.tried(written)
            self._monitoring.look_soon(written)

    def tick(self) -> None:
        """Has what is live now watched, and inspected if it is time to."""
        if self._config is None:
            return
        try:
            self._monitoring.follow(self._config, self._state.applied())
            self._monitoring.inspect(self._config)
        except STATE_ERRORS as error:
            self._state_trouble(error)

    def tend(self) -> None:
        """Sees to the state folder and to the file; cheap as long as all is well."""
        if is_detached(self._path):
            message = (
                f"{self._path} was replaced outside of this container, which goes on seeing the "
                "old file: edits do not arrive any more"
            )
            data = {"hint": "Mount the folder that holds the file, not the file itself."}
            self._alerts.fire("detached", NewEvent("config.detached", message, data=data))
        else:
            self._alerts.end("detached")
        if time.monotonic() < self._tend_at:
            return
        try:
            self._see_to_state()
        except STATE_ERRORS as error:
            self._tend_at = time.monotonic() + self._state_trouble(error)

    def watching(self, reason: str | None) -> None:
        """Hears why the file cannot be watched, or that it is watched again."""
        if reason is not None:
            message = (
                f"the system does not let us watch {self._path} ({reason}): it is looked at every "
                "2 seconds instead"
            )
            hint = (
                "Raise fs.inotify.max_user_watches and fs.inotify.max_user_instances with sysctl."
            )
            self._alerts.fire("watch", NewEvent("config.polled", message, data={"hint": hint}))
        else:
            again = NewEvent("config.watched", f"{self._path} is watched again")
            self._alerts.resolve("watch", again)

    def failed(self, error: Exception) -> None:
        """Tells of an error that nobody has foreseen, once for each kind of it in a row."""
        message = f"proxysync itself failed, and goes on: {type(error).__name__}: {error}"
        data = {"hint": "This is a bug. Please report it."}
        self._alerts.fire("fault", NewEvent("daemon.fault", message, data=data))

    def _see_to_state(self) -> None:
        """Makes the state whole again if it was lost, and records what had to wait.

        Raises one of STATE_ERRORS where that is impossible as yet.
        """
        if self._database.is_lost():
            self._relock()
            restored = self._database.restore()
            self._events.emit(NewEvent("state.restored", restored))
        self._events.flush()
        self._state_retries.reset()
        message = "the state can be written again; nothing that happened is missing"
        self._alerts.resolve("state", NewEvent("state.back", message))
        late = self._events.late_lines
        if late is not None:
            self._alerts.fire("lines", NewEvent("events.late", str(late)))
        else:
            self._alerts.end("lines")

    def _state_trouble(self, error: Exception) -> float:
        """Says once that NPM is left alone: what cannot be remembered must not be done."""
        message = f"NPM is left as it is, for the state cannot be used: {error}"
        self._alerts.fire("state", NewEvent("state.unusable", message), cause="unusable")
        return self._state_retries.next()

    def _beside_changed(self) -> bool:
        """Whether files with secrets, or those that entries name, are others than when the file
        was read.
        """
        if attachments.have_changed(self._attachments):
            return True
        return self._config is not None and have_changed(self._config.variables, self._environ)

    @property
    def _settings(self) -> Settings:
        return self._config.settings if self._config else Settings()

    def _hold(self) -> Hold | None:
        """What keeps us from applying the file as it is, said once."""
        fingerprint = self._config.fingerprint if self._config else None
        hold = self._state.hold() if fingerprint is None else self._state.hold_against(fingerprint)
        if hold is None:
            self._alerts.end("hold")
            return None
        self._alerts.fire("hold", NewEvent("daemon.held", holding.describe(hold)))
        return hold

    def _pause(self) -> Pause | None:
        """A person's word to write nothing, said once."""
        pause = self._state.pauses.current()
        if pause is None:
            over = "the pause is over: NPM is kept in sync with the file again"
            self._alerts.resolve("pause", NewEvent("daemon.resumed", over))
        else:
            self._alerts.fire("pause", NewEvent("daemon.paused", str(pause)))
        return pause

    def _waiting(self, message: str) -> None:
        self._events.emit(NewEvent("daemon.waiting", message))

    def _trouble(self, error: NpmError) -> float:
        if isinstance(error, NpmStoppedError):
            return 0.0  # that is not NPM's fault, and there will be no next try
        if not isinstance(error, NpmUnconfirmedError):
            self._npm.forget_server()
        self._alerts.fire("npm", NewEvent(error.code, str(error)), cause=error.code)
        return self._retries.next()

    def _well(self, version: tuple[int, int, int] | None) -> None:
        self._alerts.end("lock")
        self._retries.reset()
        if self._alerts.resolve(
            "npm", NewEvent("npm.back", f"NPM at {self._npm.url} is reachable again")
        ):
            self._monitoring.look_soon()
        if self._version is not None and version != self._version:
            self._monitoring.look_soon()
        self._version = version

    def _tell_limits(self, limits: Mapping[str, str | None]) -> None:
        """Warns of what the account may not see or do, each sort of it once."""
        for topic, warning in limits.items():
            if warning:
                self._alerts.fire(topic, NewEvent("npm.visibility", warning))
            else:
                self._alerts.end(topic)

    def _tell_refused(self, done: ReconcileResult) -> None:
        if done.plan.refused:
            data = {"commit": self._config.commit if self._config else None}
            self._alerts.fire("plan", NewEvent("plan.refused", done.plan.refused, data=data))
        else:
            self._alerts.end("plan")

    def _tell(self, done: ReconcileResult, denied: Mapping[str, str]) -> None:
        """Each thing that is left once; those of kinds that are `denied` are told of together."""
        self._tell_refused(done)
        if not done.plan.refused:
            self._vitals.synced(done.not_made)
        plan, current = done.plan, set()
        for change in plan.changes:
            if change.action == "conflict" and change.kind in denied:
                continue
            event = change_event(change, plan.label_of(change.key))
            if event is not None:
                topic = f"{ENTRY}{change.key.qualified}"
                current.add(topic)
                self._alerts.fire(topic, event)
        for note in plan.notes:
            topic = f"{ENTRY}{note.key.qualified} {note.message}"
            current.add(topic)
            event = NewEvent("proxy.warning", f"{note.name}: {note.message}", note.key)
            self._alerts.fire(topic, event)
        self._alerts.keep_only(ENTRY, current)

    def _next_try(self) -> float | None:
        now = clock.now()
        waits = [entry.wait(now) for entry in self._state.blocked()]
        return max(0.5, min(waits)) if waits else None
