"""Asks NPM's nginx for what was written, as visitors do; see `settings.verify`."""

import asyncio
import time
from collections.abc import Callable, Coroutine, Iterable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Any, TypeVar

from proxysync.probe.edge import Edge, Sight, asked, stranger, visit, visit_onward
from proxysync.probe.names import Names as Resolver

RELOADED = 1.5
"""Seconds after a write before which nginx may still serve what was there before it: with
400 hosts a slow machine took 0.8 s to reload."""

GOOD_ANSWERS = 5
"""So many good answers in a row, over new connections, show that no old worker is left: they go
on answering for some 50 ms beside the new ones."""

PATIENCE = 3.0
"""Seconds after a write after which a site that does not answer will not do so."""

SERVED_WITHIN = 8.0
"""Seconds after a write after which nginx will not serve a site any more that it does not yet."""

PAUSE = 0.05
"""Seconds between two looks at one site."""

AT_ONCE = 64

Names = frozenset[str]
NO_NAMES: Names = frozenset()
T = TypeVar("T")


@dataclass(frozen=True)
class Before:
    """Which names nginx had a site for before a write, and which of those answered well."""

    served: Names = NO_NAMES
    answered: Names = NO_NAMES


@dataclass(frozen=True)
class Promise:
    """What visitors must find once nginx has loaded a host that was `written` (monotonic time).

    `names` are those by which only this host answers, and `elsewhere` those that it gave to
    other hosts, which are to be served, too. `protected` tells that nobody may get in
    without a password, `https` that there is a certificate. A `peculiar` host may answer just
    as nginx answers for unknown names, by configuration of its own.
    """

    names: Names
    elsewhere: Names = NO_NAMES
    before: Before = Before()
    protected: bool = False
    https: bool = False
    peculiar: bool = False
    written: float = field(default_factory=time.monotonic)

    @property
    def is_visible(self) -> bool:
        return bool(self.names or self.elsewhere)

    def settled(self, name: str) -> float:
        """When nginx serves this definition at the latest: a site that was there looks the same."""
        was_there = name in self.before.served | self.elsewhere
        return self.written + (RELOADED if was_there else 0.0)


@dataclass(frozen=True)
class Trouble:
    """What is wrong with a written site; `undo` says that what was there before did better."""

    message: str
    undo: bool = True

    @property
    def hopeless_after(self) -> float:
        """Seconds after the write after which it will not get better."""
        return PATIENCE if self.undo else SERVED_WITHIN


@dataclass(frozen=True)
class Findings:
    """The trouble with each promise, None where it is kept.

    `unseen` is why nothing could be seen from here; then NPM's word is all there is. `proven`
    says that some site was seen, so that this is NPM's nginx indeed.
    """

    troubles: tuple[Trouble | None, ...]
    unseen: str | None = None
    proven: bool = False


class Visitor:
    """Visits sites at NPM's nginx; without an `edge` it sees nothing, and nothing wrong.

    A site that sends its visitors on to HTTPS is asked there, at the same address. `proven`
    says that sites of this NPM were seen there at some time.
    """

    def __init__(self, edge: Edge | None = None, *, proven: bool = False) -> None:
        self.edge = edge
        self._proven = proven

    def before(self, names: Iterable[str]) -> Before:
        """How these names answer now."""
        wanted = sorted(set(names))
        if self.edge is None or not wanted:
            return Before()
        return _run(_Look(self.edge), lambda look: look.before(wanted))

    def check(self, promises: Sequence[Promise]) -> Findings:
        """Waits until the promises are kept, or will not be any more."""
        if self.edge is None or not any(promise.is_visible for promise in promises):
            return Findings((None,) * len(promises))
        findings = _run(_Look(self.edge), lambda look: look.check(promises, proven=self._proven))
        self._proven = self._proven or findings.proven
        return findings

    def looks_bad(self, promises: Sequence[Promise]) -> bool:
        """Whether a site got worse by a write, at one glance: it may be the reload."""
        recent = [p for p in promises if time.monotonic() < p.written + PATIENCE]
        if self.edge is None or not any(p.before.answered for p in recent):
            return False
        return _run(_Look(self.edge), lambda look: look.looks_bad(recent))


