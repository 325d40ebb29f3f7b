"""The way out: hosts that are given back, so that proxysync no longer manages them."""

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from proxysync.app import planning
from proxysync.app.apply_once import Caller, apply_once
from proxysync.app.choose import choose
from proxysync.app.planning import Options
from proxysync.app.result import ReconcileResult
from proxysync.app.state_folder import read_folder
from proxysync.config.environment import Environment
from proxysync.config.models import Config
from proxysync.kinds.entry import Resource
from proxysync.model import Key
from proxysync.npm.client import NpmClient
from proxysync.plan.model import Plan


@dataclass(frozen=True)
class Releasing:
    """What a person asked to give back.

    `hosts` are known to be ours by these keys, `entries` are those of the file that ask for them,
    and for `nothing` there is no host of ours.
    """

    hosts: frozenset[Key]
    entries: tuple[Resource, ...]
    nothing: tuple[Key, ...]


@dataclass(frozen=True)
class ReleaseResult:
    """What came of it, and what was asked for."""

    reconciled: ReconcileResult
    asked: Releasing

    @property
    def ok(self) -> bool:
        return self.reconciled.ok

    def to_json(self) -> dict[str, Any]:
        """The shape of `apply --format json`, with the entries that still ask for the hosts."""
        entries = [{"kind": e.kind, "name": e.name} for e in self.asked.entries]
        return {**self.reconciled.to_json(), "entries": entries}


def to_release(config: Config, npm: NpmClient, env: Environment, names: Sequence[str]) -> Releasing:
    """What these names mean: entries of the file, or hosts of ours that have none.

    Raises NpmError, and ProxysyncError where a name means nothing.
    """
    with closing(read_folder(env.state_dir)) as stored:
        read = planning.read(config, Options(), npm.snapshot(), stored.state)
    hosts = planning.managed_hosts(read)
    entries = {resource.key: resource for resource in config.resources}
    chosen = choose(names, {**entries, **hosts}.keys(), "the file and in NPM")
    ours = {key: hosts[key].live for key in chosen if key in hosts}
    asking = [
        resource
        for key, resource in entries.items()
        if key in hosts and hosts[key].live in ours.values()
    ]
    nothing = tuple(key for key in chosen if key not in hosts)
    return Releasing(frozenset(ours), tuple(asking), nothing)


def release(
    config: Config,
    npm: NpmClient,
    env: Environment,
    asked: Releasing,
    caller: Caller = Caller(),  # noqa: B008
) -> ReleaseResult:
    """Gives these hosts back as they are: without our marker, and without a row in the state.

    Raises ProxysyncError.
    """
    if not asked.hosts:
        return ReleaseResult(ReconcileResult(Plan((), ())), asked)
    options = Options(releasing=asked.hosts, trigger="release")
    return ReleaseResult(apply_once(config, npm, env, options, caller), asked)
