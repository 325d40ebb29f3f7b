"""Names on their way from one host to another, while no visitor may miss one of them.

NPM lets no two hosts hold one name, so a host that gives names away takes part in three steps,
in the order that `order` gives them, and nothing may stop a run in between:

1. It is *detached* from the names: it keeps those that nobody takes, and an alias of each of the
   others, by which nginx goes on serving the name (see `Kind.alias_for`).
2. The other hosts *take* the names. One that gives some of its own away keeps its aliases.
3. Once those are seen to be served, it is *finished*: it gets its new definition, without
   aliases. Where a name was not taken, its domains are *restored*: all that nobody has by then.

A run that is killed in between leaves aliases, or placeholders where an old NPM refuses them;
the next plan sees names that are missing, and moves on from there.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from proxysync.apply.order import NO_NAMES, Names, held
from proxysync.apply.outcome import WriteOutcome
from proxysync.kinds import KINDS
from proxysync.model import Fields, Live, Marker
from proxysync.plan.model import Change

HostId = tuple[str, int]
"""A host's kind and its id in NPM."""


def host_id(live: Live) -> HostId:
    return live.kind, live.npm_id


@dataclass(frozen=True)
class DomainMove:
    """How far the moves of one run have come; each step gives a new value.

    `detached` are the hosts that have given names away, as NPM has them now. `holders` says
    which host holds a name that was written in this run.
    """

    detached: Mapping[HostId, Live] = field(default_factory=dict)
    holders: Mapping[str, HostId] = field(default_factory=dict)

    def detach(self, live: Live) -> "DomainMove":
        """The host has been left with aliases for others to take its names."""
        return replace(self, detached={**self.detached, host_id(live): live})

    def after(self, outcome: WriteOutcome) -> "DomainMove":
        """A host has been written, or put back where that failed."""
        live = outcome.left
        if live is None:
            return self
        host, names = host_id(live), KINDS[live.kind].claims(live.fields)
        return DomainMove(
            {**self.detached, host: live} if host in self.detached else self.detached,
            {**self.without(live).holders, **dict.fromkeys(names, host)},
        )

    def without(self, live: Live) -> "DomainMove":
        """The host is about to lose the names that it was given in this run."""
        others = {name: host for name, host in self.holders.items() if host != host_id(live)}
        return replace(self, holders=others)

    def now(self, change: Change) -> Live | None:
        """The change's host as this run has left it, if it has been detached."""
        return self.detached.get((change.kind, change.npm_id)) if change.npm_id else None

    def expected(self, change: Change) -> Live | None:
        """The change's host as it should be: as it was planned for, or as this run left it."""
        return self.now(change) or change.live

    def is_finished(self, change: Change, marker: Marker | None) -> bool:
        """Whether the host already has all that it is to have."""
        now = self.now(change)
        return now is not None and (now.fields, now.marker) == (change.target, marker)

    def with_aliases(self, change: Change, aliases: Names) -> Fields | None:
        """The change's target, with those of the aliases that its host was given."""
        now = self.now(change)
        if now is None or change.target is None:
            return change.target
        kind = KINDS[change.kind]
        kept = aliases & kind.claims(now.fields)
        return kind.with_claims(change.target, kind.claims(change.target) | kept)

    def visited(self, change: Change, names: Iterable[str]) -> Names:
        """Those of a host's names by which no other one answers, as an alias or its own."""
        kind, mine = KINDS[change.kind], (change.kind, change.npm_id)
        canonical = frozenset(name for name in names if kind.canonical(name) == name)
        others = [live for host, live in self.detached.items() if host != mine]
        aliased = NO_NAMES.union(
            *(map(KINDS[o.kind].canonical, KINDS[o.kind].claims(o.fields)) for o in others)
        )
        return canonical - aliased

    def not_taken(self, change: Change, given: Names) -> list[str]:
        """Those of the names given away that no other host has taken."""
        nobody = (None, (change.kind, change.npm_id))
        return sorted(name for name in given if self.holders.get(name) in nobody)

    def restored(self, change: Change, now: Live) -> Fields:
        """The host as it was planned for, with those of its names that nobody else has."""
        assert change.live is not None
        kind = KINDS[change.kind]
        nobody = (None, host_id(now))
        names = map(kind.canonical, held(change))
        own = frozenset(name for name in names if self.holders.get(name) in nobody)
        claims = kind.claims(now.fields)
        canonical = frozenset(name for name in claims if kind.canonical(name) == name)
        return kind.with_claims(change.live.fields, own or canonical or claims)
