"""Killed at every step of an apply, proxysync brings all in sync when it is started again.

`make test` takes some of the steps, `make test-long` all of them.
"""

import signal
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any

import pytest

from tests.apply.forkserver import DIED, ForkServer
from tests.apply.harness import NO_WAIT, Checkpoint, Harness, open_harness
from tests.by_kind import KINDS, Entries
from tests.changes_of_kinds import after, answers, before, kept
from tests.scene import add_foreign
from tests.world import domain

TEN_CHANGES = "ten changes of proxies"
ALL_KINDS = "all kinds"


@dataclass(frozen=True)
class Steps:
    """Into how many tests the steps are dealt out, so that they run beside each other; and how many
    requests, writes and commits such an apply takes at least.
    """

    parts: int
    requests: int
    writes: int
    commits: int


STEPS = {
    TEN_CHANGES: Steps(16, 30, 12, 40),
    **{kind.kind.name: Steps(24, 20, 8, 60) for kind in KINDS[1:]},
    "access_list": Steps(16, 12, 5, 36),
    ALL_KINDS: Steps(40, 60, 30, 200),
}

SHORT = (TEN_CHANGES, "stream", "access_list")
"""What has a part that `make test` takes: hosts with domains are all written like proxies."""

EACH_PART = [
    pytest.param(scene, part, marks=[pytest.mark.long] if part or scene not in SHORT else [])
    for scene, steps in STEPS.items()
    # All kinds at once differ from each by itself in their order alone: not each step is needed.
    for part in range(steps.parts if scene != ALL_KINDS else 1)
]
each_part = pytest.mark.parametrize(
    ("rounds", "part"), EACH_PART, indirect=["rounds"], scope="module"
)

pytestmark = pytest.mark.timeout(120)


def proxies_before(urls: Sequence[str]) -> Entries:
    one, two, three = urls
    return of_proxies(
        {
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
    )


def ten_changes(urls: Sequence[str]) -> Entries:
    """Two creations, two updates, a rename, a deletion, a disabling, a swap and free text."""
    one, two, three = urls
    return of_proxies(
        {
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
    )


def of_proxies(proxies: Mapping[str, dict[str, Any]]) -> Entries:
    return {
        ("proxy", name): {"domains": [domain(name)], **entry} for name, entry in proxies.items()
    }


@dataclass
class Rounds:
    """One apply after the other, each from the same start and each dying at another step.

    `kept` is what works before and after: whatever happens, and whenever, it is served.
    """

    harness: Harness
    forks: ForkServer
    start: Checkpoint
    steps: Steps
    entries: Entries
    kept: Mapping[str, frozenset[str]]
    foreign: dict[str, list[dict[str, Any]]]

    @property
    def env(self) -> dict[str, str]:
        return self.harness.world.env

    def is_ended(self, by: int, die_at: int | None = None) -> bool:
        """Whether an apply was ended so, with this exit code or minus this signal, or went well."""
        ended = self.forks.run("apply", "--yes", env=self.env, die_at=die_at)
        assert ended.code in (0, by), ended.text
        return ended.code != 0

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
        return self.is_ended(-signal.SIGKILL)

    def dies_at_commit(self, number: int) -> bool:
        """Whether there were so many commits."""
        self.start.restore()
        self.env["PROXYSYNC_NPM_URL"] = self.harness.sandbox.url
        return self.is_ended(DIED, die_at=number)

    def assert_heals(self) -> None:
        """Whether every site that worked still does, and at most two runs do the rest."""
        self.harness.proxy.on_request = None
        got = {where: self.harness.world.npm.ask(where) for where in self.kept}
        assert {where: text for where, text in got.items() if text not in self.kept[where]} == {}
        if self.harness.call("apply", "--yes").code != 0:
            assert self.harness.call("apply", "--yes").code == 0
        self.harness.assert_in_sync(self.entries)
        assert self.harness.foreign() == self.foreign


@pytest.fixture(scope="module")
def rounds(request: pytest.FixtureRequest) -> Iterator[Rounds]:
    """For ten changes of proxies, or for all that can be done to one kind or to all of them."""
    with open_harness() as harness, ForkServer(harness.world.folder.parent, NO_WAIT) as forks:
        kinds = [k for name, k in harness.kinds.items() if request.param in (name, "all kinds")]
        if kinds:
            old, new, must_answer = before(kinds), after(kinds), kept(kinds)
            # What opens ports is written with a look at the edge.
            harness.settings |= {
                "verify": {"url": harness.sandbox.sites_url},
                "max_delete": "100%",
            }
        else:
            old, new = proxies_before(harness.urls), ten_changes(harness.urls)
            was, then = (answers(harness.kinds.values(), entries) for entries in (old, new))
            must_answer = {w: frozenset({was[w], then[w]}) for w in was.keys() & then.keys()}
        for kind in kinds:
            if kind is not harness.kinds["proxy"]:
                add_foreign(harness.world.npm, kind)
        harness.write(old)
        assert harness.call("apply", "--yes").code == 0
        harness.write(new)
        start = Checkpoint(harness.sandbox, harness.world.folder)
        steps = STEPS[request.param]
        yield Rounds(harness, forks, start, steps, new, must_answer, harness.foreign())


@each_part
def test_killed_before_any_request(rounds: Rounds, part: int) -> None:
    for number in count(1 + part, rounds.steps.parts):
        if not rounds.dies_at_request(number, "before"):
            break
        rounds.assert_heals()
    assert number > rounds.steps.requests, "such an apply should take more requests"


@each_part
def test_killed_after_any_write_and_before_its_answer(rounds: Rounds, part: int) -> None:
    """A read has no effect: to be killed after it is the same as before it."""
    for number in count(1 + part, rounds.steps.parts):
        if not rounds.dies_at_request(number, "after"):
            break
        rounds.assert_heals()
    assert number > rounds.steps.writes, "such an apply should take more writes"


@each_part
def test_dead_before_any_commit(rounds: Rounds, part: int) -> None:
    """Of the state or the journal; right after one, nothing is left to lose before the next."""
    for number in count(1 + part, rounds.steps.parts):
        if not rounds.dies_at_commit(number):
            break
        rounds.assert_heals()
    assert number > rounds.steps.commits, "such an apply should take more commits"
