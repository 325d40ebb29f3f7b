"""Opening `state.db`: WAL, migrations by `user_version`, and what to do with a damaged file."""

import errno
import os
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from proxysync.model.clock import file_stamp
from proxysync.model.errors import ProxysyncError
from proxysync.store.private import link_of_others, make_private, tighten
from proxysync.store.schema import MIGRATIONS

BUGS = (sqlite3.IntegrityError, sqlite3.ProgrammingError, sqlite3.NotSupportedError)
"""What SQLite says of a wrong statement, and not of the world around it."""

BUSY_TIMEOUT = 10.0
"""Seconds that a statement waits for another proxysync that is writing."""

OTHER_FOLDER = "Name one that this user may write to with PROXYSYNC_STATE_DIR or --state-dir."


OTHER_USER = (
    "Run this as the user that `proxysync run` runs as (with sudo -u, say): SQLite writes to the "
    "folder even to read."
)
SET_ASIDE = "`proxysync run` and `proxysync apply` set a damaged file aside and go on."


class StateError(ProxysyncError):
    """The state folder or its database cannot be used.

    `passing` tells that it may mend itself: a lock of somebody else, a full disk. With `damaged`
    the next one that writes sets it aside.
    """

    code = "state.error"

    def __init__(
        self,
        message: str,
        *,
        hint: str | None = None,
        passing: bool = False,
        damaged: bool = False,
    ) -> None:
        super().__init__(message, hint=hint)
        self.passing = passing
        self.damaged = damaged


class Database:
    """One connection, shared by the threads of a process; writes are one at a time.

    What the disk, or another program, does to it is a StateError. With `path`, nothing is
    written once the file is not there any more: it would be lost without a word.
    """

    def __init__(self, connection: sqlite3.Connection, path: Path | None = None) -> None:
        self._connection = connection
        self._path = path
        self._file = _identity(path)
        self._lock = threading.RLock()

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """A write transaction: committed at the end, rolled back on any error.

        One within another is a part of it.
        """
        with self._lock, self._explained("written"):
            if self._connection.in_transaction:
                yield self._connection
                return
            if self.is_lost():
                raise StateError(
                    f"{self._path} was removed while proxysync runs",
                    hint="The daemon writes it anew; a command has to be given again.",
                    passing=True,
                )
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
                self._connection.execute("COMMIT")
            except BaseException:
                with suppress(sqlite3.OperationalError):  # a full disk has ended it already
                    self._connection.execute("ROLLBACK")
                raise

    def query(self, sql: str, *values: object) -> list[sqlite3.Row]:
        with self._lock, self._explained("read"):
            return self._connection.execute(sql, values).fetchall()

    def is_lost(self) -> bool:
        """Whether the file was removed, or another one has come into its place."""
        return self._path is not None and _identity(self._path) != self._file

    def restore(self) -> str:
        """Takes up the file that has come into the place of the lost one, or makes it anew.

        Nothing is lost: until it is closed, SQLite has all of a file that was removed. Returns
        what was done, for a person. Raises StateError.
        """
        path = self._path
        assert path is not None
        with self._lock, self._explained("written anew"):
            gone = _identity(path) is None
            if gone:
                make_folder(path.parent)
                self._copy_to(path.with_name(f"{path.name}.new"))
            self._leave(path.with_name(f"{path.name}-wal"), others=not gone)
            if gone:
                path.with_name(f"{path.name}.new").rename(path)
            self._connection, _ = _open(path, may_set_aside=False)
            self._file = _identity(path)
        done = "it is written anew, with all that was in it" if gone else "the new one is used now"
        return f"{path} was {'removed' if gone else 'replaced'} while proxysync runs: {done}"

    def be_brief(self) -> None:
        """From now on a statement waits only a second for others."""
        with self._lock:
            self._connection.execute("PRAGMA busy_timeout = 1000")

    def _copy_to(self, path: Path) -> None:
        path.unlink(missing_ok=True)
        make_private(path)
        with closing(sqlite3.connect(path)) as target:
            self._connection.backup(target)

    def _leave(self, wal: Path, *, others: bool) -> None:
        """Closes the connection to the lost file.

        SQLite then deletes the log beside it by its name: `others` says that one that is there
        belongs to the file that has come into its place, and has to stay.
        """
        kept = wal.with_name(f"{wal.name}.kept")
        with suppress(FileNotFoundError):
            wal.rename(kept)
        try:
            self._connection.close()
        finally:
            with suppress(FileNotFoundError):
                if others:
                    kept.rename(wal)
                else:
                    kept.unlink()

    @contextmanager
    def _explained(self, what: str) -> Iterator[None]:
        try:
            yield
        except (sqlite3.DatabaseError, OSError) as error:
            if isinstance(error, BUGS) and "closed database" not in str(error):
                raise
            raise explain(error, f"{self._path or 'the state'} cannot be {what}") from error

    def close(self) -> None:
        with self._lock:
            self._connection.close()


