"""Asks NPM's nginx for what was written, as visitors do; see `settings.verify`."""

import asyncio
import time
from collections.abc import Callable, Coroutine, Iterable, Sequence
from collections.abc import Set as AbstractSet
from typing import Any, TypeVar

from proxysync.apply.order import NO_NAMES
from proxysync.apply.promise import Before, Findings, Promise, Trouble
from proxysync.probe.edge import (
    Edge,
    Sight,
    asked,
    shows_another,
    stranger,
    visit,
    visit_onward,
)
from proxysync.probe.resolver import Resolver

RELOADED = 1.5
"""Seconds after a write before which nginx may still serve what was there before it: with
400 hosts a slow machine took 0.8 s to reload."""

GOOD_ANSWERS = 5
"""So many good answers in a row, over new connections, show that no old worker is left: they go
on answering for some 50 ms beside the new ones."""

STAGGER = 0.01
"""Seconds between the first looks at two hosts: many may lead to one service, and one that is
asked by many at once lets connections wait for a second."""

GIVE_UP_AFTER = 3.0
"""Seconds after a write after which a site that does not answer will not do so."""

SERVED_WITHIN = 8.0
"""Seconds after a write after which nginx will not serve a site any more that it does not yet."""

PAUSE = 0.05
"""Seconds between two looks at one site."""

AT_ONCE = 64

T = TypeVar("T")


class SiteCheck:
    """Asks for sites at NPM's nginx; without an `edge` it sees nothing, and nothing wrong.

    A site that sends its visitors on to HTTPS is asked there, at the same address. `proven`
    are the schemes over which sites of this NPM were seen there at some time.
    """

    def __init__(self, edge: Edge | None = None, proven: AbstractSet[str] = NO_NAMES) -> None:
        self.edge = edge
        self._proven = frozenset(proven)

    def addresses(self, schemes: Iterable[str]) -> list[str]:
        """Where sites are asked for by these schemes."""
        return [self.edge.address(scheme) for scheme in schemes] if self.edge else []

    @property
    def blind(self) -> str | None:
        """Why a throwaway host could not be looked for; None where it can be."""
        if self.edge is None:
            return "settings.verify is off"
        return None if self.edge.can_see(certificate=False) else f"{self.edge} is HTTPS only"

    @property
    def is_proven(self) -> bool:
        """Whether some site of this NPM was seen at the edge, so that it is NPM's nginx."""
        return self.edge is not None and self.edge.first in self._proven

    @property
    def proven_addresses(self) -> list[str]:
        """Where sites of this NPM were seen."""
        return self.addresses(self._proven)

    def shows(self, name: str, *, expected: bool) -> bool:
        """Waits until nginx has a site of this name, or none; False if that does not happen."""
        if self.edge is None:
            return False
        shown = _run(_Visits(self.edge), lambda visits: visits.shows(name, expected=expected))
        if shown and expected:
            self._proven |= {self.edge.first}
        return shown

    def can_see(self, *, https: bool) -> bool:
        """Whether a site can be asked for, which is on HTTPS or not."""
        return self.edge is not None and self.edge.can_see(certificate=https)

    def before(self, names: Iterable[str]) -> Before:
        """How these names answer now."""
        wanted = sorted(set(names))
        if self.edge is None or not wanted:
            return Before()
        return _run(_Visits(self.edge), lambda visits: visits.before(wanted))

    def check(self, promises: Sequence[Promise]) -> Findings:
        """Waits until the promises are kept, or will not be any more."""
        if self.edge is None or not any(promise.is_visible for promise in promises):
            return Findings((None,) * len(promises))
        findings = _run(_Visits(self.edge), lambda visits: visits.check(promises, self._proven))
        self._proven |= findings.proven
        return findings

    def lets_strangers_in(self, name: str) -> str | None:
        """How a throwaway host that is to ask for a password does not; None if it does."""
        [trouble] = self.check([Promise(frozenset({name}), protected=True)]).troubles
        if trouble is None or not trouble.undo:
            return None
        return trouble.message.replace(asked(name), "a throwaway host with this configuration")

    def looks_bad(self, promises: Sequence[Promise]) -> bool:
        """Whether a site got worse by a write, at one glance: it may be the reload."""
        recent = [p for p in promises if time.monotonic() < p.written + GIVE_UP_AFTER]
        if self.edge is None or not any(p.before.responding for p in recent):
            return False
        return _run(_Visits(self.edge), lambda visits: visits.looks_bad(recent))


