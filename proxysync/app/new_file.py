"""A file for a person, written as a whole or not at all."""

import os
from contextlib import suppress
from pathlib import Path

from proxysync.model.errors import ProxysyncError
from proxysync.store.private import make_private


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


def write_file(path: Path, text: str, *, replace: bool, private: bool = False) -> None:
    """Writes the text beside the path first, so that nobody ever sees half of it.

    Without `replace`, what has the name by now is kept. What is `private` is for its owner alone,
    whatever was there. Raises ProxysyncError.
    """
    target = path.resolve() if replace else path
    beside = target.with_name(f".{target.name}.{os.getpid()}.tmp")
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
            beside.replace(target)
        else:
            os.link(beside, target)
    except FileExistsError:
        require_free(path)
        raise
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ProxysyncError(
            f"{path} cannot be written: {reason}",
            hint=f"Look at the owner and mode of {target.parent}, and at the room on its disk.",
            code="file.unwritable",
        ) from error
    finally:
        with suppress(OSError):
            beside.unlink()
