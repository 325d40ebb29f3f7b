"""Whatever happens to the file, to NPM and to proxysync: in the end they agree again.

`make test-long` plays thousands of scenarios; PROXYSYNC_TEST_EXAMPLES says how many.
"""

import os
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.apply.harness import Checkpoint, Harness, open_harness
from tests.apply.scenario import GOOD, PORTS, Step, assert_ends_well
from tests.faults import Fault
from tests.world import BAD, HOSTS, domain

EXAMPLES = int(os.environ.get("PROXYSYNC_TEST_EXAMPLES", "15"))

NAMES = ("ant", "bee", "cat", "dog")
DOMAINS = tuple(domain(f"d{number}") for number in range(6))


def steps() -> st.SearchStrategy[list[Step]]:
    name, index = st.sampled_from(NAMES), st.integers(0, 3)
    port, one_domain = st.sampled_from(PORTS), st.sampled_from(DOMAINS)
    domains = st.frozensets(one_domain, min_size=1, max_size=3)
    text = st.sampled_from(["", "", GOOD, BAD])
    put = _step("put", name, domains, port, st.sampled_from([True, True, False]), text)
    drift = st.sampled_from([{"forward_port": 9}, {"advanced_config": BAD}])
    theirs = {"name": "ant", "instance": "other"}
    meta = st.sampled_from([{}, {"proxysync": theirs}])
    canary = st.just({"proxysync": {**theirs, "canary": True}})
    edits = st.one_of(
        put,
        put,
        _step("port", name, port),
        _step("text", name, text),
        _step("enabled", name, st.booleans()),
        _step("remove", name),
        _step("rename", name, name),
        _step("swap", name, name),
        _step("move", one_domain, name),
    )
    touches = st.one_of(
        _step("edit_ours", index, drift),
        _step("drop_marker", index),
        _step("delete_ours", index),
        _step("toggle_ours", index),
        _step("add_foreign", one_domain, meta),
        _step("add_foreign", st.just("canary-1.proxysync.invalid"), canary),
    )
    nth = st.integers(1, 8)
    runs = st.one_of(
        _step("run"),
        _step("faulty", st.sampled_from(sorted(set(Fault) - {Fault.HANG})), nth, st.integers(1, 3)),
        _step("hanging", nth),
        _step("broken_nginx", st.none() | st.integers(5, 15)),
        _step("killed_at_request", st.integers(1, 30), st.booleans()),
        _step("killed_at_commit", st.integers(1, 20)),
    )
    return st.lists(st.one_of(edits, edits, touches, runs, runs), min_size=5, max_size=14)


def _step(name: str, *arguments: st.SearchStrategy[Any]) -> st.SearchStrategy[Step]:
    return st.tuples(st.just(name), st.tuples(*arguments))


@pytest.fixture(scope="module")
def harness() -> Iterator[tuple[Harness, Checkpoint]]:
    with open_harness() as harness:
        for row in harness.foreign()["proxy"]:
            harness.world.npm.api("DELETE", f"{HOSTS}/{row['id']}")
        yield harness, Checkpoint(harness.sandbox, harness.world.folder)


def begin(harness: tuple[Harness, Checkpoint]) -> Harness:
    scene, start = harness
    start.restore()
    scene.proxy.lift()
    scene.sandbox.mend_nginx()
    return scene


@pytest.mark.timeout(120 + 3 * EXAMPLES)
@settings(
    max_examples=EXAMPLES,
    deadline=None,
    report_multiple_bugs=False,
    phases=[Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink],
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(scenario=steps())
def test_in_the_end_npm_is_as_the_file_asks(
    harness: tuple[Harness, Checkpoint], scenario: list[Step]
) -> None:
    assert_ends_well(begin(harness), scenario)


def put(name: str, number: int, *, enabled: bool = True, text: str = "", port: int = 9001) -> Step:
    return "put", (name, frozenset({DOMAINS[number]}), port, enabled, text)


RUN: Step = ("run", ())
BROKEN: Step = ("broken_nginx", (None,))
BROKEN_AND_KILLED: Step = ("broken_nginx", (8,))
"""Killed after the answer to the first write, before its outcome is known to the state."""

SCENARIOS: dict[str, list[Step]] = {
    "a bad host is created behind a 500": [put("ant", 0, text=BAD), BROKEN],
    "a host is created behind a 500, saved by hand, and gets a bad definition": [
        put("ant", 0),
        BROKEN,
        ("text", ("ant", BAD)),
        ("edit_ours", (0, {"forward_port": 9})),
    ],
    "killed behind a 500 of a disabling": [
        put("ant", 0),
        RUN,
        put("ant", 0, enabled=False),
        BROKEN_AND_KILLED,
    ],
    "killed behind a 500 of a disabling that is half of a change": [
        put("ant", 0),
        RUN,
        put("ant", 0, enabled=False, port=9002),
        BROKEN_AND_KILLED,
    ],
    "killed behind a 500 of a deletion": [
        put("ant", 0),
        put("bee", 1),
        RUN,
        ("remove", ("bee",)),
        BROKEN_AND_KILLED,
    ],
    "the last host is deleted behind a 500": [put("ant", 0), RUN, ("remove", ("ant",)), BROKEN],
    "killed behind a 500 of the deletion of the last host": [
        put("ant", 0),
        RUN,
        ("remove", ("ant",)),
        BROKEN_AND_KILLED,
    ],
    "killed in the middle of a swap whose other half is bad": [
        put("ant", 0),
        put("bee", 1),
        RUN,
        ("swap", ("ant", "bee")),
        ("killed_at_request", (11, True)),
        ("text", ("bee", BAD)),
    ],
    "a canary that cannot be removed is not taken for the host, whose marker is lost": [
        put("ant", 0),
        RUN,
        ("text", ("ant", GOOD)),
        ("canary_stays", ()),
        ("edit_ours", (0, {"meta": {}})),
    ],
    "killed behind a 500 of an update": [
        put("ant", 0),
        RUN,
        put("ant", 0, port=9002),
        BROKEN_AND_KILLED,
    ],
}


@pytest.mark.parametrize("scenario", SCENARIOS.values(), ids=SCENARIOS)
def test_a_scenario_that_is_easily_got_wrong_ends_well(
    harness: tuple[Harness, Checkpoint], scenario: list[Step]
) -> None:
    assert_ends_well(begin(harness), scenario)
