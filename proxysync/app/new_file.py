"""A file for a person, written as a whole or not at all."""

import errno
import fcntl
import os
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path

from proxysync.model.errors import ProxysyncError
from proxysync.store.private import make_private

LOCK_PATIENCE = 5.0
"""Seconds to wait for others, who have a folder for themselves for milliseconds."""


class ChangedError(ProxysyncError):
    """The file is not the one any more that was to be replaced."""

    code = "config.edit"

    def __init__(self, path: Path) -> None:
        super().__init__(f"{path} was changed by somebody else just now", hint="Try again.")


class LockedError(ProxysyncError):
    """Somebody else has the folder for themselves."""

    code = "config.edit"

    def __init__(self, folder: Path) -> None:
        super().__init__(f"another process holds a lock on {folder}", hint="Try again.")


def require_free(path: Path) -> None:
    """Raises ProxysyncError if something has this name already."""
    if os.path.lexists(path):
        raise ProxysyncError(f"{path} is there already", hint="--force replaces it.")


def _like(path: Path, model: Path) -> None:
    """Gives the file the mode and the owner of the one whose place it takes, if there is one."""
    with suppress(FileNotFoundError):
        found = model.stat()
        path.chmod(found.st_mode & 0o777)
        with suppress(PermissionError):
            os.chown(path, found.st_uid, found.st_gid)


def write_file(
    path: Path,
    text: str,
    *,
    replace: bool,
    private: bool = False,
    instead_of: bytes | None = None,
) -> None:
    """Writes the text beside the path first, so that nobody ever sees half of it.

    Without `replace`, what has the name by now is kept; with `instead_of`, only this content is
    replaced. What is `private` is for its owner alone, whatever was there. Raises ProxysyncError.
    """
    target = path.resolve() if replace else path
    # In a container each process may have the id of one that was killed.
    beside = target.with_name(f".{target.name}.{secrets.token_hex(8)}.tmp")
    try:
        if private:
            make_private(beside, is_new=True)
        with beside.open("w" if private else "x", encoding="utf-8", newline="\n") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        if replace:
            if not private:
                _like(beside, target)
            with nullcontext() if instead_of is None else _alone_in(target.parent):
                if instead_of is not None and target.read_bytes() != instead_of:
                    raise ChangedError(path)
                beside.replace(target)
        else:
            os.link(beside, target)
    except FileExistsError:
        require_free(path)
        raise
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        look = f"Look at the owner and mode of {target.parent}, and at the room on its disk."
        is_mount = getattr(error, "errno", None) == errno.EBUSY
        raise ProxysyncError(
            f"{path} cannot be written: {reason}",
            hint="Mount the folder that holds the file, not the file." if is_mount else look,
            code="file.unwritable",
        ) from error
    finally:
        with suppress(OSError):
            beside.unlink()


@contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    """Keeps every other proxysync from replacing a file in the folder meanwhile.

    Editors know nothing of that. Where the file system has no locks, there is none.
    """
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    end = time.monotonic() + LOCK_PATIENCE
    try:
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                if time.monotonic() >= end:
                    raise LockedError(folder) from error
                time.sleep(0.01)
            except OSError:
                break
            else:
                break
        yield
    finally:
        os.close(descriptor)
