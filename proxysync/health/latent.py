"""Names that nginx resolves when it starts: one that is gone takes all sites down with it."""

import asyncio
from collections.abc import Iterable, Sequence

from proxysync.model.event import NewEvent
from proxysync.probe.resolver import Resolver, Unresolved, parse_ip

SECOND_TRY = 3.0
"""Seconds after which a name that did not resolve is looked up again before it counts."""

PREFIX = "latent "
"""How the key of the alert of a name begins."""


def find_unresolved(names: Iterable[str], resolver: str | None) -> dict[str, str]:
    """Those of these names that do not resolve, twice in a row, with the reason of each."""
    return asyncio.run(_twice([name for name in names if parse_ip(name) is None], resolver))


async def _twice(names: Sequence[str], resolver: str | None) -> dict[str, str]:
    suspects = await _unresolved(names, resolver)
    if suspects:
        await asyncio.sleep(SECOND_TRY)
    return await _unresolved(list(suspects), resolver)


async def _unresolved(names: Sequence[str], resolver: str | None) -> dict[str, str]:
    lookups = Resolver()
    found = await asyncio.gather(*(lookups.find(name, resolver) for name in names))
    return {
        name: outcome.reason
        for name, outcome in zip(names, found, strict=True)
        if isinstance(outcome, Unresolved)
    }


def gone(name: str, holders: Sequence[str], reason: str) -> NewEvent:
    """The event of a name that no longer resolves; `holders` are the hosts that use it."""
    used_by = ", ".join(holders)
    return NewEvent(
        "npm.latent_outage",
        f"{name} does not resolve ({reason}), and nginx needs it to start: it is used by "
        f"{used_by}; the next restart of NPM takes all sites down",
        data={
            "name": name,
            "hosts": list(holders),
            "hint": f"Mend the DNS entry of {name}, or change or disable {used_by} in NPM "
            "before it restarts.",
        },
    )


def over(name: str, *, in_use: bool) -> NewEvent:
    """The event of a name that was gone and is no trouble any more."""
    return NewEvent(
        "npm.latent_outage_over",
        f"{name} resolves again" if in_use else f"{name} is not used any more",
        data={"name": name},
    )
