"""One daemon per state folder; one writer at a time, in the state folder and for each NPM.

The kernel holds them for the process, so one left behind by a dead process is no lock.
"""

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO, Self

from proxysync.apply.machine import lock_holder, npm_keys, try_lock
from proxysync.model.errors import ProxysyncError
from proxysync.store.private import open_private

LIFE = 30.0
"""Seconds after which the daemon shows again that it goes on."""

POLL = 0.05
"""Seconds between two tries for a lock that another process holds."""


class LockedError(ProxysyncError):
    """Another process holds the lock."""

    code = "daemon.locked"


@contextmanager
def daemon_lock(folder: Path) -> Iterator[None]:
    """Held for as long as a daemon runs on this state folder.

    Raises LockedError with the other daemon's pid.
    """
    with open_private(folder / "daemon.lock") as file:
        if not _try(file):
            raise LockedError(
                f"another proxysync daemon{_holder(file)} runs on the state folder {folder}",
                hint="Stop it first, or give this one its own folder with PROXYSYNC_STATE_DIR.",
            )
        _sign(file)
        yield


class DaemonLock:
    """The lock of `daemon_lock`, and the way to have it again after the folder was removed."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._held = ExitStack()
        self._inode: int | None = None
        self._shown = 0.0

    def __enter__(self) -> Self:
        self.renew()
        return self

    def __exit__(self, *_: object) -> None:
        self._held.close()

    def show_life(self) -> None:
        """Dates the lock to now: so a container's health check sees that the daemon goes on."""
        if time.monotonic() >= self._shown + LIFE:
            self._shown = time.monotonic()
            with suppress(OSError):
                os.utime(self._folder / "daemon.lock")

    def renew(self) -> None:
        """Takes the lock unless it is held. Raises LockedError or OSError."""
        path = self._folder / "daemon.lock"
        if self._inode is None or not path.exists() or path.stat().st_ino != self._inode:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._held.enter_context(daemon_lock(self._folder))
            self._inode = path.stat().st_ino


@contextmanager
def write_lock(
    folder: Path,
    npm_url: str | None,
    *,
    timeout: float | None = None,
    on_wait: Callable[[str], object] = lambda _: None,
    stop: Callable[[], bool] = lambda: False,
) -> Iterator[None]:
    """Held from reading NPM for a plan to the last write of it.

    It excludes others with this state folder, and those with another that write to the same
    NPM, if one is given, from this machine. Waits up to `timeout` seconds (None: without end,
    until `stop`), calling `on_wait` with a sentence about who holds it. Raises LockedError.
    """
    wait = _Wait(None if timeout is None else time.monotonic() + timeout, on_wait, stop)
    with ExitStack() as held:
        file = held.enter_context(open_private(folder / "write.lock"))
        wait.until(lambda: _try(file), lambda: _holder(file))
        _sign(file)
        # The folder's comes first everywhere, so that no two wait for each other.
        for key in npm_keys(npm_url) if npm_url else ():
            wait.until(partial(_hold, held, key), partial(_stranger, key))
        yield


@dataclass(frozen=True)
class _Wait:
    """How long to wait, and whom to tell of it."""

    deadline: float | None
    on_wait: Callable[[str], object]
    stop: Callable[[], bool]

    def until(self, attempt: Callable[[], bool], holder: Callable[[], str]) -> None:
        waiting = False
        while not attempt():
            if self.stop() or (self.deadline is not None and time.monotonic() >= self.deadline):
                raise LockedError(
                    f"another proxysync{holder()} is still writing to NPM",
                    hint="Try again, or wait longer with --lock-timeout SECONDS.",
                )
            if not waiting:
                waiting = True
                self.on_wait(f"waiting for another proxysync{holder()} that is writing to NPM")
            time.sleep(POLL)


def _hold(held: ExitStack, key: str) -> bool:
    lock = try_lock(key)
    if lock is not None:
        held.enter_context(lock)
    return lock is not None


def _stranger(key: str) -> str:
    return f"{lock_holder(key)} with another state folder"


def daemon_pid(folder: Path) -> int | None:
    """The pid of the daemon that runs on this folder, None if there is none."""
    path = folder / "daemon.lock"
    if not path.exists():
        return None
    with path.open("a+") as file:
        return None if _try(file) else _pid(file)


def is_writing(folder: Path) -> bool:
    """Whether a proxysync with this folder is writing to NPM at this moment."""
    try:
        with (folder / "write.lock").open() as file:
            return not _try(file, fcntl.LOCK_SH)
    except OSError:
        return False


def _try(file: IO[str], how: int = fcntl.LOCK_EX) -> bool:
    try:
        fcntl.flock(file, how | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _sign(file: IO[str]) -> None:
    file.truncate(0)
    file.write(f"{os.getpid()}\n")
    file.flush()


def _pid(file: IO[str]) -> int | None:
    file.seek(0)
    text = file.read().strip()
    return int(text) if text.isdigit() else None


def _holder(file: IO[str]) -> str:
    pid = _pid(file)
    return f" (pid {pid})" if pid else ""