class _Look:
    """One look from within an event loop."""

    def __init__(self, edge: Edge) -> None:
        self._edge = edge
        self._names = Resolver()
        self._gate = asyncio.Semaphore(AT_ONCE)
        self._strangers: dict[str, Sight] = {}

    async def before(self, names: Sequence[str]) -> Before:
        await self._meet_strangers(https=False)
        if not self._strangers[self._edge.first].reached:
            return Before()
        seen = await asyncio.gather(*(self._visit(name) for name in names))
        served, answered = set(), set()
        for name, (first, second) in zip(names, seen, strict=True):
            if first.is_of_a_site(self._strangers[self._edge.first]):
                served.add(name)
            status = (second or first).status
            if status is not None and status < 500:
                answered.add(name)
        return Before(frozenset(served), frozenset(answered))

    async def check(self, promises: Sequence[Promise], *, proven: bool) -> Findings:
        await self._meet_strangers(https=any(promise.https for promise in promises))
        unseen = self._out_of_reach()
        seen = [p for p in promises if unseen is None or p.before.answered]
        found = await asyncio.gather(*(self._watch_all(promise) for promise in seen))
        troubles = {id(promise): trouble for promise, (trouble, _) in zip(seen, found, strict=True)}
        proven = proven or any(p.before.served for p in promises) or any(s for _, s in found)
        absent = [t for t in troubles.values() if t is not None and not t.undo]
        if absent and not proven:
            unseen = f"{self._edge} answers, but as if it knew none of NPM's sites"
            troubles = {k: t if t is None or t.undo else None for k, t in troubles.items()}
        return Findings(tuple(troubles.get(id(p)) for p in promises), unseen, proven)

    async def looks_bad(self, promises: Sequence[Promise]) -> bool:
        await self._meet_strangers(https=any(promise.https for promise in promises))
        looks = [self._look(p, name) for p in promises for name in p.before.answered & p.names]
        troubles = [trouble for trouble, _ in await asyncio.gather(*looks)]
        return any(trouble is not None and trouble.undo for trouble in troubles)

    async def _watch_all(self, promise: Promise) -> tuple[Trouble | None, bool]:
        """The worst trouble, and whether any of the names was seen to be a site's."""
        names = sorted(promise.names | promise.elsewhere)
        found = await asyncio.gather(*(self._watch(promise, name) for name in names))
        troubles = sorted((t for t, _ in found if t is not None), key=lambda t: not t.undo)
        return next(iter(troubles), None), any(seen for _, seen in found)

    async def _watch(self, promise: Promise, name: str) -> tuple[Trouble | None, bool]:
        good, ever = 0, False
        while True:
            trouble, site = await self._look(promise, name)
            now, ever = time.monotonic(), ever or site
            good = 0 if trouble else good + 1
            late = now > promise.written + SERVED_WITHIN  # it answers, but takes its time
            if trouble is None and now >= promise.settled(name) and (good >= GOOD_ANSWERS or late):
                return None, ever
            if trouble is not None and now > promise.written + trouble.hopeless_after:
                return trouble, ever
            await asyncio.sleep(PAUSE)

    async def _look(self, promise: Promise, name: str) -> tuple[Trouble | None, bool]:
        """What is wrong with it, and whether nginx answered for a site of its own."""
        first, second = await self._visit(name)
        site = asked(name)
        answered = name in promise.before.answered
        is_site = first.is_of_a_site(self._strangers[self._edge.first])
        if not first.reached or (answered and first.status is None):
            if not answered:
                return Trouble(f"{site} is not reached at {self._edge}", undo=False), False
            return Trouble(f"{site} answered before, and now there is no answer at {self._edge}"), (
                is_site
            )
        if not is_site and (not promise.peculiar or name in promise.before.served):
            return Trouble(_absent(site, self._edge.first), undo=False), False
        if name in promise.elsewhere:
            return None, is_site
        status = (second or first).status
        if promise.protected and status is not None and 200 <= status < 300 and is_site:
            message = f"{site} is behind an access list, but answers a stranger with HTTP {status}"
            return Trouble(message), is_site
        if answered and (status is None or status >= 500):
            now = f"it answers HTTP {status}" if status else "there is no answer over HTTPS"
            return Trouble(f"{site} answered before, and now {now}"), is_site
        if promise.https and not await self._has_https(name, second):
            return Trouble(_absent(site, "https"), undo=False), is_site
        return None, is_site

    async def _has_https(self, name: str, seen: Sight | None) -> bool:
        """Whether nginx has the site on HTTPS, as far as that can be seen from here."""
        unknown = self._strangers.get("https")
        if unknown is None or not unknown.reached:
            return True
        async with self._gate:
            sight = seen or await visit(self._edge, asked(name), self._names, scheme="https")
        return not sight.reached or sight.is_of_a_site(unknown)

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


def is_served(name: str, in_use: AbstractSet[str]) -> bool:
    """Whether a host with one of the names `in_use` answers to this one."""
    above = {f"*{name[at:]}" for at, letter in enumerate(name) if letter == "."}
    return bool(({name, f".{name}"} | above) & in_use)


def _absent(site: str, scheme: str) -> str:
    return (
        f"nginx does not serve {site} over {scheme.upper()}, though NPM says that all is well: "
        "it answers as for a name that it does not know"
    )


def _run(look: _Look, work: Callable[[_Look], Coroutine[Any, Any, T]]) -> T:
    return asyncio.run(work(look))
