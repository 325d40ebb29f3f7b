"""An order of writes that NPM accepts: a name is released before another host takes it."""

from collections.abc import Sequence
from dataclasses import dataclass

from proxysync.kinds import KINDS
from proxysync.plan.model import Change

Key = tuple[str, str]
"""Kind and name of a change."""


@dataclass(frozen=True)
class Step:
    """One change to carry out, or (with `keep`) its host's names cut down to these at first."""

    change: Change
    keep: frozenset[str] | None = None


def in_order(changes: Sequence[Change]) -> list[Step]:
    """The steps for these changes, each change once, as close to the given order as can be.

    Whoever takes a name comes straight after the one that gives it up, so that the name is
    served by nobody for as short as possible. Where changes wait for each other in a circle
    (two hosts swap names), one of them gives its names up in a step of its own.
    """
    waiting = list(changes)
    held = {_key(change): _held(change) for change in changes}
    steps: list[Step] = []
    released: frozenset[str] = frozenset()
    while waiting:
        ready = [change for change in waiting if not _blockers(change, held)]
        if ready:
            change = next((c for c in ready if _wanted(c) & released), ready[0])
            waiting.remove(change)
            steps.append(Step(change))
            released, held[_key(change)] = held[_key(change)] - _wanted(change), frozenset()
        else:
            change = _in_circle(waiting, held)
            keep = held[_key(change)] & _wanted(change)
            steps.append(Step(change, keep=keep or frozenset({_placeholder(change)})))
            released, held[_key(change)] = held[_key(change)] - keep, keep
    return steps


def _in_circle(waiting: Sequence[Change], held: dict[Key, frozenset[str]]) -> Change:
    """A change that, over others, waits for itself."""
    by_key = {_key(change): change for change in waiting}
    change, seen = waiting[0], set[Key]()
    while _key(change) not in seen:
        seen.add(_key(change))
        change = by_key[_blockers(change, held)[0]]
    return change


def _blockers(change: Change, held: dict[Key, frozenset[str]]) -> list[Key]:
    wanted = _wanted(change)
    return [key for key, names in held.items() if key != _key(change) and names & wanted]


def _key(change: Change) -> Key:
    return change.kind, change.name


def _held(change: Change) -> frozenset[str]:
    return KINDS[change.kind].claims(change.live.fields) if change.live else frozenset()


def _wanted(change: Change) -> frozenset[str]:
    return KINDS[change.kind].claims(change.target) if change.target else frozenset()


def _placeholder(change: Change) -> str:
    """A name that can be nobody's (RFC 2606): NPM allows no host without one."""
    return f"moving-{change.npm_id}.proxysync.invalid"
