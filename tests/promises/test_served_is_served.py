"""What nginx serves is what NPM says; `apply` returns once it is so, and the daemon watches it."""

import time
from collections.abc import Mapping
from typing import Any

from proxysync.demo.toys import Toy
from tests.world import World, domain


def seeing(world: World, **more: Any) -> dict[str, Any]:
    """Settings with which the edge is asked; on a real NPM that is the default."""
    sandbox = world.npm.sandbox
    return more if sandbox is None else {**more, "verify": {"url": world.npm.sites_url}}


def many(count: int, toy: Toy) -> Mapping[str, Any]:
    return {f"site{number}": {"upstream": toy.url} for number in range(count)}


def bare_posts(world: World, count: int) -> float:
    """Seconds that NPM takes for so many hosts that somebody else makes."""
    start = time.monotonic()
    for number in range(count):
        world.npm.add_host(domain(f"bare{number}"))
    return time.monotonic() - start


def test_apply_returns_when_all_of_many_creates_answer(world: World, services: list[Toy]) -> None:
    sandbox = world.npm.sandbox
    count = 20 if sandbox is None else 5
    if sandbox is not None:
        sandbox.reload_lag = 0.3
    bare = bare_posts(world, count)
    world.write(many(count, services[0]), settings=seeing(world))
    start = time.monotonic()
    world.apply()
    took = time.monotonic() - start
    visits = [world.npm.visit(domain(f"site{number}")) for number in range(count) for _ in "123"]
    assert all("one" in text for _, text in visits)
    # The sandbox writes in no time, so that there our own work would be measured.
    assert sandbox is not None or took < bare + 3
