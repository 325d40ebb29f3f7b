"""The file as git has it in a revision: read by `git`, which runs and fetches nothing for it."""

import os
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from proxysync.config import source
from proxysync.config.source import Source
from proxysync.model.errors import ProxysyncError
from proxysync.model.text import one_line

WHERE_GIT_IS = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX", "GIT_COMMON_DIR")
"""What git's own hooks set for theirs: the repository is that of the file."""

QUIETLY = {"GIT_OPTIONAL_LOCKS": "0", "GIT_ALLOW_PROTOCOL": "none", "GIT_TERMINAL_PROMPT": "0"}
"""A partial clone would else fetch what it lacks, by whatever program it has for that."""

_OBJECT = re.compile("[0-9a-f]{40,64}")
_HINT = (
    "Write a path, or a branch, tag or commit. If it is in the repository, the clone may be a "
    "shallow one: fetch it first (in CI, check out with the whole history)."
)


@dataclass(frozen=True)
class _Blob:
    name: str
    oid: str


def read(path: Path, revision: str) -> tuple[Source, ...]:
    """The file, or the `*.yaml` files of the folder, as they were; none if they were not there.

    Raises ProxysyncError, and ConfigError if they are too large.
    """
    path = path.resolve()
    folder = path if path.is_dir() else path.parent
    commit = _commit(folder, revision)
    prefix = os.fsdecode(_git(folder, "rev-parse", "--show-prefix").stdout).removesuffix("\n")
    found: list[Source] = []
    left = source.MAX_BYTES
    for blob in _blobs(folder, f"{commit}:{prefix.removesuffix('/')}"):
        if source.is_taken(blob.name) if path.is_dir() else blob.name == path.name:
            name = f"{revision}:{prefix}{blob.name}"
            content = _content(folder, blob, name, left)
            left -= len(content)
            found.append(Source(name, content))
    return tuple(found)


def _commit(folder: Path, revision: str) -> str:
    # What starts with a dash is no revision but an option of git's.
    why = ""
    if not revision.startswith("-") and revision.isprintable():
        done = _git(folder, "rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}")
        commit = done.stdout.decode(errors="replace").strip()
        if done.returncode == 0 and _OBJECT.fullmatch(commit):
            return commit
        first = done.stderr.decode(errors="replace").partition("\n")[0]
        why = f": {first.removeprefix('fatal: ')}" if first else ""
    raise ProxysyncError(
        f"{one_line(revision)} is neither a file nor a folder, nor a revision that git knows{why}",
        hint=_HINT,
    )


def _blobs(folder: Path, tree: str) -> Iterator[_Blob]:
    """The files in a folder of the repository, by name; none if there is no such folder."""
    known = _git(folder, "rev-parse", "--verify", "--quiet", tree)
    if known.returncode != 0:
        return
    listed = _git(folder, "ls-tree", "-z", "--full-tree", known.stdout.decode().strip())
    for line in listed.stdout.split(b"\0"):
        about, _, name = line.partition(b"\t")
        if about.startswith(b"100"):
            yield _Blob(os.fsdecode(name), about.split()[2].decode())


def _content(folder: Path, blob: _Blob, name: str, limit: int) -> bytes:
    size = _git(folder, "cat-file", "-s", blob.oid)
    if size.returncode == 0 and int(size.stdout) > limit:
        raise source.too_large(name)
    # Not `git show`, which may have its output changed by what the repository configures.
    done = _git(folder, "cat-file", "blob", blob.oid)
    if done.returncode != 0:
        raise ProxysyncError(f"{name} is not in this clone", hint=_HINT)
    return done.stdout


def _git(folder: Path, *words: str) -> "subprocess.CompletedProcess[bytes]":
    environ = {
        name: value
        for name, value in os.environ.items()
        if name not in WHERE_GIT_IS and not name.startswith("PROXYSYNC_")
    }
    try:
        return subprocess.run(  # noqa: S603 - a revision that looks like an option is refused
            ["git", "-C", str(folder), *words],  # noqa: S607 - the one that the person uses
            env={**environ, **QUIETLY, "LC_ALL": "C"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
        )
    except OSError as error:
        raise ProxysyncError(
            f"git cannot be run: {error.strerror}", hint="Install it, or compare with a file."
        ) from error
