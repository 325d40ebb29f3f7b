"""The end of a pause, of a hold after a rollback, and of what was left to another writer."""

import os
import signal
from dataclasses import dataclass
from pathlib import Path

from proxysync.app.state_folder import opened
from proxysync.apply.lock import daemon_pid


@dataclass(frozen=True)
class ResumeResult:
    """Whether a rollback was `held`, and whether the daemon was `paused`; whether something was
    left alone to `another_writer`.
    """

    held: bool
    another_writer: bool
    paused: bool

    def to_json(self) -> dict[str, bool]:
        return {"held": self.held, "another_writer": self.another_writer, "paused": self.paused}


def resume(state_dir: Path) -> ResumeResult:
    """Lets the file be applied again, and wakes the daemon if there is one for it to do.

    Raises StateError.
    """
    with opened(state_dir) as store:
        held = store.state.hold() is not None
        store.state.clear_hold()
        another_writer = store.state.contests.end()
        paused = store.state.pauses.end()
    pid = daemon_pid(state_dir)
    if (held or another_writer or paused) and pid is not None:
        os.kill(pid, signal.SIGHUP)
    return ResumeResult(held, another_writer, paused)
