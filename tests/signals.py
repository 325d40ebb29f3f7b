"""proxysync as a process that is killed, or told to stop, at one of its requests."""

import re
import signal
import subprocess
from tempfile import TemporaryFile
from threading import Event

from tests.faults import FaultProxy
from tests.world import World


def signal_at(
    world: World,
    *words: str,
    method: str,
    path: str,
    phase: str = "after",
    nth: int = 1,
    twice: bool = False,
    number: int = signal.SIGKILL,
    first: str = "",
) -> subprocess.CompletedProcess[str]:
    """Runs a command that gets a signal at the nth request that these patterns match.

    `before` NPM hears of the request, or `after` it has acted and before its answer arrives. A
    request that a killed process had sent goes no further. With `twice` it gets another one at
    the request after that.
    """
    met, started = 0, Event()

    def hit(_number: int, asked: str, where: str, now: str) -> bool:
        nonlocal met
        if now != phase or not re.fullmatch(method, asked) or not re.fullmatch(path, where):
            return False
        met += 1
        if met != nth and not (twice and met == nth + 1):
            return False
        started.wait()
        process.send_signal(number)
        return number == signal.SIGKILL

    with FaultProxy(world.npm.url) as proxy, TemporaryFile("w+") as out, TemporaryFile("w+") as err:
        proxy.on_request = hit
        env = {"PROXYSYNC_NPM_URL": proxy.url}
        process = world.start(*words, env=env, first=first, stdout=out, stderr=err)
        started.set()
        code = process.wait(timeout=60)
        for stream in (out, err):
            stream.seek(0)
        said, told = out.read(), err.read()
    assert met >= nth, f"there was no such request\n{said}{told}"
    assert "Traceback" not in said + told, told
    return subprocess.CompletedProcess(words, code, said, told)
