"""Many checks at once, from plain code: a private event loop in the calling thread.

Not for code that runs in an event loop itself; that awaits `check.check`.
"""

import asyncio
import contextlib
import resource
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from proxysync.probe.check import check
from proxysync.probe.model import STEPS, Probe, Result, Step
from proxysync.probe.outcome import STOPPED
from proxysync.probe.resolver import Resolver

CONCURRENCY = 1000
STOP_POLL = 0.1
STAGGER = 0.01
CROWD_WITHIN = 0.5
"""Seconds between the first connections to one upstream, and within which all have begun: many
small servers let only five wait at a time, and who comes on top of them comes again after 1 s."""

_SPARE_FILES = 32

OnResult = Callable[[int, Result], None]
OnStep = Callable[[int, Step], None]
Stop = Callable[[], bool]


def probe_one(probe: Probe) -> Result:
    """Checks one upstream, with the steps' semantics of `check`. Never raises."""
    return probe_many([probe])[0]


def probe_many(
    probes: Sequence[Probe],
    *,
    concurrency: int = CONCURRENCY,
    on_result: OnResult | None = None,
    on_step: OnStep | None = None,
    stop: Stop | None = None,
) -> list[Result]:
    """Checks all upstreams at once; the results stand in the order of `probes`.

    Those that lead to one upstream begin one after the other, STAGGER seconds apart. At most
    `concurrency` are under way, fewer if the process may not open so many files. `on_result` hears
    of each result with its index as it comes, `on_step` of each step likewise; what they raise ends
    the run. Once `stop` gives true the rest is abandoned within STOP_POLL seconds: such a result is
    not ok, and its http step says so; `on_result` does not hear of it.
    """
    at_once, names_at_once = limits(concurrency)
    run = _Run(probes, on_result, on_step)
    asyncio.run(run.all(at_once, names_at_once, stop))
    return run.results


def limits(concurrency: int = CONCURRENCY) -> tuple[int, int]:
    """How many checks, and how many lookups of names, this process can have under way."""
    files = _files_left()
    # A name being looked up is a file, too, and may stay behind when its check has moved on.
    return max(1, min(concurrency, files * 2 // 3)), max(1, min(CONCURRENCY // 2, files // 3))


class _Run:
    def __init__(
        self, probes: Sequence[Probe], on_result: OnResult | None, on_step: OnStep | None
    ) -> None:
        self._todo = iter(zip(range(len(probes)), probes, _pauses(probes), strict=True))
        self._on_result = on_result
        self._on_step: OnStep = on_step or (lambda _index, _step: None)
        self._start = 0.0
        self.results = [_stopped()] * len(probes)

    async def all(self, at_once: int, names_at_once: int, stop: Stop | None) -> None:
        if stop and stop():
            return
        names = Resolver(names_at_once)
        self._start = asyncio.get_running_loop().time()
        count = min(at_once, len(self.results))
        workers = asyncio.gather(*(self._work(names) for _ in range(count)))
        while not workers.done():
            await asyncio.wait([workers], timeout=STOP_POLL if stop else None)
            if stop and stop():
                workers.cancel()
                break
        with contextlib.suppress(asyncio.CancelledError):
            await workers

    async def _work(self, names: Resolver) -> None:
        loop = asyncio.get_running_loop()
        for index, probe, pause in self._todo:
            await asyncio.sleep(self._start + pause - loop.time())
            result = await check(probe, names, partial(self._on_step, index))
            self.results[index] = result
            if self._on_result:
                self._on_result(index, result)


def _pauses(probes: Sequence[Probe]) -> list[float]:
    """Seconds after the start of the run before which each of them does not begin."""
    peers = [(probe.upstream.host, probe.upstream.port) for probe in probes]
    crowds, before, pauses = Counter(peers), Counter[tuple[str, int]](), list[float]()
    for peer in peers:
        pauses.append(before[peer] * min(STAGGER, CROWD_WITHIN / crowds[peer]))
        before[peer] += 1
    return pauses


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
