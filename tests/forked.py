"""proxysync in processes of their own that start at once: forked from one that has it imported.

Most of what starting a process costs is importing. Run as a script this is the parent.
"""

import atexit
import gc
import json
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import IO, Any, NoReturn

IMPORTS = ("proxysync.cli.main", "proxysync.cli.run", "proxysync.daemon.start")
AT_ONCE = 1 << 16


class Process:
    """What the tests need of `subprocess.Popen`, for a process that is no child of theirs.

    `status` is a pipe in which its parent writes its id, and its exit code once it has ended.
    """

    def __init__(self, status: IO[str]) -> None:
        self._status = status
        self.pid = int(status.readline())
        self.returncode: int | None = None

    def poll(self) -> int | None:
        """Its exit code, or minus the signal that ended it; None while it runs."""
        if self.returncode is None and select.select([self._status], [], [], 0)[0]:
            self.returncode = int(self._status.readline())
            self._status.close()
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        end = None if timeout is None else time.monotonic() + timeout
        while self.poll() is None:
            if end is not None and time.monotonic() > end:
                raise subprocess.TimeoutExpired("proxysync", timeout or 0)
            select.select([self._status], [], [], 0.1)
        assert self.returncode is not None
        return self.returncode

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


def start(
    words: Sequence[str],
    *,
    env: Mapping[str, str],
    cwd: Path,
    first: str = "",
    stdout: IO[Any] | None = None,
    stderr: IO[Any] | None = None,
) -> Process:
    """As `Popen([sys.executable, "-m", "proxysync", *words], …)`, without its pipes.

    `first` is Python that runs in the process before all else. All is imported by then: what a
    module has taken from another one by name is to be replaced there, too.
    """
    umask = os.umask(0)
    os.umask(umask)
    order = {"words": words, "env": dict(env), "cwd": str(cwd), "umask": umask, "first": first}
    reader, writer = os.pipe()
    streams = [stream.fileno() if stream else n for n, stream in ((1, stdout), (2, stderr))]
    try:
        socket.send_fds(_parent(), [json.dumps(order).encode() + b"\n"], [*streams, writer])
    finally:
        os.close(writer)
    return Process(os.fdopen(reader))


@cache
def _parent() -> socket.socket:
    """The way to the process from which all are forked; it ends when this one closes it."""
    ours, its = socket.socketpair()
    with its:
        parent = subprocess.Popen(
            [sys.executable, "-m", __name__, str(its.fileno())],
            env={"PATH": os.environ["PATH"], "PYTHONWARNINGS": "error"},
            cwd=Path(__file__).parents[1],
            stdout=subprocess.DEVNULL,
            pass_fds=[its.fileno()],
        )

    def end() -> None:
        ours.close()
        parent.wait()

    atexit.register(end)
    return ours


def _serve(orders: socket.socket) -> None:
    for name in IMPORTS:
        import_module(name)
    gc.freeze()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    while True:
        text, streams, _, _ = socket.recv_fds(orders, AT_ONCE, 3)
        while text and not text.endswith(b"\n"):
            text += orders.recv(AT_ONCE)
        if not text:
            return
        if os.fork() == 0:
            orders.close()
            _keep(json.loads(text), *streams)
        for stream in streams:
            os.close(stream)


def _keep(order: Mapping[str, Any], stdout: int, stderr: int, status: int) -> None:
    """Starts the process that is wanted as a child, and tells of it; only that child returns."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    pid = os.fork()
    if pid == 0:
        os.close(status)
        _become(order, stdout, stderr)
    os.close(stdout)
    os.close(stderr)
    with suppress(BrokenPipeError):
        os.write(status, f"{pid}\n".encode())
        os.write(status, f"{os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])}\n".encode())
    os._exit(0)


def _become(order: Mapping[str, Any], stdout: int, stderr: int) -> NoReturn:
    from proxysync.cli.main import main

    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number, stream in ((1, stdout), (2, stderr)):
        os.dup2(stream, number)
        os.close(stream)
    os.environ.clear()
    os.environ.update(order["env"])
    time.tzset()
    os.chdir(order["cwd"])
    os.umask(order["umask"])
    sys.argv = ["proxysync", *order["words"]]
    exec(order["first"], {})
    raise SystemExit(main())


if __name__ == "__main__":
    with socket.socket(fileno=int(sys.argv[1])) as orders_of_the_tests:
        _serve(orders_of_the_tests)
