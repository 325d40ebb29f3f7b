"""NPM's nginx as visitors reach it, and whether it is NPM's."""

import asyncio
from collections.abc import Iterator
from contextlib import closing
from functools import partial

from proxysync.app.doctor.check import Check
from proxysync.app.doctor.steps import Step
from proxysync.app.state_folder import read_folder
from proxysync.config.environment import Environment
from proxysync.config.models import Settings
from proxysync.kinds import KINDS, is_enabled
from proxysync.kinds.answers import Served
from proxysync.probe.edge import Edge, Sight, asked, stranger, visit
from proxysync.probe.resolver import Resolver

MOST_ASKED = 8
"""Sites that are asked for, at once; one that shows NPM is enough."""

NAME_IT = "Name NPM's sites in settings.verify, as {url: http://10.0.0.2}, or turn it off."


def steps(env: Environment, settings: Settings) -> tuple[Step, ...]:
    return tuple(
        Step(f"edge.{scheme}", partial(_look, env, settings, scheme))
        for scheme in ("http", "https")
    )


def _look(env: Environment, settings: Settings, scheme: str) -> Check:
    if not settings.verifies:
        return Check.skipped("settings.verify is off: nobody looks at what nginx serves")
    address = settings.edge(env.npm_url) if env.npm_url else None
    if address is None:
        return Check.skipped("PROXYSYNC_NPM_URL is not set")
    edge = Edge.at(address)
    if edge.port(scheme) is None:
        return Check.skipped(f"settings.verify names no {scheme}")
    sites = [s for s in _served(env) if scheme == "http" or s.https][:MOST_ASKED]
    names = [asked(min(site.names)) for site in sites]
    unknown, *seen = asyncio.run(_visits(edge, scheme, [stranger(), *names]))
    return _judged(edge.address(scheme), unknown, seen)


def _judged(address: str, unknown: Sight, seen: list[Sight]) -> Check:
    if not unknown.reached:
        return Check.warn(f"{address} is not reached: {unknown.problem}", NAME_IT)
    if unknown.problem.startswith("no answer"):
        return Check.warn(f"{address} does not answer: {unknown.problem}", NAME_IT)
    if not seen:
        return Check.ok(
            f"{address} is reached; no managed site tells yet whether it is NPM's nginx"
        )
    if any(sight.is_of_a_site(unknown) for sight in seen):
        return Check.ok(f"{address} is reached, and managed sites are served there")
    return Check.warn(
        f"{address} is reached, but none of {len(seen)} managed sites is served there: it may be "
        "another web server than NPM's nginx",
        NAME_IT,
    )


async def _visits(edge: Edge, scheme: str, names: list[str]) -> list[Sight]:
    resolver = Resolver()
    return await asyncio.gather(*(visit(edge, name, resolver, scheme=scheme) for name in names))


def _served(env: Environment) -> Iterator[Served]:
    """The sites that are managed and on, as they were last applied."""
    with closing(read_folder(env.state_dir, must_be_readable=False)) as stored:
        rows = stored.state.applied() if stored.state else ()
    for row in rows:
        kind = KINDS[row.key.kind]
        if row.fields and kind.is_host and is_enabled(row):
            served = kind.served(row.fields)
            if served.names:
                yield served
