"""What is watched, and one look at it."""

from dataclasses import dataclass, field

from proxysync.model import Key, Upstream, clock
from proxysync.model.health import Check, Rules
from proxysync.probe.check import check
from proxysync.probe.edge import Edge
from proxysync.probe.model import Probe
from proxysync.probe.outcome import TIMED_OUT
from proxysync.probe.resolver import Resolver
from proxysync.probe.sessions import Sessions


@dataclass(frozen=True)
class Site:
    """What nginx is to serve for a target, by its `names`, and what can be told of it there.

    `path` is what is asked for. `https` says that there is a certificate, `leaf` is its
    fingerprint, empty where it is not known, and `forced` says that visitors are sent there. A
    `peculiar` host may answer just as nginx does for unknown names, by configuration of its own;
    what a host answers that `is_plain` is what its `upstream` does. A name that is `shadowed`
    gets an answer from a wildcard host without this one, too. With one of the statuses `own`, a
    host without an upstream answers by itself, and others may do just the same.
    """

    edge: Edge
    names: tuple[str, ...]
    upstream: Upstream | None
    path: str = "/"
    https: bool = False
    leaf: str = ""
    forced: bool = False
    peculiar: bool = False
    is_plain: bool = True
    shadowed: frozenset[str] = frozenset()
    own: frozenset[int] = frozenset()


@dataclass(frozen=True)
class Target:
    """One proxy to be checked each `interval` seconds; `site` is None where nginx is not asked."""

    key: Key
    probe: Probe
    interval: float
    rules: Rules = field(default_factory=Rules)
    site: Site | None = None

    def same_place(self, other: "Target") -> bool:
        """Whether a check of one says something about the other: it asks the same of the same."""
        mine, its = self.probe, other.probe
        return (mine.upstream, mine.path, mine.expect_text) == (
            its.upstream,
            its.path,
            its.expect_text,
        )


@dataclass(frozen=True)
class SiteTarget:
    """A host without an upstream: only nginx is asked for it, each `interval` seconds."""

    key: Key
    interval: float
    site: Site


@dataclass(frozen=True)
class Observation:
    """A check, and whether anything was reached: then the network on the way there works."""

    check: Check
    reached: bool


async def check_once(probe: Probe, names: Resolver, sessions: Sessions) -> Observation:
    """Checks once, with the engine that validates; `sessions` are those of the checks before.

    Never raises.
    """
    result = await check(probe, names, sessions=sessions)
    failure = result.failure
    tcp = next(step for step in result.steps if step.name == "tcp")
    latency = result.latency_ms
    if latency is None and tcp.status == "pass":
        latency = tcp.duration_ms
    answered = failure is not None and failure.name == "http" and failure.hint != TIMED_OUT
    return Observation(
        Check(
            at=clock.now(),
            ok=result.ok,
            latency_ms=latency,
            detail=failure.detail if failure else None,
            hint=failure.hint if failure else None,
        ),
        reached=result.ok or (answered and tcp.status != "skipped"),
    )
