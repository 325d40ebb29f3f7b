"""The runner: one thread with an event loop of its own that checks whoever is due."""

import asyncio
import contextlib
import math
import threading
import time
from collections.abc import Collection, Sequence
from queue import SimpleQueue
from types import TracebackType
from typing import Protocol, Self

from proxysync.health.edge import EdgeWatch
from proxysync.health.evaluator import NETWORK, HealthEvaluator
from proxysync.health.schedule import Schedule
from proxysync.health.target import Observation, SiteTarget, Target, check_once
from proxysync.health.writer import OnEdge, Writer
from proxysync.model import Key
from proxysync.probe.engine import limits
from proxysync.probe.model import Probe
from proxysync.probe.resolver import Resolver
from proxysync.probe.sessions import Sessions
from proxysync.store.events import EventLog
from proxysync.store.health import HealthStore

RESTART = 10.0
"""Seconds before checks begin again after an error that nobody has foreseen."""

TURN = 0.05
"""Seconds between two lots of checks when many are late: after a standstill none may burst."""

CATCH_UP = 2.0
"""How much faster than on average late checks are started."""


class OnCheck(Protocol):
    """Hears of each check of an upstream: of which kind it is, and the seconds that it took."""

    def __call__(self, kind: str, seconds: float, /, *, ok: bool) -> object: ...


def _unheard(kind: str, seconds: float, *, ok: bool) -> None:
    del kind, seconds, ok


class Monitor:
    """Checks the targets given to `watch` until it is left, and records what changes.

    `npm` is a probe of NPM itself, which is asked when few targets fail together, and `on_edge`
    hears, in another thread, what visitors get of targets. Used as a context; leaving it
    abandons the checks under way. While it is `changing`, NPM may be newer than the targets are.
    """

    def __init__(
        self,
        store: HealthStore,
        events: EventLog,
        *,
        npm: Probe | None = None,
        on_edge: OnEdge = lambda _seen: None,
        on_check: OnCheck = _unheard,
    ) -> None:
        self.writer = Writer(store, events)
        self.changing = threading.Event()
        self._store = store
        self._npm = npm
        self._on_edge = on_edge
        self._on_check = on_check
        self._targets: dict[Key, Target | SiteTarget] = {}
        self._posted: dict[Key, Target | SiteTarget] | None = None
        self._hurried: SimpleQueue[frozenset[Key] | None] = SimpleQueue()
        self._stopping = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._wake = asyncio.Event()
        self._thread = threading.Thread(target=self._run, name="health", daemon=True)

    def __enter__(self) -> Self:
        self.writer.start()
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stopping.set()
        self._wake_up()
        self._thread.join()
        self.writer.stop()

    def watch(self, targets: Sequence[Target | SiteTarget]) -> None:
        """From now on exactly these are checked; callable from any thread, never waits."""
        self._posted = self._targets = {target.key: target for target in targets}
        self._wake_up()

    def look_soon(self, keys: Collection[Key] | None = None) -> None:
        """Has these, or all, checked soon, not when their time comes; callable as `watch` is."""
        self._hurried.put(None if keys is None else frozenset(keys))
        self._wake_up()

    def _wake_up(self) -> None:
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):  # it has failed, and another one begins
                self._loop.call_soon_threadsafe(self._wake.set)

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                asyncio.run(self._watch())
            except Exception as error:  # noqa: BLE001 - a silent end would look like good health
                self.writer.fault(error)
                self._posted = self._targets
                self._stopping.wait(RESTART)

    async def _watch(self) -> None:
        self._wake = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        at_once, names_at_once = limits()
        edge = EdgeWatch(
            self.writer,
            names := Resolver(names_at_once, remember=False),
            proven=self._store.edges.proven(),
            on_edge=self._on_edge,
            changing=self.changing,
        )
        checks = _Checks(self._store, self.writer, self._npm, at_once, names, edge, self._on_check)
        try:
            while not self._stopping.is_set():
                self._wake.clear()
                posted, self._posted = self._posted, None
                if posted is not None:
                    checks.watch(posted)
                while not self._hurried.empty():
                    checks.hurry(self._hurried.get())
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._wake.wait(), checks.start_due())
        finally:
            await checks.abandon()


class _Checks:
    """The checks under way, and those that come next."""

    def __init__(
        self,
        store: HealthStore,
        writer: Writer,
        npm: Probe | None,
        at_once: int,
        names: Resolver,
        edge: EdgeWatch,
        on_check: OnCheck,
    ) -> None:
        self._store = store
        self._schedule = Schedule()
        self._fault = writer.fault
        self._names = names
        self._sessions = Sessions()
        self._places = asyncio.Semaphore(at_once)
        self._targets: dict[Key, Target | SiteTarget] = {}
        self._at_a_time = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._edge = edge
        self._on_check = on_check
        down = store.alerts.active().get(NETWORK)
        self._verdicts = HealthEvaluator(
            store.standings(), writer, self._look, npm=npm, down_since=down.since if down else None
        )

    def watch(self, targets: dict[Key, Target | SiteTarget]) -> None:
        new = targets.keys() - self._targets.keys()
        self._targets = targets
        self._edge.watch(targets)
        probed = {key: one for key, one in targets.items() if isinstance(one, Target)}
        moved = self._verdicts.watch(probed) | (new - probed.keys()) | self._validated(new)
        self._schedule.replace(
            {key: target.interval for key, target in targets.items()},
            time.monotonic(),
            self._verdicts.unknown | moved,
        )
        self._at_a_time = math.ceil(self._schedule.rate * TURN * CATCH_UP)

    def _validated(self, new: Collection[Key]) -> frozenset[Key]:
        """Those of the new ones of which it is known how they were before they went live."""
        if not new:
            return frozenset()
        known = self._store.standings()
        return self._verdicts.learn(
            {k: known[k] for k in new if k in known and known[k].checked_at}
        )

    def hurry(self, keys: Collection[Key] | None) -> None:
        self._schedule.hurry(keys, time.monotonic())

    def start_due(self) -> float | None:
        """Starts checks that are due; returns the seconds until the next ones are to be."""
        for key, _ in self._schedule.take(time.monotonic(), self._at_a_time):
            task = asyncio.create_task(self._check(self._targets[key]))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        next_at = self._schedule.next_at
        if next_at is None:
            return None
        pause = next_at - time.monotonic()
        return pause if pause > 0 else TURN

    async def abandon(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _check(self, target: Target | SiteTarget) -> None:
        try:
            healthy = True
            if isinstance(target, Target):
                async with self._places:
                    begin = time.monotonic()
                    seen = await self._look(target.probe)
                took = time.monotonic() - begin
                self._on_check(target.key.kind, took, ok=seen.check.ok)
                await self._verdicts.take(target, seen)
                healthy = seen.check.ok
            async with self._places:
                await self._edge.look(target, healthy=healthy)
        except Exception as error:  # noqa: BLE001 - nobody waits for this task
            self._fault(error)
        finally:
            self._schedule.finish(target.key)

    async def _look(self, probe: Probe) -> Observation:
        return await check_once(probe, self._names, self._sessions)
