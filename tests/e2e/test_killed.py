"""Killed at the steps of a ten-change apply beside a real NPM, while visitors look on.

Each round takes about half a minute, so only some of the steps are taken by default:
`PROXYSYNC_TEST_STRIDE=1` takes each one. The sandbox has each one in tests/apply/test_kills.py.
"""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import requests

from proxysync.demo.services import DemoService
from tests.faults import FaultProxy
from tests.world import World, domain

STRIDE = int(os.environ.get("PROXYSYNC_TEST_STRIDE", "16"))

RELOAD = 2.0
"""Seconds that a site may be away: no more than a reload of nginx takes on a slow machine."""

Entries = dict[str, dict[str, Any]]

pytestmark = [pytest.mark.live, pytest.mark.timeout(7200)]


def before(urls: list[str]) -> Entries:
    one, two, three = urls
    return {
        "steady": {"upstream": one},
        "port": {"upstream": one},
        "flags": {"upstream": two},
        "old": {"domains": [domain("renamed")], "upstream": two},
        "leaving": {"upstream": three},
        "disabled": {"upstream": three},
        "left": {"domains": [domain("left")], "upstream": one},
        "right": {"domains": [domain("right")], "upstream": two},
        "giver": {"domains": [domain("giver"), domain("moved")], "upstream": one},
        "config": {"upstream": three},
    }


def after(urls: list[str]) -> Entries:
    one, two, three = urls
    return {
        "steady": {"upstream": one},
        "first": {"upstream": one},
        "port": {"upstream": three},
        "flags": {"upstream": two, "websockets": True, "block_exploits": True},
        "new": {"domains": [domain("renamed")], "upstream": two},
        "disabled": {"upstream": three, "enabled": False},
        "left": {"domains": [domain("right")], "upstream": one},
        "right": {"domains": [domain("left")], "upstream": two},
        "giver": {"upstream": one},
        "taker": {"domains": [domain("moved")], "upstream": two},
        "config": {"upstream": three, "advanced_config": "client_max_body_size 9m;"},
    }


KEPT = ("steady", "port", "flags", "renamed", "left", "right", "giver", "moved", "config")
"""Sites that are there before and after."""

MOVING = {"left", "right", "moved"}
"""Those of them whose domain goes to another host."""


class Visitors:
    """Ask for all sites again and again; they remember how long each one was away."""

    def __init__(self, url: str) -> None:
        self._url = url
        self.away: dict[str, float] = dict.fromkeys(KEPT, 0.0)

    @contextmanager
    def at_work(self) -> Iterator[None]:
        done = threading.Event()
        threads = [threading.Thread(target=self._visit, args=(name, done)) for name in KEPT]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            done.set()
            for thread in threads:
                thread.join()

    def _visit(self, name: str, done: threading.Event) -> None:
        since = None
        with requests.Session() as session:
            session.trust_env = False
            session.headers.update({"Host": domain(name), "Connection": "close"})
            while not done.wait(0.05):
                now = time.monotonic()
                try:
                    well = session.get(self._url, timeout=10).text.strip() in (
                        "one",
                        "two",
                        "three",
                    )
                except requests.RequestException:
                    well = False
                since = None if well else since or now
                if since is not None:
                    self.away[name] = max(self.away[name], time.monotonic() - since)


class Rounds:
    """One apply after the other, each from the same start and each killed at another step."""

    def __init__(self, world: World, proxy: FaultProxy, urls: list[str]) -> None:
        self._world = world
        self._proxy = proxy
        self._urls = urls
        self._foreign: list[dict[str, Any]] = []

    def prepare(self) -> None:
        marker = {"name": "theirs", "instance": "other"}
        self._world.npm.add_host(domain("theirs"), meta={"proxysync": marker})
        self._world.npm.add_host(domain("foreign"), meta={"note": "mine"})
        self._foreign = self._others()

    def is_survived(self, number: int, moment: str) -> bool:
        """Whether there was such a step to be killed at; fails if it does any harm."""
        self._world.write(before(self._urls), settings={"max_delete": "100%"})
        self._world.apply()
        time.sleep(1.0)
        self._world.write(after(self._urls), settings={"max_delete": "100%"})
        visitors = Visitors(self._world.npm.sites_url)
        with visitors.at_work():
            killed = self._apply(number, moment)
            done = self._world.run("apply", "--yes")
            if done.code != 0:
                # A reload may cut the connection of a request, and the next run sees what became.
                done = self._world.run("apply", "--yes")
            time.sleep(1.0)
        assert done.code == 0, done.out + done.err
        self._assert_in_sync()
        old = self._world.npm.version < (2, 12, 0)  # without an alias for a name that moves
        staying = set(KEPT) - (MOVING if old else set())
        away = {name: visitors.away[name] for name in staying if visitors.away[name] > RELOAD}
        assert away == {}, (number, moment)
        return killed

    def _apply(self, number: int, moment: str) -> bool:
        process = subprocess.Popen(
            [sys.executable, "-m", "proxysync", "apply", "--yes"],
            env={**self._world.env, "PROXYSYNC_NPM_URL": self._proxy.url},
            stdout=subprocess.DEVNULL,
        )
        met = 0

        def kill(_number: int, method: str, path: str, phase: str) -> bool:
            nonlocal met
            writes = method != "GET" and path != "/tokens"
            if phase != ("after" if moment == "after" else "before"):
                return False
            met += writes or moment == "before"
            if met != number:
                return False
            if moment == "during":
                threading.Timer(0.1, process.kill).start()
                return False
            process.kill()
            return True

        self._proxy.on_request = kill
        code = process.wait()
        self._proxy.on_request = None
        return code != 0

    def _assert_in_sync(self) -> None:
        self._world.assert_in_sync()
        entries = after(self._urls)
        ours = [row for row in self._world.npm.hosts() if row not in self._others()]
        assert {
            row["meta"]["proxysync"]["name"]: (
                row["domain_names"],
                row["forward_port"],
                row["enabled"],
                row["advanced_config"],
            )
            for row in ours
        } == {
            name: (
                entry.get("domains", [domain(name)]),
                int(entry["upstream"].rpartition(":")[2]),
                entry.get("enabled", True),
                entry.get("advanced_config", ""),
            )
            for name, entry in entries.items()
        }
        assert len(ours) == len(entries)
        assert all(row["meta"]["nginx_online"] for row in ours if row["enabled"])
        assert self._others() == self._foreign
        rows = self._world.npm.call("GET", "/nginx/proxy-hosts")
        assert not [row for row in rows if any(".invalid" in d for d in row["domain_names"])]
        for name in ("disabled", "leaving"):
            text = self._world.npm.visit(domain(name))[1].strip()
            assert text not in ("one", "two", "three"), f"{name} is still served"

    def _others(self) -> list[dict[str, Any]]:
        names = {domain("foreign"), domain("theirs")}
        return [row for row in self._world.npm.hosts() if names & set(row["domain_names"])]


@pytest.mark.parametrize("npm", [pytest.param("real", marks=pytest.mark.live)], indirect=True)
@pytest.mark.parametrize("moment", ["before", "during", "after"])
def test_killed_at_a_step_it_heals_and_no_site_is_away(
    world: World, services: list[DemoService], moment: str
) -> None:
    with FaultProxy(world.npm.url) as proxy:
        rounds = Rounds(world, proxy, [toy.url for toy in services])
        rounds.prepare()
        number = 1
        while rounds.is_survived(number, moment):
            number += STRIDE
    assert number > 12, "such an apply should take more steps"
