"""An order of writes that NPM accepts, and that leaves every name served at every moment.

NPM lets no two hosts hold one name. So a host that gives a name away first gets an alias for
it (see `Kind.alias_for`), by which nginx goes on serving the name until another host has it.
"""

from collections import defaultdict
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from enum import StrEnum

from proxysync.kinds import KINDS, RESERVED_SUFFIX
from proxysync.model import Key, Snapshot
from proxysync.plan.model import Change
from proxysync.plan.references import unresolved

Names = frozenset[str]
NO_NAMES: Names = frozenset()


class Part(StrEnum):
    """What of a change a step carries out."""

    WHOLE = "whole"
    DETACH = "detach"
    TAKE = "take"
    FINISH = "finish"


@dataclass(frozen=True)
class WriteStep:
    """One write of a change, or all of it.

    DETACH leaves the host `names` only. TAKE writes the change, with the aliases in `names`
    on top. FINISH ends a change that began with DETACH; `names` are those that other hosts
    should have taken by then. `begins` is the first step of those that are only right together.
    """

    change: Change
    part: Part = Part.WHOLE
    names: Names = NO_NAMES
    begins: bool = field(default=False, compare=False)

    @property
    def key(self) -> Key:
        """The entry that is changed."""
        return self.change.key


def in_order(changes: Sequence[Change], in_use: AbstractSet[str] = NO_NAMES) -> list[WriteStep]:
    """The steps for these changes, as close to the given order as can be.

    What only takes a host down goes first: it may be the very host that breaks nginx. What hosts
    refer to is there before them, and goes after them. Changes that give names to each other are
    carried out together. `in_use` are all names in NPM, whoever holds them.
    """
    groups = sorted(_groups(changes), key=_rank)
    return [
        replace(step, begins=number == 0)
        for group in groups
        for number, step in enumerate(_steps(group, in_use))
    ]


def _rank(group: Sequence[Change]) -> int:
    if not KINDS[group[0].kind].is_host:
        return 3 if group[0].target is None else 1
    waits = any(unresolved(change.target) for change in group)
    return 0 if all(map(takes_down, group)) and not waits else 2


def names_in_use(snapshot: Snapshot) -> Names:
    """All names in NPM, whoever holds them."""
    lives = (KINDS[live.kind].claims(live.fields) for live in snapshot.objects)
    return NO_NAMES.union(*lives)


def takes_down(change: Change) -> bool:
    """Whether the host is deleted or disabled, and so taken out of nginx."""
    return change.target is None or not KINDS[change.kind].is_enabled(change.target)


def held(change: Change) -> Names:
    """The names that the host has before the change."""
    return KINDS[change.kind].claims(change.live.fields) if change.live else NO_NAMES


def wanted(change: Change) -> Names:
    """The names that the host is to have after the change."""
    return KINDS[change.kind].claims(change.target) if change.target else NO_NAMES


def placeholder(change: Change) -> str:
    """A name that can be nobody's (RFC 2606): NPM allows no host without one."""
    return f"moving-{change.npm_id}{RESERVED_SUFFIX}"


def _groups(changes: Sequence[Change]) -> list[list[Change]]:
    """Each change together with all that give names to it or take some from it."""
    leader = list(range(len(changes)))

    def lead(index: int) -> int:
        while leader[index] != index:
            index = leader[index]
        return index

    first: dict[str, int] = {}
    for index, change in enumerate(changes):
        for name in _moving(change):
            other = first.setdefault(name, index)
            leader[lead(index)] = lead(other)
    groups: dict[int, list[Change]] = defaultdict(list)
    for index, change in enumerate(changes):
        groups[lead(index)].append(change)
    return list(groups.values())


def _moving(change: Change) -> Names:
    """The names that the change takes or gives away, aliases as what they stand for."""
    canonical = KINDS[change.kind].canonical
    given = {canonical(name) for name in held(change) - wanted(change)}
    return frozenset(given) | (wanted(change) - held(change))


def _steps(group: Sequence[Change], in_use: AbstractSet[str]) -> list[WriteStep]:
    given = {change.key: _given(change, group) for change in group}
    holders = [change for change in group if given[change.key]]
    aliases = {change.key: _aliases(change, given[change.key], in_use) for change in holders}
    steps = []
    for change in holders:
        left = held(change) - given[change.key] | aliases[change.key]
        left = left or frozenset({placeholder(change)})
        steps.append(WriteStep(change, Part.DETACH, left))
    for change in group:
        if not given[change.key]:
            steps.append(WriteStep(change))
        elif wanted(change) - held(change):
            steps.append(WriteStep(change, Part.TAKE, aliases[change.key]))
    steps += [WriteStep(change, Part.FINISH, given[change.key]) for change in holders]
    return steps


def _given(change: Change, group: Sequence[Change]) -> Names:
    """Names of the host's that others take, aliases as what they stand for."""
    canonical = KINDS[change.kind].canonical
    taken = NO_NAMES.union(*(wanted(other) for other in group if other is not change))
    return frozenset(map(canonical, held(change) - wanted(change))) & taken


def _aliases(change: Change, given: Names, in_use: AbstractSet[str]) -> Names:
    """What keeps these names served; nothing where the host does not serve, or none is free."""
    if change.live is None or not KINDS[change.kind].is_enabled(change.live.fields):
        return NO_NAMES
    kind = KINDS[change.kind]
    found = (kind.alias_for(name, in_use - held(change)) for name in given)
    return frozenset(name for name in found if name is not None)
