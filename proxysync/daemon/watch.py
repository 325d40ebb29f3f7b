"""Notices that the file may have changed; whether it did is decided by its content."""

import os
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from watchdog.events import FileSystemEvent, FileSystemEventHandler
from watchdog.observers import Observer
from watchdog.observers.api import BaseObserver

Stamp = tuple[tuple[str, int, int, int], ...]

MOST_LINKS = 64
"""Symlinks that are followed on the way to the file; Linux itself follows 40."""

TRY_AGAIN = 60.0
"""Seconds between two tries to watch what the system would not let us watch."""


class FileWatcher:
    """Calls `on_change` (from a thread of its own) when something happened around the file.

    The folders of the path and of every symlink on the way to the file are watched, so that
    an atomic rename, a git checkout and a swapped symlink are seen as well as a plain save.
    `arm` is to be called again after each change, for the symlinks may point elsewhere; it hears
    of the files that entries name, which are watched likewise.

    Where the system has no watches left, `poll` alone sees changes: `on_blind` hears why, and of
    None once all is watched again.
    """

    def __init__(
        self,
        path: Path,
        on_change: Callable[[], object],
        on_blind: Callable[[str | None], object] = lambda _reason: None,
    ) -> None:
        self._path = _absolute(path)
        self._paths: tuple[Path, ...] = (self._path,)
        self._on_change = on_change
        self._on_blind = on_blind
        self._observer: BaseObserver | None = None
        self._watched: frozenset[Path] = frozenset()
        self._stamp: Stamp = ()
        self._blind: str | None = None
        self._again_at = 0.0

    def arm(self, attachments: Iterable[Path] = ()) -> None:
        """Watches the folders that matter now."""
        self._paths = (self._path, *map(_absolute, attachments))
        self._stamp = _stamps(self._paths)
        found = frozenset[Path]().union(*map(_folders, self._paths))
        folders = frozenset(folder for folder in found if folder.is_dir())
        if folders == self._watched and self._is_alive():
            return
        self.close()
        reason = self._watch(folders)
        if reason != self._blind:
            self._blind = reason
            self._on_blind(reason)
        self._again_at = time.monotonic() + TRY_AGAIN

    def poll(self) -> None:
        """Looks by itself, for file systems that report nothing (NFS, some bind mounts)."""
        changed = _stamps(self._paths) != self._stamp
        lost = self._blind is not None or not self._is_alive()
        if changed:
            self._on_change()
        if changed or (lost and time.monotonic() >= self._again_at):
            self.arm(self._paths[1:])

    def close(self) -> None:
        if self._observer is not None:
            self._observer.stop()
            self._observer.join()
        self._observer, self._watched = None, frozenset()

    def _watch(self, folders: frozenset[Path]) -> str | None:
        """Watches what it can; returns why it could not watch all that is there."""
        reason = None
        watched = set()
        try:
            observer = Observer()
            observer.daemon = True
            observer.start()
        except (OSError, RuntimeError) as error:  # no memory for a thread, say
            return _reason(error)
        self._observer = observer
        handler = _Handler(self._on_change)
        for folder in folders:
            try:
                observer.schedule(handler, str(folder))
                watched.add(folder)
            except (OSError, RuntimeError) as error:
                if folder.is_dir():  # else it went just now, and `poll` sees what comes of it
                    reason = _reason(error)
        self._watched = frozenset(watched)
        return reason

    def _is_alive(self) -> bool:
        """Whether the threads that watch are there; one may have met an error."""
        observer = self._observer
        return observer is not None and all(
            thread.is_alive() for thread in (observer, *observer.emitters)
        )


class _Handler(FileSystemEventHandler):
    """Every event but a mere reading counts."""

    def __init__(self, on_change: Callable[[], object]) -> None:
        self._on_change = on_change

    def dispatch(self, event: FileSystemEvent) -> None:
        if event.event_type not in ("opened", "closed_no_write"):
            self._on_change()


def _folders(path: Path) -> set[Path]:
    """The folder of the path, the path itself if it is one, and those of all symlinks in it."""
    found: set[Path] = set()
    queue, seen = [path], set[Path]()
    while queue and len(seen) < MOST_LINKS:  # links that lead to each other have no end
        current = queue.pop()
        if current in seen:
            continue
        seen.add(current)
        found |= {current.parent, current}
        for part in (current, *current.parents):
            target = _target(part)
            if target is not None:
                found.add(part.parent)
                queue.append(part.parent / target / current.relative_to(part))
    return found


def _target(path: Path) -> str | None:
    """Where a symlink leads; None for what is none."""
    try:
        return os.readlink(path)  # noqa: PTH115 - a Path would cost a second look at it
    except (OSError, ValueError):
        return None


def _stamps(paths: Iterable[Path]) -> Stamp:
    return tuple(look for path in paths for look in _stamp(path))


def _stamp(path: Path) -> Stamp:
    try:
        files = sorted(path.iterdir()) if path.is_dir() else [path]
    except OSError:
        files = [path]
    return tuple(_look(file) for file in files)


def _look(file: Path) -> tuple[str, int, int, int]:
    try:
        stat = file.stat()
        # Unlike Path.resolve, it takes links that lead to each other.
        return os.path.realpath(file), stat.st_ino, stat.st_mtime_ns, stat.st_size
    except (OSError, ValueError):
        return str(file), 0, 0, 0


def _absolute(path: Path) -> Path:
    try:
        return path.absolute()
    except OSError:  # the folder that we were started in is gone
        return path


def _reason(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error)
