"""The state folder, and the daemon that has it."""

import os
import pwd
import shutil
from contextlib import suppress
from functools import partial
from pathlib import Path

from proxysync.app.doctor.check import Check
from proxysync.app.doctor.steps import Step
from proxysync.app.state_folder import DATABASE
from proxysync.apply.lock import daemon_pid
from proxysync.apply.machine import daemons
from proxysync.config.environment import Environment
from proxysync.store.database import OTHER_FOLDER, OTHER_USER, open_for_reading

LITTLE_ROOM = 200 * 2**20
NO_ROOM = 20 * 2**20
"""Bytes that are left on the disk: the event log alone may grow to 60 MB."""


def steps(env: Environment) -> tuple[Step, ...]:
    folder = env.state_dir
    return (
        Step("state.folder", partial(_folder, folder)),
        Step("state.disk", partial(_disk, folder)),
        Step("state.database", partial(_database, folder), needs=("state.folder",)),
        Step("daemon", partial(_daemon, env)),
    )


def _folder(folder: Path) -> Check:
    existing = _existing(folder)
    if not existing.is_dir():
        return Check.fail(f"{existing} is no folder", OTHER_FOLDER)
    if existing != folder:
        if not os.access(existing, os.W_OK | os.X_OK):
            return Check.fail(
                f"{folder} is not there, or not for {_user(os.geteuid())} to look at, who may "
                f"not write to {existing}",
                f"{OTHER_USER} {OTHER_FOLDER}",
            )
        return Check.ok(f"{folder} is not there yet: the first `apply` or `run` makes it")
    owner = folder.stat().st_uid
    if owner != os.geteuid() and os.geteuid() != 0:
        return Check.fail(
            f"{folder} belongs to {_user(owner)}, and this is {_user(os.geteuid())}",
            f"Run this as that user (with sudo -u), or as root. {OTHER_FOLDER}",
        )
    if not os.access(folder, os.W_OK | os.X_OK):
        return Check.fail(f"{folder} cannot be written to", OTHER_FOLDER)
    return Check.ok(f"{folder} is there and can be written to")


def _disk(folder: Path) -> Check:
    free = shutil.disk_usage(_existing(folder)).free
    found = f"{free // 2**20:,} MiB are left on the disk of {folder}"
    if free < NO_ROOM:
        return Check.fail(found, "Make room: without, nothing can be written to NPM either.")
    if free < LITTLE_ROOM:
        return Check.warn(found, "Make room, before nothing can be recorded any more.")
    return Check.ok(found)


def _database(folder: Path) -> Check:
    path = folder / DATABASE
    if not path.exists():
        return Check.ok("there is none yet: nothing was applied with this state folder")
    database = open_for_reading(path)
    if database is None:
        return Check.ok(f"{path} is of an older proxysync; the next `apply` or `run` brings it up")
    try:
        version = int(database.query("PRAGMA user_version")[0][0])
        managed = int(database.query("SELECT count(*) FROM applied")[0][0])
    finally:
        database.close()
    return Check.ok(f"{path} can be read (version {version}); managed objects in it: {managed}")


def _daemon(env: Environment) -> Check:
    found = daemons(env.npm_url) if env.npm_url else []
    for daemon in found:
        if not daemon.has_state(env.state_dir):
            return Check.warn(
                f"the daemon (pid {daemon.pid}) for this NPM keeps its state in {daemon.state}, "
                f"and this command uses {env.state_dir}",
                f"Name the daemon's with --state-dir {daemon.state} or PROXYSYNC_STATE_DIR.",
            )
    pid = None
    with suppress(PermissionError):  # that another's folder cannot be looked into is told already
        pid = daemon_pid(env.state_dir)
    pid = pid or next((daemon.pid for daemon in found), None)
    if pid is None:
        return Check.warn(
            "no daemon runs here on this state folder or for this NPM",
            "`proxysync run`, or `systemctl start proxysync`, keeps NPM in sync; until then only "
            "`apply` does. One in another container is not seen from here.",
        )
    return Check.ok(f"it runs (pid {pid}) with {env.state_dir}")


def _existing(folder: Path) -> Path:
    """The folder, or what there is of the way to it."""
    return next(path for path in (folder, *folder.absolute().parents) if _is_there(path))


def _is_there(path: Path) -> bool:
    """Whether this user can see it."""
    try:
        return path.exists()
    except OSError:
        return False


def _user(number: int) -> str:
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return f"user #{number}"
