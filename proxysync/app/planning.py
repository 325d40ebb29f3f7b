"""From the file to a plan that heeds validation: read, plan, probe, plan again.

Each step makes a frozen value of the one before it: Read, Planned, Probed, and Planned again.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType

from proxysync.app.remembered import Remembered, remember
from proxysync.app.verdict import Verdict, count_upstreams, definition_digest, probe_entries
from proxysync.config.models import Config
from proxysync.kinds import KINDS
from proxysync.kinds.entry import Resource
from proxysync.kinds.references import reference_fingerprint
from proxysync.model import Key, Snapshot
from proxysync.plan.adoption import only_adoptions
from proxysync.plan.match import Owned
from proxysync.plan.model import MARKER_FIELD, Plan
from proxysync.plan.planner import make_plan
from proxysync.plan.policy import Failure, Policy
from proxysync.plan.release import managed, release_plan
from proxysync.store.state import BlockedEntry, State
from proxysync.values.limits import DeleteLimit

OnProbe = Callable[[int], Callable[[], object]]
"""Given how many upstreams are to be probed, what to call once for each that is."""

NOT_BLOCKED: Mapping[Key, str] = MappingProxyType({})


def nobody_watches(_total: int) -> Callable[[], object]:
    """An OnProbe that does nothing."""
    return lambda: None


@dataclass(frozen=True)
class Options:
    """What a single run may ask for beyond the file.

    With `adopting`, only these entries are looked at, to take over the foreign hosts that
    hold their domains, and with `adopt_all` none that another proxysync manages; with
    `releasing`, only these managed hosts, to give them back. With `keep_drift`, a way back leaves
    alone what was changed in NPM. Those in `ignore_unserved` are not written again just because
    nginx does not serve them. `trigger` is why there is a run at all, for the history.
    """

    max_delete: DeleteLimit | None = None
    recreate: bool = False
    delete_orphans: bool = False
    adopting: frozenset[Key] = frozenset()
    adopt_all: bool = False
    releasing: frozenset[Key] = frozenset()
    keep_drift: bool = False
    ignore_unserved: frozenset[Key] = frozenset()
    trigger: str = "apply"

    @property
    def is_partial(self) -> bool:
        """Whether the plan is for some entries only."""
        return bool(self.adopting or self.releasing)


@dataclass(frozen=True)
class Read:
    """All that a plan is made from: the file, NPM and the state, each as it was when read."""

    config: Config
    options: Options
    snapshot: Snapshot
    remembered: Remembered


@dataclass(frozen=True)
class Planned:
    """A plan, and what it was made from; `blocked` says why validation keeps entries out."""

    read: Read
    plan: Plan
    blocked: Mapping[Key, str]

    @property
    def candidates(self) -> tuple[Resource, ...]:
        """The enabled entries whose definition the plan would create or change.

        To write again what NPM has, or to mark it as ours, makes no site worse than it is.
        """
        keys = {
            change.key
            for change in self.plan.to_make
            if change.target is not None
            and KINDS[change.kind].is_enabled(change.target)
            and (change.live is None or set(change.fields) - {MARKER_FIELD})
        }
        return tuple(resource for resource in self.read.config.resources if resource.key in keys)

    @property
    def known_blocks(self) -> tuple[BlockedEntry, ...]:
        """What of the plan was blocked as it is now when it was last validated."""
        digests = {entry.key: _digest(entry, self.read.config) for entry in self.candidates}
        blocked = self.read.remembered.blocked
        return tuple(entry for entry in blocked if digests.get(entry.key) == entry.definition)


@dataclass(frozen=True)
class Probed:
    """What validation said of a plan; those that are `backing_off` were not tried again yet."""

    planned: Planned
    verdicts: tuple[Verdict, ...]
    backing_off: Mapping[Key, str]

    @property
    def blocked(self) -> Mapping[Key, str]:
        return {**self.backing_off, **{v.key: v.reason for v in self.verdicts if v.blocks}}


def read(config: Config, options: Options, snapshot: Snapshot, state: State | None) -> Read:
    """What a plan for this file is made from; `state` is None where there is none."""
    remembered = remember(state, config.fingerprint)
    return Read(config, options, remembered.seen(snapshot), remembered)


def managed_hosts(read: Read) -> dict[Key, Owned]:
    """The hosts that are ours, by their entries and by the names that they go by in NPM."""
    instance = read.config.settings.instance
    desired = read.config.desired(read.snapshot)
    return managed(desired, read.snapshot, read.remembered.applied, instance)


def plan_from(read: Read, blocked: Mapping[Key, str] = NOT_BLOCKED) -> Planned:
    """What has to change in NPM so that it is as the file asks."""
    options = read.options
    if options.releasing:
        plan = release_plan(options.releasing, managed_hosts(read), read.snapshot)
    elif options.adopting:
        adopting = options.adopting
        if options.adopt_all:
            without = _whole_plan(read, frozenset(), blocked)
            adopting &= {change.key for change in without.changes if change.takes is not None}
        plan = only_adoptions(_whole_plan(read, adopting, blocked), options.adopting)
    else:
        plan = _whole_plan(read, frozenset(), blocked)
    return Planned(read, plan, blocked)


def _whole_plan(read: Read, adopting: frozenset[Key], blocked: Mapping[Key, str]) -> Plan:
    config, options, remembered = read.config, read.options, read.remembered
    settings = config.settings
    unserved = remembered.unserved - options.ignore_unserved
    policy = Policy(
        instance=settings.instance,
        state=remembered.state_id,
        drift=settings.drift,
        prune=settings.prune,
        max_delete=settings.max_delete,
        max_delete_override=options.max_delete,
        recreate=options.recreate,
        delete_orphans=options.delete_orphans,
        maybe_truncated=config.maybe_truncated,
        adopting=adopting,
        contested=remembered.contested,
        unknown_texts=remembered.unknown_texts,
        secret_key=remembered.secret_key,
        unserved=unserved if settings.verifies else frozenset(),
        unknown_tags=config.selection.unknown,
    )
    return make_plan(
        config.desired(read.snapshot),
        read.snapshot,
        remembered.applied,
        policy,
        blocked=blocked,
        failures=final_failures(remembered, read.snapshot),
    )


def probe(
    planned: Planned,
    *,
    due_by: datetime | None = None,
    on_probe: OnProbe = nobody_watches,
    stop: Callable[[], bool] | None = None,
) -> Probed:
    """Validates what the plan would create or change.

    With `due_by`, an entry that is blocked and whose next try is later than that stays blocked.
    """
    config = planned.read.config
    backing_off = {} if due_by is None else _backing_off(planned, due_by)
    entries = [entry for entry in planned.candidates if entry.key not in backing_off]
    if not entries:
        return Probed(planned, (), backing_off)
    advance = on_probe(count_upstreams(entries))
    verdicts = probe_entries(entries, config.settings.validation, on_result=advance, stop=stop)
    return Probed(planned, tuple(verdicts), backing_off)


def replan(probed: Probed) -> Planned:
    """The plan without what failed validation."""
    return plan_from(probed.planned.read, probed.blocked) if probed.blocked else probed.planned


def final_failures(remembered: Remembered, snapshot: Snapshot) -> Sequence[Failure]:
    """Definitions that are not to be tried again as they are, and as NPM is."""
    return [
        Failure(entry.key, entry.fields, entry.live, entry.reason, as_found=entry.as_found)
        for entry in remembered.failures
        if not entry.retry and entry.surroundings == reference_fingerprint(entry.fields, snapshot)
    ]


def _backing_off(planned: Planned, now: datetime) -> dict[Key, str]:
    return {entry.key: entry.reason for entry in planned.known_blocks if entry.wait(now) > 0}


def _digest(entry: Resource, config: Config) -> str:
    return definition_digest(entry, config.settings.validation)