def open_for_writing(path: Path) -> tuple[Database, Path | None]:
    """Opens or makes the database and brings it to the newest version.

    A damaged file is set aside, and its new path is the second value: NPM's markers and the
    next plan rebuild what it held. Raises StateError if the folder cannot be used or the
    file is of a newer proxysync.
    """
    connection, aside = _open(path)
    return Database(connection, path), aside


def _open(path: Path, *, may_set_aside: bool = True) -> tuple[sqlite3.Connection, Path | None]:
    make_folder(path.parent)
    _may(path, os.R_OK | os.W_OK)
    aside = None
    try:
        connection = _open_checked(path)
    except sqlite3.DatabaseError as error:
        passing = isinstance(error, sqlite3.OperationalError) and not _is_damage(error)
        if passing or not may_set_aside:
            raise explain(error, f"{path} cannot be opened") from error
        aside = _quarantine(path)
        connection = _open_checked(path)
    try:
        _migrate(connection, path)
    except (sqlite3.OperationalError, OSError) as error:
        connection.close()
        raise explain(error, f"{path} cannot be opened") from error
    except BaseException:
        connection.close()
        raise
    return connection, aside


def open_for_reading(path: Path) -> Database | None:
    """Opens the database without changing it; None if there is none that can be read.

    Raises StateError if it is there but damaged, of a newer release, or not ours to read.
    """
    if not _may(path, os.R_OK):
        return None
    try:
        connection = _connect(f"{path.resolve().as_uri()}?mode=ro")
        try:
            version = _version(connection)
        except BaseException:
            connection.close()
            raise
    except sqlite3.DatabaseError as error:
        damaged = _is_damage(error)
        raise StateError(
            f"{path} cannot be read: {error}",
            hint=SET_ASIDE if damaged else OTHER_USER,
            damaged=damaged,
        ) from error
    if version != len(MIGRATIONS):
        connection.close()
        if version > len(MIGRATIONS):
            raise _newer(path, version)
        return None
    return Database(connection, path)


def _may(path: Path, mode: int) -> bool:
    """Whether the file is there, and ours to use so. Raises StateError if it is not ours."""
    try:
        if path.parent.exists() and not path.parent.is_dir():
            raise StateError(f"the state folder {path.parent} is no folder", hint=OTHER_FOLDER)
        if not path.exists():
            return False
        if not os.access(path, mode):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    except PermissionError as error:
        what = "written" if mode & os.W_OK else "read"
        raise StateError(f"{path} cannot be {what}: {error.strerror}", hint=OTHER_USER) from error
    return True


@contextmanager
def wrap_read_errors(what: str) -> Iterator[None]:
    """Makes a StateError of what SQLite complains of while it reads: `what` cannot be read."""
    try:
        yield
    except (sqlite3.DatabaseError, StateError) as error:
        cause = error.__cause__ if isinstance(error, StateError) else error
        if not isinstance(cause, sqlite3.DatabaseError):
            raise
        raise StateError(
            f"{what} cannot be read: {cause}", hint=SET_ASIDE if _is_damage(cause) else OTHER_USER
        ) from cause


