"""Follows a repository: looks at it now and then, and has its newest commit ready for the loop."""

import threading
from collections.abc import Callable

from proxysync.daemon.alerts import Alerts
from proxysync.daemon.retries import Retries
from proxysync.git.checkout import Commit, fetch_into, newest
from proxysync.git.errors import GitError
from proxysync.git.place import Place
from proxysync.git.program import Git
from proxysync.model.backoff import Backoff
from proxysync.model.event import Emit, NewEvent

LONGEST_RETRY = 300.0
"""Seconds between two tries at most while the repository cannot be had."""

SHOWN = 12
"""Characters of a commit's id in messages; `data` has all of them."""

TOPIC = "git"


class GitFollower:
    """Fetches in a thread of its own, in here (`with`); `on_new` is called from there.

    What was fetched counts from the moment that the loop asks for it by `take`: nothing is switched
    while the file is being read.
    """

    def __init__(
        self,
        place: Place,
        emit: Emit,
        on_new: Callable[[], object],
    ) -> None:
        self.place = place
        self._emit = emit
        self._on_new = on_new
        self._git = Git(place.remote, place.home, self._is_closing)
        self._alerts = Alerts(emit)
        interval = place.remote.interval
        self._retries = Retries(Backoff(first=interval, longest=max(interval, LONGEST_RETRY)))
        self._ready: str | None = None
        self._switching = threading.Lock()
        self._closing = threading.Event()
        self._wake = threading.Event()
        self._thread = threading.Thread(target=self._follow, name="git", daemon=True)

    def __enter__(self) -> "GitFollower":
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._closing.set()
        self._wake.set()
        self._thread.join()

    def take(self, *, asked: bool = False) -> str | None:
        """Has the newest commit that was fetched count; returns the one that counts now, if any.

        With `asked`, the repository is looked at anew right now.
        """
        if asked:
            self._wake.set()
        with self._switching:
            ready, self._ready = self._ready, None
            if ready is not None:
                self.place.switch(ready)
            return self.place.commit

    def _is_closing(self) -> bool:
        return self._closing.is_set()

    def _follow(self) -> None:
        while not self._is_closing():
            self._wake.clear()
            pause = self.place.remote.interval
            try:
                self._look()
            except (GitError, OSError) as error:
                self._tell(error)
                pause = self._retries.next()
            except Exception as error:  # noqa: BLE001 - whatever it is must not end the thread
                self._tell_fault(error)
                pause = self._retries.next()
            self._wake.wait(pause)

    def _look(self) -> None:
        """Fetches if there is something new; what is there already may have been removed."""
        self.place.prepare()
        with self._switching:
            known = self._ready or self.place.commit
        if newest(self._git) != known:
            self._fetch(known)
        self._retries.reset()
        self.place.note(None)
        message = f"{self.place.remote.url} can be fetched again"
        self._alerts.resolve(TOPIC, NewEvent("git.back", message))

    def _fetch(self, known: str | None) -> None:
        commit = fetch_into(self._git, self.place.files)
        self._emit(self._updated(commit, known))
        with self._switching:
            self._ready = commit.id
            self.place.keep_only(commit.id, known, self.place.commit)
        self._on_new()

    def _updated(self, commit: Commit, known: str | None) -> NewEvent:
        message = f"{self.place.remote} is at {commit.id[:SHOWN]}: {commit.subject}"
        data = {"commit": commit.id, "subject": commit.subject, "previous": known}
        return NewEvent("git.updated", message, data=data)

    def _tell_fault(self, error: Exception) -> None:
        name = type(error).__name__
        message = f"proxysync itself failed at following {self.place.remote.url}: {name}: {error}"
        hint = "This is a bug. Please report it."
        event = NewEvent("daemon.fault", message, data={"hint": hint})
        self._alerts.fire("fault", event, cause=name)

    def _tell(self, error: GitError | OSError) -> None:
        """Once for as long as it goes on; an end of ours is no trouble."""
        if self._is_closing():
            return
        if isinstance(error, OSError):
            message = f"{self.place.home} cannot be used: {error.strerror or error}"
            error = GitError(message, hint="See to the state folder.", code="git.folder")
        self.place.note(error.message)
        commit = self.place.commit
        kept = f"\nCommit {commit[:SHOWN]} is kept." if commit else ""
        data = {"reason": error.code, "commit": error.commit, "hint": error.hint}
        event = NewEvent("git.failed", f"{error}{kept}", data=data)
        self._alerts.fire(TOPIC, event, cause=error.cause)
