"""Locks in the state folder: one daemon per folder, one writer at a time.

The kernel holds them for the process, so one left behind by a dead process is no lock.
"""

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from proxysync.errors import ProxysyncError

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
    with (folder / "daemon.lock").open("a+") as file:
        if not _try(file):
            raise LockedError(
                f"another proxysync daemon{_holder(file)} runs on the state folder {folder}",
                hint="Stop it first, or give this one its own folder with PROXYSYNC_STATE_DIR.",
            )
        _sign(file)
        yield


@contextmanager
def write_lock(
    folder: Path,
    *,
    timeout: float | None = None,
    on_wait: Callable[[str], object] = lambda _: None,
    stop: Callable[[], bool] = lambda: False,
) -> Iterator[None]:
    """Held from reading NPM for a plan to the last write of it.

    Waits up to `timeout` seconds (None: without end, until `stop`), calling `on_wait` once
    with a sentence about who holds it. Raises LockedError.
    """
    with (folder / "write.lock").open("a+") as file:
        deadline = None if timeout is None else time.monotonic() + timeout
        waiting = False
        while not _try(file):
            if stop() or (deadline is not None and time.monotonic() >= deadline):
                raise LockedError(
                    f"another proxysync{_holder(file)} is still writing to NPM",
                    hint="Try again, or wait longer with --lock-timeout SECONDS.",
                )
            if not waiting:
                waiting = True
                on_wait(f"waiting for another proxysync{_holder(file)} that is writing to NPM")
            time.sleep(POLL)
        _sign(file)
        yield


def daemon_pid(folder: Path) -> int | None:
    """The pid of the daemon that runs on this folder, None if there is none."""
    path = folder / "daemon.lock"
    if not path.exists():
        return None
    with path.open("a+") as file:
        return None if _try(file) else _pid(file)


def _try(file: IO[str]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
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
