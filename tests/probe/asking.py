"""How the tests ask for a check."""

from typing import Any

from proxysync.model import Upstream
from proxysync.probe.engine import probe_one
from proxysync.probe.model import Probe, Result, Step, StepName


def probe(
    port: int, *, scheme: str = "http", host: str = "127.0.0.1", timeout: float = 2.0, **more: Any
) -> Probe:
    upstream = Upstream(scheme, host, port)
    return Probe(upstream, **({"tcp_timeout": timeout, "http_timeout": timeout} | more))


def run(port: int, **more: Any) -> Result:
    return probe_one(probe(port, **more))


def step(result: Result, name: StepName) -> Step:
    return next(step for step in result.steps if step.name == name)


def statuses(result: Result) -> list[str]:
    return [step.status for step in result.steps]


def failed(result: Result, name: StepName) -> Step:
    """The failure, once it is sure that `name` failed and all behind it was skipped."""
    assert not result.ok
    position = [step.name for step in result.steps].index(name)
    expected = ["pass"] * position + ["fail"] + ["skipped"] * (3 - position)
    assert statuses(result) == expected, result
    assert result.failure is not None
    return result.failure
