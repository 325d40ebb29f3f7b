"""Killed at the steps of an apply beside a real NPM, while visitors look on.

It does to each kind all that can be done to an entry. Each round takes a minute or two, so only
some of the steps are taken by default: `PROXYSYNC_TEST_STRIDE=1` takes each write. The sandbox has
each step in tests/apply/test_kills.py.
"""

import os
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import pytest

from proxysync.demo.services import DemoService
from tests.by_kind import Surroundings, free_ports, in_surroundings
from tests.changes_of_kinds import after, answers, before, kept
from tests.faults import FaultProxy
from tests.scene import Scene, add_foreign
from tests.world import World

STRIDE = int(os.environ.get("PROXYSYNC_TEST_STRIDE", "24"))
"""From one write to be killed at to the next."""

REQUESTS_A_WRITE = 8

RELOAD = 2.0
"""Seconds that a site may be away: no more than a reload of nginx takes on a slow machine."""

FIRST = "from proxysync.apply import under_way; under_way.LONGEST_WRITE = 10.0"
"""Nothing that was killed here is under way for longer."""

pytestmark = [pytest.mark.live, pytest.mark.timeout(7200)]


class Visitors:
    """Ask everywhere again and again; they remember how long each site or port was away, and the
    last that they got there instead.

    `allowed` is what may be had, by where it is asked for.
    """

    def __init__(self, ask: Callable[[str], str], allowed: Mapping[str, frozenset[str]]) -> None:
        self._ask = ask
        self._allowed = allowed
        self.away: dict[str, tuple[float, str]] = {}

    @contextmanager
    def at_work(self) -> Iterator[None]:
        done = threading.Event()
        threads = [
            threading.Thread(target=self._visit, args=(where, done)) for where in self._allowed
        ]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            done.set()
            for thread in threads:
                thread.join()

    def _visit(self, where: str, done: threading.Event) -> None:
        since = None
        while not done.wait(0.1):
            now = time.monotonic()
            got = self._ask(where)
            since = None if got in self._allowed[where] else since or now
            if since is not None:
                longest = max(self.away.get(where, (0.0, ""))[0], time.monotonic() - since)
                self.away[where] = longest, got[:80]


class Rounds:
    """One apply after the other, each from the same start and each killed at another step."""

    def __init__(self, scene: Scene, proxy: FaultProxy) -> None:
        self._scene = scene
        self._world = scene.world
        self._proxy = proxy
        self._kinds = list(scene.kinds.values())
        for kind in self._kinds:
            add_foreign(self._world.npm, kind)
        self._foreign = scene.foreign()

    def is_survived(self, number: int, moment: str) -> bool:
        """Whether there was such a step to be killed at; fails if it does any harm."""
        self._scene.write(before(self._kinds))
        self._world.apply()
        time.sleep(1.0)
        self._scene.write(after(self._kinds))
        visitors = Visitors(self._world.npm.ask, self._must_answer())
        with visitors.at_work():
            killed = self._apply(number, moment)
            done = self._world.run("apply", "--yes", first=FIRST, timeout=600)
            if done.code != 0:
                # A reload may cut the connection of a request, and the next run sees what became.
                done = self._world.run("apply", "--yes", first=FIRST, timeout=600)
            time.sleep(1.0)
        assert done.code == 0, done.out + done.err
        self._scene.assert_in_sync(after(self._kinds))
        assert self._scene.foreign() == self._foreign
        self._assert_none_is_left()
        away = {where: how for where, how in visitors.away.items() if how[0] > RELOAD}
        assert away == {}, (number, moment)
        return killed

    def _must_answer(self) -> Mapping[str, frozenset[str]]:
        """What is served all the while.

        NPM before 2.12 takes no second host for a name that moves, however it is written.
        """
        allowed = kept(self._kinds)
        if self._world.npm.version >= (2, 12, 0):
            return allowed
        hosts = [kind for kind in self._kinds if kind.kind.is_host]
        moving = {k.where(k.place_called(w)) for k in hosts for w in ("moved", "turned")}
        return {where: answers for where, answers in allowed.items() if where not in moving}

    def _apply(self, number: int, moment: str) -> bool:
        process = subprocess.Popen(
            self._world.command("apply", "--yes"),
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

    def _assert_none_is_left(self) -> None:
        for kind in self._kinds:
            for row in self._world.npm.call("GET", kind.path):
                assert not any(".invalid" in name for name in row.get("domain_names", ())), row
        was, served = answers(self._kinds, before(self._kinds)), after(self._kinds)
        for where in was.keys() - answers(self._kinds, served).keys():
            assert self._world.npm.ask(where) != was[where], f"{where} is still served"


@pytest.mark.parametrize("npm", [pytest.param("real", marks=pytest.mark.live)], indirect=True)
@pytest.mark.parametrize("moment", ["before", "during", "after"])
def test_killed_at_a_step_it_heals_and_no_site_is_away(
    world: World, services: list[DemoService], moment: str
) -> None:
    around = Surroundings(tuple(toy.url for toy in services), free_ports())
    settings = {"max_delete": "100%"}
    with FaultProxy(world.npm.url) as proxy:
        rounds = Rounds(Scene(world, in_surroundings(around), settings), proxy)
        number, stride = 1, STRIDE * (REQUESTS_A_WRITE if moment == "before" else 1)
        while rounds.is_survived(number, moment):
            number += stride
    assert number > 36, "such an apply should take more steps"
