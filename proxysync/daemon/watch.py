"""Notices that the file may have changed; whether it did is decided by its content."""

from collections.abc import Callable
from pathlib import Path

from watchdog.events import FileSystemEvent, FileSystemEventHandler
from watchdog.observers import Observer
from watchdog.observers.api import BaseObserver

Stamp = tuple[tuple[str, int, int, int], ...]


class FileWatcher:
    """Calls `on_change` (from a thread of its own) when something happened around the file.

    The folders of the path and of every symlink on the way to the file are watched, so that
    an atomic rename, a git checkout and a swapped symlink are seen as well as a plain save.
    `arm` is to be called again after each change, for the symlinks may point elsewhere.
    """

    def __init__(self, path: Path, on_change: Callable[[], object]) -> None:
        self._path = path
        self._on_change = on_change
        self._observer: BaseObserver | None = None
        self._watched: frozenset[Path] = frozenset()
        self._stamp: Stamp = ()

    def arm(self) -> None:
        """Watches the folders that matter now."""
        self._stamp = _stamp(self._path)
        folders = frozenset(folder for folder in _folders(self._path) if folder.is_dir())
        if folders == self._watched:
            return
        self.close()
        observer = Observer()
        handler = _Handler(self._on_change)
        watched = set()
        for folder in folders:
            try:
                observer.schedule(handler, str(folder))
                watched.add(folder)
            except OSError:
                continue  # no more inotify watches, or the folder just went: `poll` still sees it
        observer.daemon = True
        observer.start()
        self._observer, self._watched = observer, frozenset(watched)

    def poll(self) -> None:
        """Looks by itself, for file systems that report nothing (NFS, some bind mounts)."""
        if _stamp(self._path) != self._stamp:
            self.arm()
            self._on_change()

    def close(self) -> None:
        if self._observer is not None:
            self._observer.stop()
            self._observer.join()
        self._observer, self._watched = None, frozenset()


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
    queue, seen = [path.absolute()], set[Path]()
    while queue:
        current = queue.pop()
        if current in seen:
            continue
        seen.add(current)
        found |= {current.parent, current}
        for part in (current, *current.parents):
            if part.is_symlink():
                found.add(part.parent)
                queue.append(part.parent / part.readlink() / current.relative_to(part))
    return found


def _stamp(path: Path) -> Stamp:
    try:
        files = sorted(path.iterdir()) if path.is_dir() else [path]
        stats = [(str(file.resolve()), file.stat()) for file in files]
    except OSError:
        return ()
    return tuple((name, stat.st_ino, stat.st_mtime_ns, stat.st_size) for name, stat in stats)
