"""proxysync as a process that is killed, or told to stop, at one of its requests."""

import re
import signal
import subprocess

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
    met = 0

    def hit(_number: int, asked: str, where: str, now: str) -> bool:
        nonlocal met
        if now != phase or not re.fullmatch(method, asked) or not re.fullmatch(path, where):
            return False
        met += 1
        if met != nth and not (twice and met == nth + 1):
            return False
        process.send_signal(number)
        return number == signal.SIGKILL

    with FaultProxy(world.npm.url) as proxy:
        process = subprocess.Popen(
            world.command(*words, first=first),
            env={**world.env, "PROXYSYNC_NPM_URL": proxy.url},
            cwd=world.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        proxy.on_request = hit
        out, err = process.communicate(timeout=60)
    assert met >= nth, f"there was no such request\n{out}{err}"
    assert "Traceback" not in out + err, err
    return subprocess.CompletedProcess(words, process.returncode, out, err)
