"""Whether NPM's nginx serves the targets to visitors: asked with each check of their health.

What is known for certain is little, for a visitor does not see which file nginx has loaded:

- nginx answers for a name as for one that it does not know: the host's file is lost;
- it answers with a server error, though the upstream answers well: an old file leads elsewhere;
- it gives another page than the upstream does, though both give the same page each time, and
  the upstream gives it whoever asks: an old file leads to another service that works.

Where a page changes with each request, or depends on who asks, only the first two can be seen;
where a host answers by configuration of its own, only the first.
"""

import asyncio
import threading
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

from proxysync.health.target import Site, SiteTarget, Target
from proxysync.health.writer import OnEdge, Writer
from proxysync.model import Key
from proxysync.model.health import EdgeStatus
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

LOOKS = 4
"""So many times a site is not served before it is believed: nginx may be reloading."""

PAUSE = 0.4
"""Seconds between two of these."""

STRANGER_KEPT = 60.0
"""Seconds for which it is remembered how nginx answers for names that it does not know."""

WRITE_AFTER = 5.0
"""Seconds for which what is no news may wait to be written with the next."""

FORWARDED = {
    "X-Forwarded-Scheme": "http",
    "X-Forwarded-Proto": "http",
    "X-Forwarded-For": "192.0.2.1",
    "X-Real-IP": "192.0.2.1",
}
"""What NPM adds for the upstream; the address (RFC 5737) is nobody's."""


@dataclass(frozen=True)
class EdgeVerdict:
    """What visitors get; `unseen` is why nobody can tell, where that holds for all targets.

    With `certain`, it does not matter how the upstream is.
    """

    status: EdgeStatus
    detail: str | None = None
    unseen: str | None = None
    certain: bool = False

    def counts(self, *, healthy: bool) -> bool:
        """Whether this is trouble, whose cause is not an upstream that is not well."""
        return self.status == "not_served" and (healthy or self.certain)


