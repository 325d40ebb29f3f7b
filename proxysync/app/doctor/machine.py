"""This machine: its name servers, and whether it tells of changed files."""

import asyncio
import ctypes
import os
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from proxysync.app.doctor.check import Check
from proxysync.app.doctor.steps import Step
from proxysync.config.environment import Environment
from proxysync.config.models import Settings
from proxysync.probe.outcome import NO_NAME_SERVER, NO_RESOLVER
from proxysync.probe.resolver import answers

LIMITS = Path("/proc/sys/fs/inotify")
PROCESSES = Path("/proc")
FEW_WATCHES = 100


def steps(env: Environment, settings: Settings) -> tuple[Step, ...]:
    own = settings.validation.resolver
    return (
        Step("resolver", partial(_resolver, None)),
        *([Step("resolver.validation", partial(_resolver, own))] if own else []),
        Step("inotify", partial(_inotify, env)),
    )


def _resolver(address: str | None) -> Check:
    if asyncio.run(answers(address)):
        who = (
            f"the one of settings.validation.resolver, {address}," if address else "this machine's"
        )
        return Check.ok(f"{who} answers")
    if address:
        return Check.fail(f"the name server {address} does not answer", NO_RESOLVER)
    return Check.warn("no name server answers this machine", NO_NAME_SERVER)


def _inotify(env: Environment) -> Check:
    most = _limit("max_user_watches")
    if most is None:
        return Check.warn(
            "this system has no inotify", "The daemon looks at the file every 2 seconds instead."
        )
    left = most - sum(_watches(_owner(env.state_dir)))
    refused = _refusal(env.file if env.file.is_dir() else env.file.absolute().parent)
    if refused or left < FEW_WATCHES:
        why = f" ({refused})" if refused else ""
        return Check.warn(
            f"the system has {max(0, left)} of {most} watches left{why}",
            "Raise fs.inotify.max_user_watches and max_user_instances (sysctl). Until then, the "
            "daemon looks at the file every 2 seconds.",
        )
    return Check.ok(f"{left} of {most} watches are left")


def _owner(folder: Path) -> int:
    """The user whom the daemon runs as, if there is one: the state folder is theirs."""
    try:
        return folder.stat().st_uid
    except OSError:
        return os.geteuid()


def _limit(name: str) -> int | None:
    try:
        return int((LIMITS / name).read_text())
    except (OSError, ValueError):
        return None


def _watches(user: int) -> Iterator[int]:
    """How many each process of this user has, as far as this one may look."""
    for process in PROCESSES.iterdir():
        try:
            if process.name.isdigit() and process.stat().st_uid == user:
                for file in (process / "fdinfo").iterdir():
                    yield file.read_text(errors="replace").count("inotify wd:")
        except OSError:  # it has ended, or is not ours to look at
            continue


def _refusal(folder: Path) -> str | None:
    """Why the system would not tell of changes in there; it is asked, and forgets it at once."""
    system = ctypes.CDLL(None, use_errno=True)
    descriptor = system.inotify_init()
    if descriptor < 0:
        return os.strerror(ctypes.get_errno())
    try:
        if system.inotify_add_watch(descriptor, os.fsencode(folder), 0x2) < 0:
            number = ctypes.get_errno()
            return None if not folder.is_dir() else os.strerror(number)
    finally:
        os.close(descriptor)
    return None
