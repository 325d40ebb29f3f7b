"""What a commit has, as plain files in a folder: regular files alone, and not too many."""

import os
import re
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from proxysync.git.errors import GitError
from proxysync.git.place import COMMIT
from proxysync.git.program import Git
from proxysync.model.text import one_line

MOST_FILES = 2000
MOST_BYTES = 32 * 1024 * 1024
"""Of all files of a commit together."""

LARGEST = 4 * 1024 * 1024
"""Bytes of one file. What is larger is left out: proxysync reads no such file."""

MOST_SUBJECT = 200
REF = "refs/proxysync/fetched"
BEGIN = "repository-"
"""How the folder of a repository is called that is there for one fetch only."""

_FILE = re.compile(r"100[0-7]{3}")
_ELSEWHERE = "Push the file there, or name another by PROXYSYNC_GIT_PATH or PROXYSYNC_GIT_BRANCH."


@dataclass(frozen=True)
class Commit:
    """One commit, and the first line of what its author says of it."""

    id: str
    subject: str


@dataclass(frozen=True)
class _Entry:
    """One row of a tree; `size` is None for what is no file."""

    mode: str
    oid: str
    size: int | None
    name: str

    @property
    def is_file(self) -> bool:
        return _FILE.fullmatch(self.mode) is not None


def newest(git: Git) -> str:
    """The id of the commit that the remote's branch is at now. Raises GitError."""
    remote = git.remote
    # --exit-code is left out: an empty list and a failure are told apart by what is printed.
    rows = git.run(None, "ls-remote", "--quiet", "--", remote.url, remote.ref).decode()
    for row in rows.splitlines():
        commit, _, ref = row.partition("\t")
        if ref == remote.ref and COMMIT.fullmatch(commit):
            return commit
    if remote.branch is None:
        raise GitError(
            f"{remote.url} is empty, or its default branch is",
            hint="Push a commit, or name a branch by PROXYSYNC_GIT_BRANCH.",
            code="git.empty",
        )
    raise GitError(
        f"{remote.url} has no branch {remote.branch}",
        hint="Push it, or name another by PROXYSYNC_GIT_BRANCH.",
        code="git.no_branch",
    )


def fetch_into(git: Git, folder: Path) -> Commit:
    """Has the newest commit's files in `folder`, in one of its id; that is there as a whole or
    not at all.

    The repository is a new one each time: what an earlier try left behind stands in no one's way.
    Raises GitError.
    """
    with _repository(git) as repository:
        refspec = f"+{git.remote.ref}:{REF}"
        git.run(
            repository, "fetch", "--quiet", "--depth=1", "--no-tags", "--no-write-fetch-head",
            "--", git.remote.url, refspec,
        )  # fmt: skip
        commit = git.run(repository, "rev-parse", "--verify", f"{REF}^{{commit}}").decode().strip()
        if git.remote.allowed_signers is not None:
            _verify(git, repository, commit)
        _write(git, repository, _wanted(git, repository, commit), folder, commit)
        told = git.run(repository, "log", "-1", "--no-show-signature", "--format=%s", commit)
    return Commit(commit, one_line(told.decode(errors="replace").strip())[:MOST_SUBJECT])


@contextmanager
def _repository(git: Git) -> Iterator[Path]:
    for left in git.home.glob(f"{BEGIN}*"):
        shutil.rmtree(left, ignore_errors=True)
    try:
        repository = Path(tempfile.mkdtemp(prefix=BEGIN, dir=git.home))
    except OSError as error:
        raise _no_room(git.home, error) from error
    try:
        git.run(None, "init", "--quiet", "--bare", "--template=", str(repository))
        yield repository
    finally:
        shutil.rmtree(repository, ignore_errors=True)


def _verify(git: Git, repository: Path, commit: str) -> None:
    """Raises GitError unless one of the allowed signers has signed the commit."""
    done = git.attempt(repository, "verify-commit", commit)
    if done.returncode == 0:
        return
    said = done.stderr.decode(errors="replace").strip().splitlines()
    why = one_line(said[-1])[:MOST_SUBJECT] if said else "it has no signature"
    raise GitError(
        f"commit {commit[:12]} is not signed by one of {git.remote.allowed_signers}: {why}",
        hint="Sign it with such a key (git commit -S, with gpg.format ssh) and push it again, or "
        "add the key of its author to that file.",
        code="git.unsigned",
        commit=commit,
    )


