"""The takeover of foreign hosts that hold the domains of entries."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from proxysync.app.apply_once import Caller, apply_once
from proxysync.app.choose import choose
from proxysync.app.planning import Options
from proxysync.app.result import ReconcileResult
from proxysync.config.environment import Environment
from proxysync.config.models import Config
from proxysync.model import Key, label_among
from proxysync.model.errors import ProxysyncError
from proxysync.npm.client import NpmClient


@dataclass(frozen=True)
class AdoptResult:
    """What came of it, and the entries for which there was nothing to take over."""

    reconciled: ReconcileResult
    not_needed: tuple[Key, ...]

    @property
    def ok(self) -> bool:
        return self.reconciled.ok

    def to_json(self) -> dict[str, Any]:
        """The shape of `apply --format json`."""
        return self.reconciled.to_json()


def adopt(
    config: Config,
    npm: NpmClient,
    env: Environment,
    keys: frozenset[Key],
    caller: Caller = Caller(),  # noqa: B008
) -> AdoptResult:
    """Takes over the foreign hosts that hold the domains of these entries, and no others.

    Raises ProxysyncError.
    """
    done = apply_once(config, npm, env, Options(adopting=keys, trigger="adopt"), caller)
    changed = {change.key for change in done.plan.changes}
    return AdoptResult(done, () if done.plan.refused else tuple(sorted(keys - changed)))


def entries_to_adopt(
    config: Config, names: Sequence[str], *, everything: bool = False
) -> frozenset[Key]:
    """The entries of these names. Raises ProxysyncError if none is named, or one is not there."""
    known = [resource.key for resource in config.resources]
    if not names and not everything:
        raise ProxysyncError(
            "name at least one entry, or --all",
            hint=f"The file has: {', '.join(map(label_among(known), known))}.",
        )
    return frozenset(choose(names, known) if names else known)
