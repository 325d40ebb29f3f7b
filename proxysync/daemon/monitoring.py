"""What the daemon has watched: the proxies that are live, and what could take NPM down."""

import threading
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from urllib.parse import urlsplit

from proxysync.app.verdict import health_probe
from proxysync.config.models import Config
from proxysync.health import latent
from proxysync.health.certificates import PREFIX as CERTIFICATE
from proxysync.health.certificates import expiry_warnings, in_use, keys_of
from proxysync.health.evaluator import NETWORK
from proxysync.health.monitor import Monitor
from proxysync.health.target import Site, SiteTarget, Target
from proxysync.health.writer import Writer
from proxysync.kinds import KINDS, Kind, is_enabled
from proxysync.kinds.answers import Served
from proxysync.kinds.domains import is_served
from proxysync.kinds.entry import Resource
from proxysync.kinds.references import certificate_in
from proxysync.model import Applied, Certificate, Key, Live, Snapshot, Upstream, clock
from proxysync.model.health import Rules
from proxysync.npm.client import NpmClient
from proxysync.plan.match import call
from proxysync.probe.edge import Edge
from proxysync.probe.model import Probe
from proxysync.values.upstreams import port_of

DAILY = 86400.0
UNRESOLVED_RECHECK = 300.0
"""Seconds between two looks at the same names, and while some of them does not resolve."""

NOT_FOUND = frozenset({404})
REDIRECTIONS = frozenset(range(300, 309))
"""What hosts that forward nothing answer by themselves, whichever of them it is."""


Leaves = Mapping[int, str]
"""The fingerprint of each certificate that NPM shows, by its id."""

NO_LEAVES: Leaves = MappingProxyType({})


class Monitoring:
    """Tells the monitor what is live, and inspects it. For the daemon's own thread."""

    def __init__(self, npm: NpmClient, monitor: Monitor) -> None:
        self._npm = npm
        self._monitor = monitor
        self._followed: tuple[object, ...] | None = None
        self._asked: dict[Key, Resource] = {}
        self._names: Mapping[str, Sequence[str]] = {}
        self._resolve_at = 0.0
        self._resolving: threading.Thread | None = None

    def npm_changes(self) -> None:
        """NPM is about to be written to: until `follow`, what is known of it may be old."""
        self._monitor.changing.set()

    def follow(self, config: Config, applied: Sequence[Applied]) -> None:
        """From now on what is live of this file is checked, and of those before it.

        NPM may serve for long what the file asks for no more: its plan is refused, say.
        """
        self._asked |= {resource.key: resource for resource in config.resources if resource.is_on}
        config = replace(config, resources=tuple(self._asked.values()))
        snapshot = self._npm.last_snapshot
        wild = wildcards(snapshot) if snapshot else frozenset()
        leaves = {c.npm_id: c.leaf for c in snapshot.certificates} if snapshot else {}
        followed = (config, applied, wild, leaves)
        if followed == self._followed:
            self._monitor.changing.clear()
        else:
            self._followed = followed
            address = config.settings.edge(self._npm.url)
            edge = Edge.at(address) if address else None
            sites = site_targets(config, applied, edge, wild, leaves) if edge else []
            self._monitor.watch([*targets(config, applied, edge, wild, leaves), *sites])

    def look_soon(self, keys: Collection[Key] | None = None) -> None:
        """Has these proxies, or all, checked before their time."""
        self._monitor.look_soon(keys)

    def inspect(self, config: Config) -> None:
        """Looks for certificates that run out, and, daily or if others are in use, for lost names.

        By what was read of NPM last: a reconciliation reads it often enough.
        """
        snapshot = self._npm.last_snapshot
        if snapshot is None:
            return
        self._monitor.writer.put(lambda writer: _tell_expiry(writer, in_use(snapshot)))
        names = names_at_start(snapshot)
        if self._busy or (names == self._names and time.monotonic() < self._resolve_at):
            return
        self._names, self._resolve_at = names, time.monotonic() + DAILY
        # A dead name server takes its time, and a reconciliation must not wait for it.
        self._resolving = threading.Thread(
            target=self._resolve,
            args=(names, config.settings.validation.resolver),
            name="latent outages",
            daemon=True,
        )
        self._resolving.start()

    @property
    def _busy(self) -> bool:
        return self._resolving is not None and self._resolving.is_alive()

    def _resolve(self, names: Mapping[str, Sequence[str]], resolver: str | None) -> None:
        unresolved = latent.find_unresolved(names, resolver)
        if unresolved:
            self._resolve_at = time.monotonic() + UNRESOLVED_RECHECK
        self._monitor.writer.put(lambda writer: _tell_gone(writer, names, unresolved))


