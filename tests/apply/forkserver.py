"""Commands in processes of their own that start at once, and can be told to die at a commit.

Run as a script this is their parent: it imports proxysync once, and forks for each command.
"""

import gc
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from itertools import count
from pathlib import Path
from typing import Any, Self

DIED = 137
"""The exit code of a process that ended at a commit."""

IMPORTS = (
    "proxysync.apply.lock",
    "proxysync.cli.context",
    "proxysync.cli.main",
    "proxysync.config.environment",
    "proxysync.config.load",
    "proxysync.npm.client",
    "proxysync.plan.render",
    "proxysync.probe.engine",
    "proxysync.probe.exchange",
    "proxysync.app.reconcile",
    "proxysync.store.events",
)


@dataclass(frozen=True)
class Ended:
    """How a command ended: its exit code, or minus the signal, and all that it printed."""

    code: int
    text: str


class ForkServer:
    """Runs one command at a time; `kill` may be called from any thread while it runs.

    `waits` are constants of `apply.site_check`.
    """

    def __init__(self, folder: Path, waits: Mapping[str, float]) -> None:
        self._output = folder / "output"
        self._pid = 0
        self._started = threading.Event()
        self._parent = subprocess.Popen(
            [sys.executable, __file__, json.dumps(waits)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._parent.communicate()

    def run(self, *words: str, env: Mapping[str, str], die_at: int | None = None) -> Ended:
        """A command to its end; with `die_at` it dies right before that commit."""
        assert self._parent.stdin is not None
        assert self._parent.stdout is not None
        order = {
            "words": words,
            "env": dict(env),
            "output": str(self._output),
            "die_at": die_at,
        }
        self._started.clear()
        print(json.dumps(order), file=self._parent.stdin, flush=True)
        self._pid = int(self._parent.stdout.readline())
        self._started.set()
        code = int(self._parent.stdout.readline())
        text = self._output.read_text()
        assert "Traceback" not in text, text
        return Ended(code, text)

    def kill(self) -> None:
        """SIGKILL for the command that runs."""
        assert self._started.wait(10)
        os.kill(self._pid, signal.SIGKILL)


def _serve() -> None:
    from proxysync.cli.main import build_parser

    for name in IMPORTS:
        import_module(name)
    for name, seconds in json.loads(sys.argv[1]).items():
        setattr(import_module("proxysync.apply.site_check"), name, seconds)
    build_parser(complete=True)
    gc.freeze()
    for line in sys.stdin:
        order = json.loads(line)
        pid = os.fork()
        if pid == 0:
            os._exit(_carry_out(order))
        print(pid, flush=True)
        print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)


def _carry_out(order: Mapping[str, Any]) -> int:
    from proxysync.cli.main import main

    output = os.open(order["output"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.environ.clear()
    os.environ.update(order["env"])
    if order["die_at"] is not None:
        _die_before_commit(order["die_at"])
    code = main(order["words"])
    sys.stdout.flush()
    return code


def _die_before_commit(number: int) -> None:
    """Counts what the state and the journal commit; events have kills of their own elsewhere."""
    from proxysync.store.database import Database
    from proxysync.store.journal import Journal
    from proxysync.store.state import State

    commits = count(1)

    class Crashing(Database):
        @contextmanager
        def transaction(self) -> Iterator[Any]:
            with super().transaction() as connection:
                yield connection
                if next(commits) == number:
                    os._exit(DIED)

    def make_crashing(kind: Any) -> None:
        whole = kind.__init__
        kind.__init__ = lambda self, database: whole(self, Crashing(database._connection))

    make_crashing(State)
    make_crashing(Journal)


if __name__ == "__main__":
    _serve()
