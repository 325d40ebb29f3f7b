"""Killed at every step of an apply, proxysync brings all in sync when it is started again.

`make test` takes each sixth step, `make test-long` all of them.
"""

import signal
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import pytest

from tests.apply.forkserver import DIED, ForkServer
from tests.apply.harness import Checkpoint, Harness, open_harness
from tests.world import domain

PARTS = 6
"""The steps are dealt out to so many tests, so that they run beside each other."""

EACH_PART = [0, *(pytest.param(part, marks=pytest.mark.long) for part in range(1, PARTS))]

pytestmark = pytest.mark.timeout(120)

Entries = dict[str, dict[str, Any]]


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
        "config": {"upstream": three},
    }


def ten_changes(urls: list[str]) -> Entries:
    """Two creations, two updates, a rename, a deletion, a disabling, a swap and free text."""
    one, two, three = urls
    return {
        "steady": {"upstream": one},
        "first": {"upstream": one},
        "second": {"upstream": two},
        "port": {"upstream": three},
        "flags": {"upstream": two, "websockets": True, "block_exploits": True},
        "new": {"domains": [domain("renamed")], "upstream": two},
        "disabled": {"upstream": three, "enabled": False},
        "left": {"domains": [domain("right")], "upstream": one},
        "right": {"domains": [domain("left")], "upstream": two},
        "config": {"upstream": three, "advanced_config": "client_max_body_size 9m;"},
    }


KEPT = ("steady", "port", "flags", "renamed", "config", "left", "right")
"""Sites that work before and after: whatever happens, and whenever, they are served."""

TEXTS = {"one", "two", "three"}


@dataclass
class Rounds:
    """One apply after the other, each from the same start and each dying at another step."""

    harness: Harness
    forks: ForkServer
    start: Checkpoint
    entries: Entries
    foreign: list[dict[str, Any]] = field(default_factory=list)

    @property
    def env(self) -> dict[str, str]:
        return self.harness.world.env

    def apply(self, die_at: int | None = None) -> int:
        """The exit code, or minus the signal."""
        return self.forks.run("apply", "--yes", env=self.env, die_at=die_at).code

    def dies_at_request(self, number: int, phase: str) -> bool:
        """Whether there was such a request, or for `after` such a write, to be killed at."""
        self.start.restore()
        self.env["PROXYSYNC_NPM_URL"] = self.harness.proxy.url
        met, last = 0, ""

        def kill(_number: int, method: str, path: str, now: str) -> bool:
            nonlocal met, last
            if now != phase:
                return False
            # A reading has no effect: before a second one, all is as it was before the first.
            counts = (method, last) != ("GET", "GET")
            if phase == "after":
                counts = method != "GET" and path != "/tokens"
            met, last = met + counts, method
            if counts and met == number:
                self.forks.kill()
                return True
            return False

        self.harness.proxy.on_request = kill
        code = self.apply()
        assert code in (0, -signal.SIGKILL)
        return code != 0

    def dies_at_commit(self, number: int) -> bool:
        """Whether there were so many commits."""
        self.start.restore()
        self.env["PROXYSYNC_NPM_URL"] = self.harness.sandbox.url
        code = self.apply(die_at=number)
        assert code in (0, DIED)
        return code != 0

    def assert_heals(self) -> None:
        """Whether every site that worked still does, and at most two runs do the rest."""
        self.harness.proxy.on_request = None
        assert {
            name: self.harness.visit(name) for name in KEPT if "HTTP" in self.harness.visit(name)
        } == {}
        if self.harness.call("apply", "--yes").code != 0:
            assert self.harness.call("apply", "--yes").code == 0
        self.harness.assert_in_sync(self.entries)
        assert self.harness.foreign() == self.foreign


@pytest.fixture(scope="module")
def rounds() -> Iterator[Rounds]:
    with open_harness() as harness, ForkServer(harness.world.folder.parent) as forks:
        urls = [toy.url for toy in harness.toys]
        harness.write(before(urls))
        assert harness.call("apply", "--yes").code == 0
        harness.write(ten_changes(urls))
        start = Checkpoint(harness.sandbox, harness.world.folder)
        yield Rounds(harness, forks, start, ten_changes(urls), harness.foreign())


@pytest.mark.parametrize("part", EACH_PART)
def test_killed_before_any_request(rounds: Rounds, part: int) -> None:
    for number in count(1 + part, PARTS):
        if not rounds.dies_at_request(number, "before"):
            break
        rounds.assert_heals()
    assert number > 30, "such an apply should take more requests"


@pytest.mark.parametrize("part", EACH_PART)
def test_killed_after_any_write_and_before_its_answer(rounds: Rounds, part: int) -> None:
    """A read has no effect: to be killed after it is the same as before it."""
    for number in count(1 + part, PARTS):
        if not rounds.dies_at_request(number, "after"):
            break
        rounds.assert_heals()
    assert number > 12, "such an apply should take more writes"


@pytest.mark.parametrize("part", EACH_PART)
def test_dead_before_any_commit(rounds: Rounds, part: int) -> None:
    """Of the state or the journal; right after one, nothing is left to lose before the next."""
    for number in count(1 + part, PARTS):
        if not rounds.dies_at_commit(number):
            break
        rounds.assert_heals()
    assert number > 40, "such an apply should take more commits"
