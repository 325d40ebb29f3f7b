"""Many checks at once, from plain code: a private event loop in the calling thread.

Not for code that runs in an event loop itself; that awaits `check.check`.
"""

import asyncio
import contextlib
import resource
from collections.abc import Callable, Sequence
from pathlib import Path

from proxysync.probe.check import check
from proxysync.probe.model import STEPS, Probe, Result, Step
from proxysync.probe.names import Names
from proxysync.probe.outcome import STOPPED

CONCURRENCY = 1000
STOP_POLL = 0.1
_SPARE_FILES = 32

OnResult = Callable[[int, Result], None]
Stop = Callable[[], bool]


def probe_one(probe: Probe) -> Result:
    """Checks one upstream, with the steps' semantics of `check`. Never raises."""
    return probe_many([probe])[0]


def probe_many(
    probes: Sequence[Probe],
    *,
    concurrency: int = CONCURRENCY,
    on_result: OnResult | None = None,
    stop: Stop | None = None,
) -> list[Result]:
    """Checks all upstreams at once; the results stand in the order of `probes`.

    At most `concurrency` are under way, fewer if the process may not open so many files.
    `on_result` hears of each result with its index as it comes; what it raises ends the run.
    Once `stop` gives true the rest is abandoned within STOP_POLL seconds: such a result is
    not ok, and its http step says so; `on_result` does not hear of it.
    """
    at_once, names_at_once = limits(concurrency)
    run = _Run(probes, on_result)
    asyncio.run(run.all(at_once, names_at_once, stop))
    return run.results


def limits(concurrency: int = CONCURRENCY) -> tuple[int, int]:
    """How many checks, and how many lookups of names, this process can have under way."""
    files = _files_left()
    # A name being looked up is a file, too, and may stay behind when its check has moved on.
    return max(1, min(concurrency, files * 2 // 3)), max(1, min(CONCURRENCY // 2, files // 3))


class _Run:
    def __init__(self, probes: Sequence[Probe], on_result: OnResult | None) -> None:
        self._todo = iter(enumerate(probes))
        self._on_result = on_result
        self.results = [_stopped()] * len(probes)

    async def all(self, at_once: int, names_at_once: int, stop: Stop | None) -> None:
        if stop and stop():
            return
        names = Names(names_at_once)
        count = min(at_once, len(self.results))
        workers = asyncio.gather(*(self._work(names) for _ in range(count)))
        while not workers.done():
            await asyncio.wait([workers], timeout=STOP_POLL if stop else None)
            if stop and stop():
                workers.cancel()
                break
        with contextlib.suppress(asyncio.CancelledError):
            await workers

    async def _work(self, names: Names) -> None:
        for index, probe in self._todo:
            result = await check(probe, names)
            self.results[index] = result
            if self._on_result:
                self._on_result(index, result)


def _stopped() -> Result:
    *before, last = (
        Step(name, "skipped", "not tried, because the run was stopped") for name in STEPS
    )
    verdict = Step(last.name, "fail", "the run was stopped before this was known", STOPPED)
    return Result(ok=False, steps=(*before, verdict))


def _files_left() -> int:
    """How many more files this process may open."""
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if limit == resource.RLIM_INFINITY:
        return CONCURRENCY * 2
    return limit - len(list(Path("/dev/fd").iterdir())) - _SPARE_FILES
