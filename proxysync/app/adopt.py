"""The takeover of foreign hosts that hold the domains of entries."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from proxysync.app.apply_once import Caller, apply_once
from proxysync.app.choose import choose
from proxysync.app.planning import Options
from proxysync.app.result import ReconcileResult
from proxysync.apply.report import ChangeResult
from proxysync.config.environment import Environment
from proxysync.config.models import Config
from proxysync.model import Key, label_among
from proxysync.model.errors import ProxysyncError
from proxysync.npm.client import NpmClient


@dataclass(frozen=True)
class AdoptResult:
    """What came of it.

    Of the entries that were asked for, these were `taken` over, those could `not` be, and for the
    others there is nothing to take over.
    """

    reconciled: ReconcileResult
    taken: tuple[Key, ...]
    not_taken: tuple[Key, ...]
    not_needed: tuple[Key, ...]

    @property
    def ok(self) -> bool:
        return self.reconciled.ok

    def to_json(self) -> dict[str, Any]:
        """The shape of `apply --format json`, with what was taken over and what was not."""
        named = {"taken_over": self.taken, "not_taken_over": self.not_taken}
        lists = {w: [{"kind": k.kind, "name": k.name} for k in keys] for w, keys in named.items()}
        return {**self.reconciled.to_json(), **lists}


def adopt(
    config: Config,
    npm: NpmClient,
    env: Environment,
    keys: frozenset[Key],
    caller: Caller = Caller(),  # noqa: B008
    *,
    everything: bool = False,
) -> AdoptResult:
    """Takes over the foreign hosts that hold the domains of these entries, and no others.

    With `everything`, the keys are those of all entries, and none takes a host that carries the
    marker of another proxysync: that wants a word for itself. Raises ProxysyncError.
    """
    options = Options(adopting=keys, adopt_all=everything, trigger="adopt")
    done = apply_once(config, npm, env, options, caller)
    changed = {change.key for change in done.plan.changes} & keys
    taken = {
        outcome.key
        for outcome in done.report.outcomes
        if outcome.action == "adopt" and outcome.result is ChangeResult.DONE
    }
    not_needed = () if done.plan.refused else tuple(sorted(keys - changed))
    return AdoptResult(done, tuple(sorted(taken)), tuple(sorted(changed - taken)), not_needed)


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
