"""A person's word that the daemon is to write nothing for a while."""

import os
import signal
from dataclasses import dataclass
from typing import Any

from proxysync.app.apply_once import Caller
from proxysync.app.state_folder import opened
from proxysync.apply.lock import daemon_pid, write_lock
from proxysync.config.environment import Environment
from proxysync.model import clock
from proxysync.store.database import make_folder
from proxysync.store.pauses import Pause


@dataclass(frozen=True)
class PauseResult:
    """The pause, and whether there is a daemon that heeds it."""

    pause: Pause
    daemon_runs: bool

    def to_json(self) -> dict[str, Any]:
        until = self.pause.until
        shown = clock.to_text(until) if until else None
        return {"until": shown, "daemon_runs": self.daemon_runs}


def pause(env: Environment, seconds: float | None, caller: Caller) -> PauseResult:
    """Pauses the daemon, and returns once nothing is being written any more.

    Raises StateError, and LockedError where a write that has begun does not end.
    """
    make_folder(env.state_dir)
    with opened(env.state_dir) as store:
        begun = store.state.pauses.begin(seconds)
        with write_lock(
            env.state_dir,
            None,
            timeout=caller.lock_timeout,
            on_wait=caller.hooks.note,
        ):
            pass
    pid = daemon_pid(env.state_dir)
    if pid is not None:  # which tells of it, and learns when to go on
        os.kill(pid, signal.SIGHUP)
    return PauseResult(begun, pid is not None)
