"""What the checks mean: a proxy that is ill, or this machine's own network that is down."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from proxysync.health.target import Observation, Target
from proxysync.health.writer import Finding, Writer
from proxysync.model import Key
from proxysync.model.clock import in_words, now, to_text
from proxysync.model.event import NewEvent, Severity
from proxysync.model.health import Check, HealthState, StatusChange, judge
from proxysync.probe.model import Probe

MIN_SIMULTANEOUS = 3
"""So many targets that fail together are not ill, but cut off; of fewer, NPM has to be too."""

REFERENCE_TARGETS = 8
"""How many others are looked at before a target is called unhealthy."""

NETWORK = "network"
"""The key of the alert that the network is down."""

Look = Callable[[Probe], Awaitable[Observation]]


class HealthEvaluator:
    """Where all targets stand. For one event loop; `look` checks a probe once.

    A target that was reached, and answered badly, is called unhealthy at once. Before one that
    was not reached is, others that were well are looked at. If none of them is reached either,
    the network is down: that is said once, and every status is kept until something is reached
    again. Where fewer than MIN_SIMULTANEOUS targets can tell, NPM must be out of reach as well;
    without an `npm` to ask they never tell that.
    """

    def __init__(
        self,
        standings: Mapping[Key, HealthState],
        writer: Writer,
        look: Look,
        *,
        npm: Probe | None = None,
        down_since: datetime | None = None,
    ) -> None:
        self._standings = dict(standings)
        self._writer = writer
        self._look = look
        self._npm = npm
        self._down_since = down_since
        self._targets: Mapping[Key, Target] = {}
        self._suspects: dict[Key, tuple[Target, Check]] = {}
        self._asking = False

    @property
    def unknown(self) -> frozenset[Key]:
        """Targets of which nothing is known yet."""
        known = {key for key, standing in self._standings.items() if standing.checked_at}
        return frozenset(self._targets.keys() - known)

    def learn(self, standings: Mapping[Key, HealthState]) -> frozenset[Key]:
        """Takes over where those stand that were never checked here, and returns them."""
        found = {key: s for key, s in standings.items() if key not in self._standings}
        self._standings |= found
        return frozenset(found)

    def watch(self, targets: Mapping[Key, Target]) -> frozenset[Key]:
        """From now on these are the targets; where the others stand is forgotten.

        Returns those that have moved: they keep their status until enough checks of the new
        place tell otherwise.
        """
        before, self._targets = self._targets, targets
        moved = frozenset(
            key for key in targets if key in before and not before[key].same_place(targets[key])
        )
        for key in moved & self._standings.keys():
            self._standings[key] = replace(self._standings[key], streak=0)
            self._suspects.pop(key, None)
        gone = [key for key in self._standings if key not in targets]
        for key in gone:
            del self._standings[key]
            self._suspects.pop(key, None)
        if gone:
            self._writer.put(lambda writer: writer.forget(gone))
        return moved

    async def take(self, target: Target, seen: Observation) -> None:
        """Takes in a check of a target, unless that one has gone or moved meanwhile."""
        current = self._targets.get(target.key)
        if current is None or not current.same_place(target):
            return
        if self._down_since is not None and (seen.reached or await self._npm_is_back()):
            self._come_back(str(target.key) if seen.reached else "NPM")
        if self._down_since is not None:
            return
        _, change = judge(self._standing(target.key), seen.check, current.rules)
        if change is None or change.after != "unhealthy":
            self._suspects.pop(target.key, None)
            self._settle(current, seen.check)
            return
        self._suspects[target.key] = (current, seen.check)
        if seen.reached:
            self._confirm_failures([target.key])
        elif not self._asking:
            await self._ask_around()

    async def _ask_around(self) -> None:
        self._asking = True
        try:
            while self._suspects and self._down_since is None:
                asked = list(self._suspects)
                if await self._network_works(asked):
                    self._confirm_failures(asked)
                elif self._suspects:
                    self._go_down()
        finally:
            self._asking = False

    async def _network_works(self, suspects: Collection[Key]) -> bool:
        others = [
            target
            for key, target in self._targets.items()
            if key not in suspects and self._standing(key).status != "unhealthy"
        ]
        if await self._any_reached([target.probe for target in witnesses(others)]):
            return True
        if len(others) + len(suspects) >= MIN_SIMULTANEOUS:
            return False
        return self._npm is None or (await self._look(self._npm)).reached

    async def _any_reached(self, probes: Sequence[Probe]) -> bool:
        looks = [asyncio.ensure_future(self._look(probe)) for probe in probes]
        try:
            for done in asyncio.as_completed(looks):
                if (await done).reached:
                    return True
            return False
        finally:
            for task in looks:
                task.cancel()

    async def _npm_is_back(self) -> bool:
        """Whether NPM answers, where that was needed to tell that the network is down."""
        well = [key for key in self._targets if self._standing(key).status != "unhealthy"]
        if self._npm is None or len(well) >= MIN_SIMULTANEOUS or self._asking:
            return False
        self._asking = True
        try:
            return (await self._look(self._npm)).reached
        finally:
            self._asking = False

    def _confirm_failures(self, keys: Sequence[Key]) -> None:
        for key in keys:
            suspect = self._suspects.pop(key, None)
            if suspect is not None:
                self._settle(*suspect)

    def _settle(self, target: Target, check: Check) -> None:
        before = self._standing(target.key)
        after, change = judge(before, check, target.rules)
        self._standings[target.key] = after
        event = None
        if change is not None:
            event = _changed(target, change)
        elif after.stale and not before.stale:
            event = _stale(target, after)
        self._writer.put(Finding(target.key, after, replace(check, lasts=target.interval), event))

    def _go_down(self) -> None:
        self._down_since = now()
        self._suspects.clear()
        for key, standing in self._standings.items():
            if standing.status != "unhealthy":
                # What failed for this reason must not count when it is over.
                self._standings[key] = replace(standing, streak=max(0, standing.streak))
        event = _network_down(len(self._targets))
        self._writer.put(lambda writer: writer.fire(event, NETWORK))

    def _come_back(self, reached: str) -> None:
        assert self._down_since is not None
        event = _network_back(reached, (now() - self._down_since).total_seconds())
        self._down_since = None
        self._writer.put(lambda writer: writer.resolve(event, NETWORK))

    def _standing(self, key: Key) -> HealthState:
        return self._standings.get(key, HealthState())


def witnesses(targets: Sequence[Target], most: int = REFERENCE_TARGETS) -> list[Target]:
    """A few targets to look at: first one of each host, for what they share may be what fails."""
    hosts: set[str] = set()
    first: list[Target] = []
    rest: list[Target] = []
    for target in targets:
        host = target.probe.upstream.host
        (rest if host in hosts else first).append(target)
        hosts.add(host)
    return (first + rest)[:most]


def _changed(target: Target, change: StatusChange) -> NewEvent | None:
    """Nothing for one that turns out to be healthy at its first check: that is no news."""
    check, key = change.check, target.key
    severity: Severity
    if change.after == "unhealthy":
        severity, message = "warn", f"{key} is unhealthy: {check.detail}"
    elif change.before == "unknown":
        return None
    else:
        severity, message = "info", f"{key} is healthy again after {in_words(change.lasted or 0)}"
    return NewEvent(
        "health.changed",
        message,
        key,
        {
            "from": change.before,
            "to": change.after,
            "hint": check.hint,
            "detail": check.detail,
            "upstream": str(target.probe.upstream),
            "latency_ms": check.latency_ms,
            "lasted_seconds": None if change.lasted is None else round(change.lasted, 3),
        },
        severity,
    )


def _stale(target: Target, standing: HealthState) -> NewEvent:
    assert standing.since is not None
    lasted = (now() - standing.since).total_seconds()
    return NewEvent(
        "health.stale",
        f"{target.key} has been unhealthy for {in_words(lasted)} without a break",
        target.key,
        {
            "since": to_text(standing.since),
            "detail": standing.detail,
            "hint": "If the service is gone for good, remove its entry from the file.",
        },
    )


def _network_down(targets: int) -> NewEvent:
    return NewEvent(
        "health.network_down",
        f"every check fails at once ({targets} proxies): this machine's own network seems to be "
        "down; every status is kept as it was",
        data={
            "proxies": targets,
            "hint": "Check this machine's network and name server, or what all upstreams share.",
        },
    )


def _network_back(reached: str, lasted: float) -> NewEvent:
    return NewEvent(
        "health.network_back",
        f"the network is back after {in_words(lasted)}: {reached} answers",
        data={"lasted_seconds": round(lasted, 3)},
    )