def explain(error: Exception, what: str) -> StateError:
    """`what` failed by this error of SQLite or the system; as a StateError."""
    reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
    name = getattr(error, "sqlite_errorname", "") or ""
    if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
        hint = "Another program has it locked: a backup, perhaps. Wait for its end, or end it."
        return StateError(f"{what}: {reason}", hint=hint, passing=True)
    number = error.errno if isinstance(error, OSError) else None
    if name == "SQLITE_FULL" or number in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        hint = "Make room on the disk of the state folder."
        return StateError(f"{what}: {reason}", hint=hint, passing=True)
    hint = "Check the rights and the disk of the state folder, and whether it is mounted."
    return StateError(f"{what}: {reason}", hint=hint)


def make_folder(folder: Path) -> None:
    """Makes the state folder, for its owner alone; in one that is there, so are our files.

    Raises StateError if that fails.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except FileExistsError as error:
        raise StateError(f"the state folder {folder} is no folder", hint=OTHER_FOLDER) from error
    except OSError as error:
        raise StateError(
            f"the state folder {folder} cannot be made: {error.strerror}",
            hint=OTHER_FOLDER,
        ) from error
    if not os.access(folder, os.W_OK | os.X_OK):
        raise StateError(f"the state folder {folder} cannot be written to", hint=OTHER_FOLDER)
    if link := link_of_others(folder):
        raise StateError(
            f"{link} is a link in a folder that is not root's, and root follows none there",
            hint="Remove it, or run this as the user that `proxysync run` runs as.",
        )
    tighten(folder)


def _identity(path: Path | None) -> tuple[int, int] | None:
    try:
        found = path.stat() if path is not None else None
    except OSError:
        return None
    return (found.st_dev, found.st_ino) if found else None


def _connect(uri: str) -> sqlite3.Connection:
    connection = sqlite3.connect(
        uri, uri=True, timeout=BUSY_TIMEOUT, isolation_level=None, check_same_thread=False
    )
    connection.row_factory = sqlite3.Row
    return connection


def _open_checked(path: Path) -> sqlite3.Connection:
    # SQLite gives the files beside it the mode of this one.
    with suppress(OSError):  # for which SQLite finds the better words
        make_private(path)
    connection = _connect(path.resolve().as_uri())
    try:
        _use_wal(connection)
        connection.execute("PRAGMA synchronous = FULL")
        found = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
        if found != "ok":
            raise sqlite3.DatabaseError(found)
    except BaseException:
        connection.close()
        raise
    return connection


def _use_wal(connection: sqlite3.Connection) -> None:
    """SQLite does not wait for its lock here, though two may open a new file at once."""
    deadline = time.monotonic() + BUSY_TIMEOUT
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > deadline:
                raise
            time.sleep(0.02)
        else:
            return


def _is_damage(error: sqlite3.Error) -> bool:
    name = getattr(error, "sqlite_errorname", "") or ""
    return name.startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB"))


def _quarantine(path: Path) -> Path:
    aside = path.with_name(f"{path.name}.damaged-{file_stamp()}")
    path.replace(aside)
    for suffix in ("-wal", "-shm"):
        leftover = path.with_name(path.name + suffix)
        if leftover.exists():
            leftover.replace(aside.with_name(aside.name + suffix))
    return aside


def _migrate(connection: sqlite3.Connection, path: Path) -> None:
    connection.execute("BEGIN IMMEDIATE")
    try:
        version = _version(connection)
        if version > len(MIGRATIONS):
            raise _newer(path, version)
        for step in MIGRATIONS[version:]:
            for statement in filter(None, (part.strip() for part in step.split(";"))):
                connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {len(MIGRATIONS)}")
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def _newer(path: Path, version: int) -> StateError:
    return StateError(
        f"{path} was written by a newer proxysync (version {version} of its tables, "
        f"this one knows {len(MIGRATIONS)})",
        hint="Run that newer release again, or name another folder with PROXYSYNC_STATE_DIR.",
    )