class EdgeWatch:
    """Looks at sites, for one event loop; `on_edge` hears what visitors get of them.

    While it is `changing`, nginx may show certificates that are newer than what is known of NPM.
    """

    def __init__(
        self,
        writer: Writer,
        names: Resolver,
        *,
        proven: Collection[str],
        on_edge: OnEdge,
        changing: threading.Event,
    ) -> None:
        self._writer = writer
        self._names = names
        self._on_edge = on_edge
        self._changing = changing
        self._proven = set(proven)
        self._strangers: dict[tuple[Edge, str, str], tuple[float, Sight]] = {}
        self._seen_at: set[str] = set()
        self._mirrors: dict[str, tuple[Site, str]] = {}
        self._fickle: set[Site] = set()
        self._agreed: set[tuple[Site, str]] = set()
        self._looked: set[Key] = set()
        self._known: dict[Key, EdgeStatus] = {}
        self._found: dict[Key, tuple[EdgeStatus, str | None]] = {}
        self._written = 0.0
        self._unseen: str | None = ""  # not known yet, so that whatever is seen is written down
        self._targets: Mapping[Key, Target | SiteTarget] = {}

    def watch(self, targets: Mapping[Key, Target | SiteTarget]) -> None:
        """From now on these are the targets; what is known of the others is forgotten."""
        self._targets = targets
        self._changing.clear()
        keys = [key for key, target in targets.items() if target.site is not None]
        self._looked &= set(keys)
        for gone in self._known.keys() - set(keys):
            del self._known[gone]
            self._found.pop(gone, None)
        self._writer.put(lambda writer: writer.keep_edges(keys))

    async def look(self, target: Target | SiteTarget, *, healthy: bool) -> None:
        """Looks at a target's site, and says what has changed; `healthy` is its upstream."""
        if target.site is None:
            return
        verdict = await self._look(target, target.site)
        for _ in range(LOOKS - 1):
            if not verdict.counts(healthy=healthy):
                break
            await asyncio.sleep(PAUSE)
            verdict = await self._look(target, target.site, fresh=True)
        if self._targets.get(target.key) != target:
            return  # it is another one by now
        self._looked.add(target.key)
        if verdict.status == "not_served" and not verdict.counts(healthy=healthy):
            verdict = replace(verdict, status="unknown")
        self._tell(target.key, target.site, verdict)

    def _tell(self, key: Key, site: Site, verdict: EdgeVerdict) -> None:
        # That one site is not there says nothing, as long as others have not been asked for.
        known = str(site.edge) in self._proven or len(self._looked) >= len(self._targets)
        if (verdict.unseen is not None and known) or verdict.status == "served":
            self._tell_unseen(verdict.unseen)
        self._found[key] = verdict.status, verdict.detail
        news = self._known.get(key) != verdict.status or verdict.status == "not_served"
        self._known[key] = verdict.status
        if news or time.monotonic() > self._written + WRITE_AFTER:
            found, self._found, self._written = self._found, {}, time.monotonic()
            self._writer.put(lambda writer: writer.edge(found, self._on_edge))

    def _tell_unseen(self, why: str | None) -> None:
        if why != self._unseen:
            self._unseen = why
            self._writer.put(lambda writer: writer.edge_unseen(why))

    def _prove(self, edge: Edge, scheme: str) -> None:
        address = edge.address(scheme)
        if address not in self._proven:
            self._proven.add(address)
            self._writer.put(lambda writer: writer.edge_proven(address))

    async def _look(
        self, target: Target | SiteTarget, site: Site, *, fresh: bool = False
    ) -> EdgeVerdict:
        unknown = await self._stranger(site.edge, site.edge.first, site.path, fresh=fresh)
        if not unknown.reached:
            why = f"{site.edge} cannot be reached: {unknown.problem}"
            return EdgeVerdict("unknown", why, unseen=why)
        verdicts = [await self._look_at(target, site, name, unknown) for name in site.names]
        worst = min(verdicts, key=lambda verdict: _ORDER[verdict.status])
        if worst.status == "not_served" and str(site.edge) not in self._proven:
            why = f"{site.edge} answers, but as if it knew none of NPM's sites"
            return EdgeVerdict("unknown", why, unseen=why)
        return worst

    async def _look_at(
        self, target: Target | SiteTarget, site: Site, name: str, unknown: Sight
    ) -> EdgeVerdict:
        first, second = await visit_onward(site.edge, asked(name), self._names, path=site.path)
        if not first.reached:
            return EdgeVerdict("unknown", f"{site.edge} cannot be reached: {first.problem}")
        other, proven = unknown, first.is_of_a_site(unknown)
        if name in site.shadowed and proven:
            other = await self._sibling(site, name)
            proven = not first.is_like(other)
            if not proven and site.is_plain:
                # A wildcard host answers in its stead, or does just the same: the page decides.
                return await self._compared(target, site, name, first)
        if not proven:
            alike = other.status in site.own
            if alike or (site.peculiar and name not in self._seen_at):
                return EdgeVerdict("unknown", f"{asked(name)} may answer as unknown names do")
            return EdgeVerdict("not_served", _absent(name, site.edge.first))
        self._seen_at.add(name)
        self._prove(site.edge, site.edge.first)
        if site.https and site.edge.https:
            unknown = await self._stranger(site.edge, "https", site.path)
            second = second or await visit(
                site.edge, asked(name), self._names, scheme="https", path=site.path
            )
            if second.is_of_a_site(unknown):
                self._prove(site.edge, "https")
                if not shows_another(site.leaf, second):
                    self._agreed.add((site, name))
                # What has changed since they agreed is newer than what is known of NPM.
                elif (site, name) not in self._agreed and not self._changing.is_set():
                    return EdgeVerdict("not_served", _outdated(name), certain=True)
            elif unknown.status in site.own:
                pass  # it answers just so itself
            elif second.reached and unknown.reached and site.edge.address("https") in self._proven:
                return EdgeVerdict("not_served", _absent(name, "https"))
        return await self._compared(target, site, name, _last(site, first, second))

    async def _compared(
        self, target: Target | SiteTarget, site: Site, name: str, sight: Sight
    ) -> EdgeVerdict:
        """Whether the answer can be the upstream's."""
        if isinstance(target, SiteTarget) or not site.is_plain or sight.status is None:
            return EdgeVerdict("served")
        expect = target.probe.expect
        if sight.status >= 500 and not (expect and expect(sight.status)):
            return EdgeVerdict(
                "not_served",
                f"{asked(name)} answers HTTP {sight.status}, though its upstream "
                f"{target.probe.upstream} answers well: nginx may have loaded an older definition",
            )
        if sight.status != 200 or await self._mirrors_upstream(site, name, sight):
            return EdgeVerdict("served")
        return EdgeVerdict(
            "not_served",
            f"{asked(name)} answers with another page than its upstream {target.probe.upstream}: "
            "nginx may have loaded an older definition",
        )

    async def _mirrors_upstream(self, site: Site, name: str, sight: Sight) -> bool:
        """Whether this is the upstream's page, as far as its pages can be compared."""
        known = self._mirrors.get(name)
        if site in self._fickle or known == (site, sight.digest):
            return True
        direct = await self._ask_upstream(site, name)
        if direct.digest == sight.digest:
            self._mirrors[name] = site, sight.digest
            return True
        for_npm = await self._ask_upstream(site, name, forwarded=True)
        seen = await visit_onward(site.edge, asked(name), self._names, path=site.path)
        same_each_time = _last(site, *seen).digest == sight.digest
        if direct.status != 200 or not (same_each_time and direct.is_like(for_npm)):
            self._fickle.add(site)
        return site in self._fickle

    async def _ask_upstream(self, site: Site, name: str, *, forwarded: bool = False) -> Sight:
        upstream = site.upstream
        assert upstream is not None
        place = Edge(upstream.host.strip("[]"), upstream.port, upstream.port)
        more = FORWARDED if forwarded else {}
        return await visit(
            place, asked(name), self._names, scheme=upstream.scheme, path=site.path, more=more
        )

    async def _sibling(self, site: Site, name: str) -> Sight:
        """What a name gets that only a wildcard above this one covers."""
        other = f"{stranger().partition('.')[0]}.{name.partition('.')[2]}"
        return await visit(site.edge, other, self._names, scheme=site.edge.first, path=site.path)

    async def _stranger(self, edge: Edge, scheme: str, path: str, *, fresh: bool = False) -> Sight:
        key = edge, scheme, path
        at, sight = self._strangers.get(key, (-STRANGER_KEPT, Sight(reached=False)))
        now = time.monotonic()
        if fresh or not sight.reached or now - at > STRANGER_KEPT:
            sight = await visit(edge, stranger(), self._names, scheme=scheme, path=path)
            self._strangers[key] = now, sight
        return sight


_ORDER: dict[EdgeStatus, int] = {"not_served": 0, "unknown": 1, "served": 2}


def _last(site: Site, first: Sight, second: Sight | None) -> Sight:
    """What a visitor ends up with who follows the host's own redirect to HTTPS."""
    return second if site.forced and second is not None and second.reached else first


def _outdated(name: str) -> str:
    return (
        f"nginx shows visitors of {asked(name)} another certificate than NPM has for it: it has "
        "not been reloaded since that was uploaded"
    )


def _absent(name: str, scheme: str) -> str:
    return (
        f"nginx answers for {asked(name)} over {scheme.upper()} as for a name that it does not "
        "know, though NPM says that all is well"
    )
