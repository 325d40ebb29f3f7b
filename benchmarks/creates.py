"""An `apply` of 20 and 200 new hosts against as many bare POSTs: `python -m benchmarks.creates`.

It runs against the NPM that `PROXYSYNC_TEST_NPM_URL` names (see CONTRIBUTING.md; 20 only, for NPM
needs a second or two for each), in turn with the bare POSTs, since a machine is not equally fast
from minute to minute; there each site must answer the moment `apply` returns. Without one it runs
against a sandbox, which takes next to no time for a POST: what is left is what `apply` takes.
"""

import http.client
import os
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from urllib.parse import urlsplit

from benchmarks.lab import timed
from proxysync.demo.services import DemoService
from proxysync.sandbox import Sandbox
from tests.world import Npm, World, domain

ROUNDS = 3
SHARE, ALLOWANCE = 1.1, 1.0
"""Times as long as the bare POSTs, and seconds beyond, that `apply` may take."""


def main() -> int:
    url = os.environ.get("PROXYSYNC_TEST_NPM_URL", "").removesuffix("/")
    if not url:
        print("skipped: a real NPM, for PROXYSYNC_TEST_NPM_URL names none")
        with Sandbox() as sandbox:
            npm = Npm(sandbox.url, sandbox.sites_url, "admin@example.com", "changeme", sandbox)
            measure(npm, 20)
            measure(npm, 200)
        return 0
    sites = os.environ.get("PROXYSYNC_TEST_SITES_URL", f"http://{urlsplit(url).hostname}:80")
    identity = os.environ.get("PROXYSYNC_TEST_NPM_IDENTITY", "admin@example.com")
    secret = os.environ.get("PROXYSYNC_TEST_NPM_SECRET", "changeme")
    return measure(Npm(url, sites, identity, secret), 20)


def measure(npm: Npm, count: int) -> int:
    """Prints how long both take; 1 if `apply` takes too long, or a site does not answer at once."""
    service = DemoService("served").start()
    names = [f"bench-{number}" for number in range(count)]
    bare, applied, silent = [], [], 0
    for _ in range(ROUNDS):
        npm.clean()
        bare.append(timed(lambda: [post(npm, domain(name), service.port) for name in names]))
        npm.clean()
        with tempfile.TemporaryDirectory() as folder:
            world = World(Path(folder), npm)
            off = {"validation": {"mode": "off"}}  # a crowd before one service measures that one
            world.write({name: {"upstream": service.url} for name in names}, settings=off)
            applied.append(timed(applying(world)))
        silent += len(missing(npm, names))
    npm.clean()
    service.stop()
    limit = min(bare) * SHARE + ALLOWANCE
    print(
        f"{count} bare POSTs {min(bare):.2f} s, apply {min(applied):.2f} s (best of {ROUNDS}): "
        f"{min(applied) / min(bare):.2f} times as long, {min(applied) - min(bare):.2f} s more; "
        f"{limit:.2f} s are allowed; {silent} sites did not answer at once",
        flush=True,
    )
    return int(min(applied) > limit or silent > 0)


def applying(world: World) -> Callable[[], object]:
    def act() -> None:
        done = world.run("apply", "--yes")
        assert done.code == 0, done.out + done.err

    return act


def missing(npm: Npm, names: Sequence[str]) -> list[str]:
    """Whose sites do not answer."""
    return [name for name in names if visit(npm.sites_url, domain(name)) != "served"]


def post(npm: Npm, name: str, port: int) -> None:
    """Makes a host, and asks no more of it."""
    forward = {"forward_scheme": "http", "forward_host": "127.0.0.1", "forward_port": port}
    npm.call("POST", "/nginx/proxy-hosts", {"domain_names": [name], **forward})


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
