"""Files that nobody but their owner can read, or hold a lock on, from the moment they are made."""

import os
from contextlib import suppress
from pathlib import Path
from typing import IO

MODE = 0o600
OTHERS = 0o077
"""The rights of everybody but the owner."""

OURS = ("state.db*", "events.jsonl*", "*.lock")
"""What stands in a state folder."""


def open_private(path: Path) -> IO[str]:
    """Opens a text file to read and to append to, made for its owner alone if it is not there."""
    flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
    return os.fdopen(os.open(path, flags, MODE), "a+")


def make_private(path: Path, *, is_new: bool = False) -> None:
    """Makes an empty file, for its owner alone, if there is none; it must be none if it `is_new`.

    Raises FileExistsError.
    """
    exclusive = os.O_EXCL if is_new else 0
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | exclusive | os.O_CLOEXEC, MODE))


def tighten(folder: Path) -> None:
    """Takes the rights of others from what stands in a state folder: a copy brings its own, say.

    Those of the folder are its owner's affair. What is not ours to change is left alone.
    """
    for pattern in OURS:
        for path in folder.glob(pattern):
            with suppress(OSError):
                if path.stat().st_mode & OTHERS and not path.is_symlink():
                    path.chmod(MODE)
