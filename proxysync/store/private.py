"""Files that nobody but their owner can read, or hold a lock on, from the moment they are made."""

import os
import secrets
import stat
from contextlib import suppress
from pathlib import Path
from typing import IO

MODE = 0o600
OTHERS = 0o077
"""The rights of everybody but the owner."""

OURS = ("state.db*", "events.jsonl*", "*.lock", "npm-token*")
"""What stands in a state folder."""


def open_private(path: Path) -> IO[str]:
    """Opens a text file to read and to append to, made for its owner alone if it is not there."""
    return os.fdopen(_open(path, os.O_RDWR | os.O_APPEND), "a+")


def make_private(path: Path, *, is_new: bool = False) -> None:
    """Makes an empty file, for its owner alone, if there is none; it must be none if it `is_new`.

    Raises FileExistsError.
    """
    if is_new:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, MODE))
    else:
        os.close(_open(path, os.O_RDWR))


def _open(path: Path, flags: int) -> int:
    """A descriptor of the file. As with SQLite's, what root makes is the owner's of the folder."""
    flags |= os.O_CREAT | os.O_CLOEXEC
    try:
        descriptor = os.open(path, flags | os.O_EXCL, MODE)
    except FileExistsError:
        return os.open(path, flags, MODE)
    _give_to_owner_of(path.parent, descriptor)
    return descriptor


def _give_to_owner_of(folder: Path, descriptor: int) -> None:
    if os.geteuid() == 0:
        owner = folder.stat()
        os.fchown(descriptor, owner.st_uid, owner.st_gid)


def read_private(path: Path, limit: int) -> str | None:
    """The text of a file that nobody else can read or has written, of `limit` bytes at most.

    None where it is another. Raises OSError, and ValueError for what is no text.
    """
    # Without O_NONBLOCK, opening a FIFO would wait for a writer.
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    with os.fdopen(os.open(path, flags), "rb") as file:
        found = os.fstat(file.fileno())
        owners = {os.geteuid()} | ({path.parent.stat().st_uid} if os.geteuid() == 0 else set())
        is_ours = found.st_uid in owners and found.st_nlink == 1
        if not is_ours or not stat.S_ISREG(found.st_mode) or found.st_mode & OTHERS:
            return None
        content = file.read(limit + 1)
    return content.decode() if len(content) <= limit else None


def replace_private(path: Path, text: str) -> None:
    """Puts a file with this text in the place of what is there, whole or not at all.

    Raises OSError.
    """
    new = path.with_name(f"{path.name}.{os.getpid()}.{secrets.token_hex(8)}")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(new, flags, MODE)
    try:
        with os.fdopen(descriptor, "w") as file:
            _give_to_owner_of(path.parent, file.fileno())
            file.write(text)
        new.replace(path)
    except BaseException:
        new.unlink(missing_ok=True)
        raise


def link_of_others(folder: Path) -> Path | None:
    """A link in somebody else's folder, through which root would write to wherever they like."""
    if os.geteuid() != 0 or folder.stat().st_uid == 0:
        return None
    return next((path for path in folder.iterdir() if path.is_symlink()), None)


def tighten(folder: Path) -> None:
    """Takes the rights of others from what stands in a state folder: a copy brings its own, say.

    Those of the folder are its owner's affair. What is not ours to change is left alone.
    """
    for pattern in OURS:
        for path in folder.glob(pattern):
            with suppress(OSError):
                if path.stat().st_mode & OTHERS and not path.is_symlink():
                    path.chmod(MODE)
