"""A real NPM whose nginx does not serve what NPM says: noticed, told once, and served again.

What is done behind NPM's back is done in the folder that it sees as /data, which
`PROXYSYNC_TEST_NPM_DATA` names.
"""

import os
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests

from proxysync.demo.services import DemoService
from tests.world import World, domain, eventually

CHECK = 2.0
"""Seconds between two checks."""

RELOAD = 3.0
"""Seconds that looking twice, writing a host again and a reload may take on a slow machine."""

SETTINGS = {"health": {"interval": f"{CHECK:g}s"}, "resync_interval": "1h"}

pytestmark = [
    pytest.mark.live,
    pytest.mark.timeout(600),
    pytest.mark.parametrize("npm", [pytest.param("real", marks=pytest.mark.live)], indirect=True),
]


@pytest.fixture
def files() -> Path:
    """The folder of the proxy hosts' files."""
    data = os.environ.get("PROXYSYNC_TEST_NPM_DATA")
    if not data:
        pytest.skip("PROXYSYNC_TEST_NPM_DATA names no folder of NPM")
    return Path(data) / "nginx" / "proxy_host"


def told(world: World, name: str) -> list[str]:
    """The events of the edge about an entry, in order."""
    events = world.events()
    return [e["event"] for e in events if e["event"].startswith("edge.") and e["name"] == name]


def reload(world: World) -> None:
    """A reload of nginx, as any write of anybody brings it about."""
    theirs = next(r for r in world.npm.hosts() if domain("theirs") in r["domain_names"])
    world.npm.call("PUT", f"/nginx/proxy-hosts/{theirs['id']}", {"forward_port": 9})


@contextmanager
def daemon_over(world: World, *names: str) -> Iterator[None]:
    """A daemon that serves the file's entries and has seen each of them at the edge."""
    world.npm.add_host(domain("theirs"))
    with world.daemon():
        for name in names:
            eventually(lambda name=name: edge_of(world, name) == "served", patience=60)  # type: ignore[misc]
        yield


def edge_of(world: World, name: str) -> str:
    [row] = world.call("status", name, "--format", "json").json["proxies"]
    return str(row["edge"])


def test_a_file_removed_behind_npms_back_is_noticed_and_written_again(
    world: World, services: list[DemoService], files: Path
) -> None:
    world.write(
        {"one": {"upstream": services[0].url}, "two": {"upstream": services[1].url}},
        settings=SETTINGS,
    )
    with daemon_over(world, "one", "two"):
        (files / f"{world.npm.host('one')['id']}.conf").unlink()
        reload(world)
        eventually(lambda: "one" not in world.npm.visit(domain("one"))[1])
        lost = time.monotonic()
        eventually(lambda: "one" in world.npm.visit(domain("one"))[1], patience=60)
        assert time.monotonic() - lost < 2 * CHECK + RELOAD
        eventually(lambda: told(world, "one")[1:])
        time.sleep(2 * CHECK)
    assert told(world, "one") == ["edge.not_served", "edge.served"]
    assert told(world, "two") == []


def test_an_old_file_left_in_place_is_noticed_and_written_again(
    world: World, services: list[DemoService], files: Path
) -> None:
    one, two, _ = services
    world.write({"one": {"upstream": one.url}}, settings=SETTINGS)
    world.apply()
    path = files / f"{world.npm.host('one')['id']}.conf"
    old = path.read_text()
    world.write({"one": {"upstream": two.url}}, settings=SETTINGS)
    with daemon_over(world, "one"):
        eventually(lambda: "two" in world.npm.visit(domain("one"))[1])
        time.sleep(2 * CHECK)
        path.write_text(old)
        reload(world)
        eventually(lambda: "one" in world.npm.visit(domain("one"))[1])
        lost = time.monotonic()
        eventually(lambda: "two" in world.npm.visit(domain("one"))[1], patience=60)
        assert time.monotonic() - lost < 2 * CHECK + RELOAD
        eventually(lambda: told(world, "one")[1:])
        time.sleep(2 * CHECK)
    assert told(world, "one") == ["edge.not_served", "edge.served"]


class Saver:
    """Somebody who saves one of our hosts after the other in NPM's page, changing nothing."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.saved = 0

    @contextmanager
    def at_work(self) -> Iterator[None]:
        done = threading.Event()
        thread = threading.Thread(target=self._save, args=(done,))
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()

    def _save(self, done: threading.Event) -> None:
        npm = self._world.npm
        while not done.wait(0.3):
            rows = npm.hosts()
            if not rows:
                continue
            row = rows[self.saved % len(rows)]
            sent = ("domain_names", "forward_scheme", "forward_host", "forward_port")
            try:
                path = f"/nginx/proxy-hosts/{row['id']}"
                npm.api("PUT", path, {key: row[key] for key in sent})
            except requests.RequestException:
                continue
            self.saved += 1


def test_a_hand_that_saves_beside_an_apply_of_twenty_leaves_none_unserved(
    world: World, services: list[DemoService], files: Path
) -> None:
    names = [f"site-{number}" for number in range(20)]
    entries = {name: {"upstream": services[0].url} for name in names}
    world.write({"first": {"upstream": services[0].url}}, settings=SETTINGS)
    with daemon_over(world, "first"):
        saver = Saver(world)
        with saver.at_work():
            world.write({"first": {"upstream": services[0].url}, **entries}, settings=SETTINGS)
            eventually(lambda: len(world.npm.hosts()) >= 22, patience=120)
        assert saver.saved > 5
        rest = time.monotonic()
        unserved = names
        while unserved:
            unserved = [n for n in unserved if "one" not in world.npm.visit(domain(n))[1]]
            assert time.monotonic() - rest < 2 * CHECK + RELOAD + 0.5 * len(names), unserved
        for name in names:
            eventually(lambda name=name: edge_of(world, name) == "served", patience=60)  # type: ignore[misc]
        time.sleep(CHECK)
    for name in names:
        counts = Counter(told(world, name))
        assert counts["edge.not_served"] == counts["edge.served"], (name, told(world, name))
    world.assert_in_sync()