class _Visits:
    """The visits of one check, from within its event loop."""

    def __init__(self, edge: Edge) -> None:
        self._edge = edge
        self._names = Resolver()
        self._gate = asyncio.Semaphore(AT_ONCE)
        self._strangers: dict[str, Sight] = {}
        self._proven: set[str] = set()

    async def before(self, names: Sequence[str]) -> Before:
        await self._meet_strangers(https=False)
        if not self._strangers[self._edge.first].reached:
            return Before()
        seen = await asyncio.gather(*(self._visit(name) for name in names))
        served, responding = set(), set()
        for name, (first, second) in zip(names, seen, strict=True):
            if first.is_of_a_site(self._strangers[self._edge.first]):
                served.add(name)
            status = (second or first).status
            if status is not None and status < 500:
                responding.add(name)
        return Before(frozenset(served), frozenset(responding))

    async def check(self, promises: Sequence[Promise], proven: frozenset[str]) -> Findings:
        first = self._edge.first
        self._proven = set(proven)
        if any(promise.before.served for promise in promises):
            self._proven.add(first)
        await self._meet_strangers(https=any(promise.https for promise in promises))
        unseen = self._out_of_reach()
        seen = [p for p in promises if unseen is None or p.before.responding]
        looks = (self._watch_all(p, number * STAGGER) for number, p in enumerate(seen))
        found = await asyncio.gather(*looks)
        troubles = dict(zip(map(id, seen), found, strict=True))
        if any(t and t.absent_over == first for t in found) and first not in self._proven:
            unseen = f"{self._edge} answers, but as if it knew none of NPM's sites"
        for key, trouble in troubles.items():
            if trouble and trouble.absent_over and trouble.absent_over not in self._proven:
                troubles[key] = None
        return Findings(
            tuple(troubles.get(id(p)) for p in promises), unseen, frozenset(self._proven)
        )

    async def looks_bad(self, promises: Sequence[Promise]) -> bool:
        await self._meet_strangers(https=any(promise.https for promise in promises))
        looks = [
            self._visit_once(p, name) for p in promises for name in p.before.responding & p.names
        ]
        troubles = await asyncio.gather(*looks)
        return any(trouble is not None and trouble.undo for trouble in troubles)

    async def shows(self, name: str, *, expected: bool) -> bool:
        end = time.monotonic() + SERVED_WITHIN
        good = 0
        while True:
            await self._meet_strangers(https=False)
            unknown = self._strangers[self._edge.first]
            sight = await visit(self._edge, name, self._names, scheme=self._edge.first)
            reached = unknown.reached and sight.reached
            good = good + 1 if reached and sight.is_of_a_site(unknown) is expected else 0
            if good == GOOD_ANSWERS:
                return True
            if time.monotonic() > end:
                return False
            await asyncio.sleep(PAUSE)

    async def _watch_all(self, promise: Promise, pause: float) -> Trouble | None:
        """The worst trouble with any of the names; the first look is after a `pause`."""
        await asyncio.sleep(pause)
        names = sorted(promise.names | promise.elsewhere)
        found = await asyncio.gather(*(self._watch(promise, name) for name in names))
        troubles = sorted((t for t in found if t is not None), key=lambda t: not t.undo)
        return next(iter(troubles), None)

    async def _watch(self, promise: Promise, name: str) -> Trouble | None:
        good = 0
        while True:
            trouble = await self._visit_once(promise, name)
            now = time.monotonic()
            good = 0 if trouble else good + 1
            late = now > promise.written + SERVED_WITHIN  # it answers, but takes its time
            if trouble is None and now >= _loaded(promise, name) and (good >= GOOD_ANSWERS or late):
                return None
            if trouble is not None and now > promise.written + _hopeless_after(trouble):
                return trouble
            await asyncio.sleep(PAUSE)

    async def _visit_once(self, promise: Promise, name: str) -> Trouble | None:
        """What is wrong with it at the moment."""
        first, second = await self._visit(name)
        scheme, site = self._edge.first, asked(name)
        responded = name in promise.before.responding
        if responded and first.status is None:
            return Trouble(f"{site} answered before, and now there is no answer at {self._edge}")
        if not first.reached:
            return Trouble(f"{site} is not reached at {self._edge}", undo=False)
        if first.is_of_a_site(self._strangers[scheme]):
            self._proven.add(scheme)
        elif promise.not_found and first.status == 404:
            return None
        elif not promise.peculiar or name in promise.before.served:
            return Trouble(_absent(site, scheme), undo=False, absent_over=scheme)
        if name in promise.elsewhere:
            return None
        status = (second or first).status
        if promise.protected and status is not None and 200 <= status < 300:
            return Trouble(
                f"{site} is behind an access list, but answers a stranger with HTTP {status}"
            )
        if responded and (status is None or status >= 500):
            now = f"it answers HTTP {status}" if status else "there is no answer over HTTPS"
            return Trouble(f"{site} answered before, and now {now}")
        return await self._https_trouble(promise, name, second) if promise.https else None

    async def _https_trouble(
        self, promise: Promise, name: str, seen: Sight | None
    ) -> Trouble | None:
        """What is wrong with the site on HTTPS, as far as that can be seen from here."""
        unknown = self._strangers.get("https")
        if unknown is None or not unknown.reached:
            return None
        async with self._gate:
            sight = seen or await visit(self._edge, asked(name), self._names, scheme="https")
        if not sight.reached:
            return None
        if not sight.is_of_a_site(unknown):
            return Trouble(_absent(asked(name), "https"), undo=False, absent_over="https")
        self._proven.add("https")
        if shows_another(promise.leaf, sight):
            return Trouble(f"nginx shows visitors of {asked(name)} another certificate", undo=False)
        return None

    async def _visit(self, name: str) -> tuple[Sight, Sight | None]:
        async with self._gate:
            return await visit_onward(self._edge, asked(name), self._names)

    async def _meet_strangers(self, *, https: bool) -> None:
        """Learns how nginx answers for names that it does not know."""
        schemes = {self._edge.first} | ({"https"} if https and self._edge.https else set())
        for scheme in schemes:
            sight = await visit(self._edge, stranger(), self._names, scheme=scheme)
            if not sight.reached:  # it may be restarting
                await asyncio.sleep(PAUSE)
                sight = await visit(self._edge, stranger(), self._names, scheme=scheme)
            self._strangers[scheme] = sight

    def _out_of_reach(self) -> str | None:
        sight = self._strangers[self._edge.first]
        return None if sight.reached else f"{self._edge} cannot be reached: {sight.problem}"


def _loaded(promise: Promise, name: str) -> float:
    """When nginx serves this definition at the latest: a site that was there looks the same."""
    return promise.written + (RELOADED if promise.was_there(name) else 0.0)


def _hopeless_after(trouble: Trouble) -> float:
    """Seconds after the write after which it will not get better."""
    return GIVE_UP_AFTER if trouble.undo else SERVED_WITHIN


def _absent(site: str, scheme: str) -> str:
    return (
        f"nginx does not serve {site} over {scheme.upper()}, though NPM says that all is well: "
        "it answers as for a name that it does not know"
    )


def _run(visits: _Visits, work: Callable[[_Visits], Coroutine[Any, Any, T]]) -> T:
    return asyncio.run(work(visits))