def _wanted(git: Git, repository: Path, commit: str) -> list[tuple[PurePosixPath, _Entry]]:
    """The files to have, each with its path in the repository. Raises GitError."""
    path = git.remote.path
    base = path
    if path.parts:
        found = next(iter(_listed(git, repository, commit, "--", str(path))), None)
        _require(git, commit, found)
        base = path.parent if found is not None and found.is_file else path
    inside = str(base) if base.parts else ""
    entries = _listed(git, repository, f"{commit}:{inside}", recursive=True)
    files = [e for e in entries if e.is_file and e.size is not None and e.size <= LARGEST]
    total = sum(entry.size or 0 for entry in files)
    if len(files) > MOST_FILES or total > MOST_BYTES:
        raise GitError(
            f"commit {commit[:12]} of {git.remote.url} has {len(files)} files of "
            f"{total // 1024} KiB together around {path}; proxysync takes {MOST_FILES} files of "
            f"{MOST_BYTES // 1024} KiB",
            hint="Move the file into a folder of its own, and name it by PROXYSYNC_GIT_PATH.",
            code="git.too_much",
            commit=commit,
        )
    return [(base / _safe(entry.name, commit), entry) for entry in files]


def _require(git: Git, commit: str, found: _Entry | None) -> None:
    """Raises GitError unless the path is a file that can be had, or a folder."""
    why = None
    if found is None:
        why = f"has no {git.remote.path}"
    elif not found.is_file and found.mode != "040000":
        why = f"has {git.remote.path} as a symlink or a submodule, which are not followed"
    elif found.is_file and (found.size or 0) > LARGEST:
        why = f"has a {git.remote.path} of more than {LARGEST // 1024 // 1024} MiB"
    if why is not None:
        where = git.remote.url
        message = f"commit {commit[:12]} of {where} {why}"
        raise GitError(message, hint=_ELSEWHERE, code="git.path", commit=commit)


def _listed(
    git: Git, repository: Path, tree: str, *words: str, recursive: bool = False
) -> list[_Entry]:
    options = ("-r",) if recursive else ()
    rows = git.run(repository, "ls-tree", *options, "-z", "-l", "--full-tree", tree, *words)
    found = []
    for row in rows.split(b"\0")[:-1]:
        about, _, name = row.partition(b"\t")
        mode, _, oid, size = about.decode().split()
        number = int(size) if size.isdigit() else None
        found.append(_Entry(mode, oid, number, os.fsdecode(name)))
    return found


def _safe(name: str, commit: str) -> PurePosixPath:
    """The path of a file that stays below the folder it is put into. Raises GitError."""
    if any(part in ("", ".", "..") for part in name.split("/")):
        message = f"commit {commit[:12]} has a file that leads out of it: {one_line(name)}"
        hint = "Take it out of the repository."
        raise GitError(message, hint=hint, code="git.path", commit=commit)
    return PurePosixPath(name)


def _write(
    git: Git,
    repository: Path,
    wanted: Sequence[tuple[PurePosixPath, _Entry]],
    folder: Path,
    commit: str,
) -> None:
    """The files beside the place of the checkout, and then there."""
    target, beside = folder / commit, folder / f"{commit}.new"
    try:
        with tempfile.TemporaryFile(dir=repository) as asked:
            asked.writelines(f"{entry.oid}\n".encode() for _, entry in wanted)
            asked.seek(0)
            answer = git.run(repository, "cat-file", "--batch", "--buffer", stdin=asked)
        shutil.rmtree(beside, ignore_errors=True)
        beside.mkdir(mode=0o700, parents=True)
        at = 0
        for path, entry in wanted:
            start = answer.index(b"\n", at) + 1
            at = start + (entry.size or 0) + 1
            _put(beside / path, answer[start : at - 1])
        os.sync()  # after a power failure, a commit that is there is there as it was
        shutil.rmtree(target, ignore_errors=True)
        beside.rename(target)
    except OSError as error:
        raise _no_room(folder, error) from error


def _put(path: Path, content: bytes) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)


def _no_room(folder: Path, error: OSError) -> GitError:
    return GitError(
        f"the repository cannot be kept in {folder}: {error.strerror}",
        hint="Make room, or see to it that proxysync's user may write there.",
        code="git.folder",
    )
