"""Measures an apply of 20 new hosts against 20 bare POSTs: `python -m benchmarks.creates`.

It runs against the NPM that `PROXYSYNC_TEST_NPM_URL` names (see CONTRIBUTING.md), in turn with
the bare POSTs, since a machine is not equally fast from minute to minute. Exits with 1 if `apply`
takes more than 3 s longer than they do, or if any of its sites does not answer the moment it
returns.
"""

import http.client
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

from proxysync.demo.services import DemoService
from tests.world import Npm, World, domain

COUNT = 20
ROUNDS = 3
ALLOWANCE = 3.0
"""Seconds that planning, probing, reading again and waiting for nginx may take in all."""


def main() -> int:
    url = os.environ.get("PROXYSYNC_TEST_NPM_URL", "").removesuffix("/")
    if not url:
        print("PROXYSYNC_TEST_NPM_URL names no NPM: see CONTRIBUTING.md", file=sys.stderr)
        return 1
    sites = os.environ.get("PROXYSYNC_TEST_SITES_URL", f"http://{urlsplit(url).hostname}:80")
    npm = Npm(
        url,
        sites,
        os.environ.get("PROXYSYNC_TEST_NPM_IDENTITY", "admin@example.com"),
        os.environ.get("PROXYSYNC_TEST_NPM_SECRET", "changeme"),
    )
    service = DemoService("served").start()
    names = [f"bench-{number}" for number in range(COUNT)]
    bare, applied, silent = [], [], 0
    for _ in range(ROUNDS):
        npm.clean()
        bare.append(timed(lambda: [post(npm, domain(name), service.port) for name in names]))
        npm.clean()
        with tempfile.TemporaryDirectory() as folder:
            world = World(Path(folder), npm)
            world.write({name: {"upstream": service.url} for name in names})
            applied.append(timed(lambda world=world: world.run("apply", "--yes")))  # type: ignore[misc]
            missing = [name for name in names if visit(sites, domain(name)) != "served"]
            silent += len(missing)
        print(
            f"{COUNT} bare POSTs {bare[-1]:.2f} s, apply {applied[-1]:.2f} s, "
            f"{COUNT - len(missing)} of {COUNT} answer at once"
        )
    npm.clean()
    service.stop()
    more = statistics.median(applied) - statistics.median(bare)
    ratio = statistics.median(applied) / statistics.median(bare)
    print(f"apply takes {more:.2f} s more than the bare POSTs, {ratio:.2f} times as long")
    return 1 if more > ALLOWANCE or silent else 0


def post(npm: Npm, name: str, port: int) -> None:
    """Makes a host, and asks no more of it."""
    forward = {"forward_scheme": "http", "forward_host": "127.0.0.1", "forward_port": port}
    npm.call("POST", "/nginx/proxy-hosts", {"domain_names": [name], **forward})


def timed(act: Callable[[], object]) -> float:
    """Seconds that it takes."""
    start = time.monotonic()
    act()
    return time.monotonic() - start


def visit(url: str, name: str) -> str:
    """The text that a visitor gets over a new connection."""
    address = urlsplit(url)
    connection = http.client.HTTPConnection(address.hostname or "", address.port or 80, timeout=10)
    try:
        connection.request("GET", "/", headers={"Host": name, "Connection": "close"})
        return connection.getresponse().read().decode().strip()
    finally:
        connection.close()


if __name__ == "__main__":
    sys.exit(main())
