"""The bytes of a file, or of the YAML files of a folder; nothing that could hang or swamp us."""

import hashlib
import os
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from proxysync.config.errors import ConfigError, Problem

MAX_BYTES = 4 * 1024 * 1024
"""Of all files together: room for some ten thousand proxies."""

SUFFIXES = (".yaml", ".yml")
_CREATE = "`proxysync demo` shows a file that works; -f or PROXYSYNC_FILE names another"


@dataclass(frozen=True)
class Source:
    """One file as it was read; `name` is how messages call it."""

    name: str
    content: bytes


def read(path: Path, root: Path = Path()) -> tuple[Source, ...]:
    """The file, or all `*.yaml` and `*.yml` directly in the folder, by name.

    They are below `root`, of which messages say nothing. Raises ConfigError where that cannot be
    done.
    """
    files = _listed(path, root) if (root / path).is_dir() else [path]
    sources: list[Source] = []
    left = MAX_BYTES
    for file in files:
        content = _content(file, root, left)
        left -= len(content)
        sources.append(Source(str(file), content))
    return tuple(sources)


class UnreadableError(Exception):
    """Why nothing can be had from a path, and what to do about it; it does not say which."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class MissingError(UnreadableError):
    """There is no such file."""


def beginning(path: Path, limit: int) -> bytes:
    """The first `limit` bytes of a file. Raises UnreadableError."""
    try:
        # Without O_NONBLOCK, opening a FIFO would wait for a writer.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise UnreadableError("is no regular file", "give the file itself")
            return file.read(limit)
    except FileNotFoundError as error:
        raise MissingError("does not exist", "check the path") from error
    except IsADirectoryError as error:
        raise UnreadableError("is a directory", "give the file itself") from error
    except (OSError, ValueError) as error:
        reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
        raise UnreadableError(f"cannot be read: {reason}", "check its owner and mode") from error


def is_detached(path: Path) -> bool:
    """Whether this is a file that has no name any more, though we still see it.

    So it is with a single file that is mounted into a container, once it was replaced outside.
    """
    try:
        found = path.stat()
    except (OSError, ValueError):
        return False
    return stat.S_ISREG(found.st_mode) and found.st_nlink == 0


def digest(sources: Sequence[Source]) -> str:
    """A hash (SHA-256, hex) of the files' content, whatever and wherever they are called."""
    whole = hashlib.sha256()
    for part in sorted(hashlib.sha256(source.content).digest() for source in sources):
        whole.update(part)
    return whole.hexdigest()


def failure(name: str, message: str, hint: str | None = None) -> ConfigError:
    """An error about a file as a whole."""
    return ConfigError([Problem(name, 0, 0, "", message, hint)])


def is_taken(name: str) -> bool:
    """Whether a file in a folder is one of those that are read as one."""
    # What starts like this is hidden or left over by an editor.
    return name.endswith(SUFFIXES) and name[0] not in ".#~"


def _listed(folder: Path, root: Path) -> list[Path]:
    try:
        names = sorted(entry.name for entry in (root / folder).iterdir())
    except OSError as error:
        raise failure(str(folder), f"cannot be read: {error.strerror}") from error
    files = [folder / name for name in names if is_taken(name)]
    files = [file for file in files if not (root / file).is_dir()]
    if not files:
        raise failure(str(folder), "is a folder without a *.yaml file in it", _CREATE)
    return files


def too_large(name: str) -> ConfigError:
    """The error about the file with which all together are too large."""
    size = f"{MAX_BYTES // 1024 // 1024} MiB"
    return failure(name, f"is too large: proxysync reads {size} in all", "is it the right file?")


def _content(path: Path, root: Path, limit: int) -> bytes:
    name = str(path)
    try:
        content = beginning(root / path, limit + 1)
    except UnreadableError as error:
        hint = _CREATE if isinstance(error, MissingError) else error.hint
        raise failure(name, error.message, hint) from error
    if len(content) > limit:
        raise too_large(name)
    return content
