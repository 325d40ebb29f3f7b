"""What the scripts beside this one share: an NPM full of hosts, and times of processes."""

import http.client
import json
import multiprocessing
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from proxysync.sandbox import Sandbox

IDENTITY, SECRET = "admin@example.com", "changeme"
PYTHON = sys.executable


@dataclass(frozen=True)
class Cost:
    """What a process took: seconds on the clock, and seconds of a core (user and system)."""

    wall: float
    cpu: float
    output: str = ""


def run(*command: str, environ: Mapping[str, str] | None = None) -> Cost:
    """Runs a command to its end. Raises SystemExit if it fails."""
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        begin = time.perf_counter()
        process = subprocess.Popen(command, env=dict(environ or os.environ), stdout=out, stderr=err)
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - begin
        process.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        err.seek(0)
        if process.returncode:
            raise SystemExit(f"{' '.join(command)}: {process.returncode}\n{out.read()}{err.read()}")
        return Cost(wall, usage.ru_utime + usage.ru_stime, out.read())


def warm() -> dict[str, str]:
    """The environment as an installed proxysync has it: with its bytecode beside it."""
    return {
        name: value
        for name, value in os.environ.items()
        if name != "PYTHONDONTWRITEBYTECODE"
        and (name.startswith("PROXYSYNC_TEST_") or not name.startswith("PROXYSYNC_"))
    }


def best(costs: Sequence[Cost]) -> Cost:
    """The least of each: what another program of the machine added is not ours."""
    return Cost(min(c.wall for c in costs), min(c.cpu for c in costs), costs[0].output)


def machine() -> str:
    """What all of this was measured on, in one line."""
    names = [
        line for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line
    ]
    model = names[0].partition(":")[2].strip() if names else platform.machine()
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    return f"{os.cpu_count()} x {model}, Python {platform.python_version()}, load {load}"


PORT = 8096


def upstream_of(number: int) -> str:
    """The host of an entry's upstream: no two have the same, and all are this machine."""
    return f"127.1.{number // 250}.{number % 250 + 1}"


def entry(number: int, port: int = PORT) -> str:
    """An entry of the file, as people write it."""
    return (
        f"  site{number:05}:\n"
        f"    domains: [site{number:05}.example.com, www.site{number:05}.example.com]\n"
        f"    upstream: http://{upstream_of(number)}:{port}\n"
        "    websockets: true\n"
    )


def file_of(count: int, *, settings: str = "verify: off", port: int = PORT) -> str:
    """A file of so many proxies."""
    head = f"version: 1\nsettings: {{{settings}}}\ndefaults:\n  block_exploits: true\nproxies:\n"
    return head + "".join(entry(number, port) for number in range(count))


def row(number: int, port: int = PORT) -> dict[str, Any]:
    """The host of that entry as NPM keeps it once it was applied."""
    return {
        "domain_names": [f"site{number:05}.example.com", f"www.site{number:05}.example.com"],
        "forward_scheme": "http",
        "forward_host": upstream_of(number),
        "forward_port": port,
        "access_list_id": 0,
        "certificate_id": 0,
        "ssl_forced": False,
        "caching_enabled": False,
        "block_exploits": True,
        "advanced_config": "",
        "meta": {
            "proxysync": {"name": f"site{number:05}", "instance": "default"},
            "nginx_online": True,
            "nginx_err": None,
        },
        "allow_websocket_upgrade": True,
        "http2_support": False,
        "enabled": True,
        "locations": [],
        "hsts_enabled": False,
        "hsts_subdomains": False,
        "trust_forwarded_proto": False,
    }


def fill(npm: Sandbox, count: int, port: int = PORT) -> Sandbox:
    """The sandbox with the hosts of so many entries in it."""
    for number in range(count):
        npm._store.hosts["proxy_host"].insert(1, row(number, port))
    return npm


def _serve(pipe: Connection, count: int, port: int) -> None:
    with fill(Sandbox(), count, port) as npm:
        pipe.send(npm.url)
        pipe.recv()


@dataclass(frozen=True)
class Npm:
    """An NPM, and how it is asked."""

    url: str
    identity: str = IDENTITY
    secret: str = SECRET

    def environ(self, folder: Path) -> dict[str, str]:
        """The settings of a proxysync for it, whose file and state are in `folder`."""
        return {
            **warm(),
            "PROXYSYNC_FILE": str(folder / "proxies.yaml"),
            "PROXYSYNC_STATE_DIR": str(folder / "state"),
            "PROXYSYNC_NPM_URL": self.url,
            "PROXYSYNC_NPM_IDENTITY": self.identity,
            "PROXYSYNC_NPM_SECRET": self.secret,
        }


@contextmanager
def sandbox(count: int = 0, port: int = PORT) -> Iterator[Npm]:
    """A sandbox in a process of its own, with so many hosts of ours in it."""
    ours, its = multiprocessing.Pipe()
    context = multiprocessing.get_context("spawn")
    server = context.Process(target=_serve, args=(its, count, port), daemon=True)
    server.start()
    try:
        yield Npm(ours.recv())
        ours.send(None)
        server.join(10)
    finally:
        server.kill()


class Bare:
    """A client that does nothing but ask, over one connection."""

    def __init__(self, npm: Npm) -> None:
        address = urlsplit(npm.url)
        self._npm = npm
        self._connection = http.client.HTTPConnection(
            address.hostname or "", address.port or 80, timeout=120
        )
        self._token = ""

    def log_in(self) -> None:
        body = {"identity": self._npm.identity, "secret": self._npm.secret}
        self._token = json.loads(self.ask("POST", "/tokens", body))["token"]

    def ask(self, method: str, path: str, body: Any = None) -> bytes:
        """The bytes of an answer, which must be a good one."""
        head = {"Content-Type": "application/json"} if body is not None else {}
        if self._token:
            head["Authorization"] = f"Bearer {self._token}"
        text = None if body is None else json.dumps(body)
        self._connection.request(method, f"/api{path}", text, head)
        answer = self._connection.getresponse()
        content = answer.read()
        if answer.status >= 300:
            raise SystemExit(f"{method} {path}: HTTP {answer.status} {content[:200]!r}")
        return content


def list_and_login(npm: Npm) -> Cost:
    """What NPM itself takes to log somebody in and to list all proxy hosts."""
    bare = Bare(npm)
    return Cost(timed(bare.log_in) + timed(lambda: bare.ask("GET", "/nginx/proxy-hosts")), 0)


def listed(npm: Npm) -> Cost:
    """What it takes to list all proxy hosts to somebody who is logged in."""
    bare = Bare(npm)
    bare.log_in()
    return Cost(timed(lambda: bare.ask("GET", "/nginx/proxy-hosts")), 0)


def timed(act: Callable[[], object]) -> float:
    """Seconds that it takes."""
    begin = time.perf_counter()
    act()
    return time.perf_counter() - begin