def targets(
    config: Config,
    applied: Sequence[Applied],
    edge: Edge | None = None,
    wild: frozenset[str] = frozenset(),
    leaves: Leaves = NO_LEAVES,
) -> list[Target]:
    """Every managed, enabled proxy of the file whose health is not off, as it is live.

    An edit that is blocked changes nothing in NPM, so the upstream last applied is checked.
    Their sites are looked for at the `edge`, if there is one; `wild` are all wildcards there.
    """
    rows = {row.key: row for row in applied}
    days = config.settings.stale_threshold_days
    found = []
    for resource in config.resources:
        kind, health = KINDS[resource.key.kind], resource.entry.watched_as
        row = rows.get(resource.key)
        if health is None or row is None or not is_enabled(row):
            continue  # it is off, or NPM has not confirmed that it is live
        probe = health_probe(resource, config.settings.validation)
        if probe is None:
            continue
        served = kind.served(row.fields, probe.path)
        assert served.upstream is not None
        rules = Rules(health.failure_threshold, health.success_threshold, days * 86400)
        visible = edge and served.names and edge.can_see(certificate=served.https)
        leaf = leaves.get(certificate_in(row.fields), "")
        site = site_of(kind, served, probe.path, edge, wild, leaf) if edge and visible else None
        probe = replace(probe, upstream=served.upstream)
        found.append(Target(resource.key, probe, health.interval, rules, site))
    return found


def site_targets(
    config: Config,
    applied: Sequence[Applied],
    edge: Edge,
    wild: frozenset[str],
    leaves: Leaves = NO_LEAVES,
) -> list[SiteTarget]:
    """Every managed, enabled entry of a kind that forwards nothing, where nginx can be asked."""
    rows = {row.key: row for row in applied}
    found = []
    for resource in config.resources:
        kind, row = KINDS[resource.key.kind], rows.get(resource.key)
        if row is None or not is_enabled(row) or not resource.is_on:
            continue
        served = kind.served(row.fields)
        if served.names and served.upstream is None and edge.can_see(certificate=served.https):
            leaf = leaves.get(certificate_in(row.fields), "")
            site = site_of(kind, served, "/", edge, wild, leaf)
            found.append(SiteTarget(resource.key, config.settings.health.interval, site))
    return found


def site_of(
    kind: Kind, served: Served, path: str, edge: Edge, wild: frozenset[str], leaf: str = ""
) -> Site:
    """What nginx is to serve for a host, asked for at `path`."""
    forwards = served.upstream is not None
    own = NOT_FOUND if served.is_not_found else REDIRECTIONS
    above = wild - served.names
    return Site(
        edge=edge,
        names=tuple(sorted(name for name in served.names if kind.canonical(name) == name)),
        upstream=served.upstream,
        path=path,
        https=served.https,
        leaf=leaf,
        forced=served.forced,
        peculiar=served.is_peculiar,
        is_plain=served.is_plain and forwards,
        shadowed=frozenset(name for name in served.names if is_served(name, above)),
        own=frozenset() if forwards else own,
    )


def wildcards(snapshot: Snapshot) -> frozenset[str]:
    """All names in NPM that stand for many, whoever holds them."""
    claims = (KINDS[live.kind].claims(live.fields) for live in snapshot.objects if is_enabled(live))
    names = frozenset[str]().union(*claims)
    return frozenset(name for name in names if name.startswith(("*", ".")))


def npm_probe(url: str) -> Probe:
    """Whether NPM's admin port accepts connections, and no more."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    bracketed = f"[{host}]" if ":" in host else host
    admin = Upstream(parts.scheme, bracketed, port_of(url))
    return Probe(admin, skip=frozenset({"syntax", "http"}))


def names_at_start(snapshot: Snapshot) -> dict[str, list[str]]:
    """Names that nginx resolves when it starts, foreign hosts' too, and who uses each.

    Those are the names in locations and in streams: the main one is resolved per request.
    """
    uses = [
        (name, _holder(live), live.marker is not None)
        for live in snapshot.objects
        if is_enabled(live)
        for name in sorted(KINDS[live.kind].resolved_at_start(live.fields))
    ]
    found: dict[str, list[str]] = {}
    for name, holder, ours in uses:
        # A name without a dot may be a container's, which only NPM's own network knows.
        if name and (ours or "." in name or ":" in name):
            holders = found.setdefault(name, [])
            if holder not in holders:
                holders.append(holder)
    return found


def _holder(live: Live) -> str:
    return f"{call(live)} ({', '.join(sorted(KINDS[live.kind].claims(live.fields)))})"


def _tell_expiry(writer: Writer, certificates: Sequence[Certificate]) -> None:
    current = {key for certificate in certificates for key in keys_of(certificate)}
    active = writer.active_alerts()
    writer.end_alerts(*(k for k in active if k.startswith(CERTIFICATE) and k not in current))
    for warning in expiry_warnings(certificates, active, clock.now()):
        writer.fire(warning.event, *warning.keys)


def _tell_gone(
    writer: Writer, names: Mapping[str, Sequence[str]], unresolved: Mapping[str, str]
) -> None:
    if NETWORK in writer.active_alerts():
        return  # without a network no name resolves
    for name, reason in unresolved.items():
        writer.fire(latent.gone(name, names[name], reason), latent.PREFIX + name)
    said = [key.removeprefix(latent.PREFIX) for key in writer.active_alerts() if _is_latent(key)]
    for name in said:
        if name not in unresolved:
            writer.resolve(latent.over(name, in_use=name in names), latent.PREFIX + name)


def _is_latent(key: str) -> bool:
    return key.startswith(latent.PREFIX)
