"""What the state knows of all that a plan is about, read at one moment."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from proxysync.model import Applied, Key
from proxysync.store.state import BlockedEntry, FailedEntry, State


@dataclass(frozen=True)
class Remembered:
    """Nothing at all where there is no state.

    `contested` are the fields that were left to another writer for this file. What is `unserved`
    was not served at the edge when it was last asked. `unknown_texts` may hold secrets that the
    state does not know.
    """

    state_id: str | None = None
    secret_key: bytes = field(default=b"", repr=False)
    applied: tuple[Applied, ...] = ()
    failures: tuple[FailedEntry, ...] = ()
    blocked: tuple[BlockedEntry, ...] = ()
    contested: Mapping[Key, frozenset[str]] = field(default_factory=dict)
    unserved: frozenset[Key] = frozenset()
    unknown_texts: frozenset[str] = frozenset()


def remember(state: State | None, fingerprint: str) -> Remembered:
    """What the state knows now, for a file with this fingerprint."""
    if state is None:
        return Remembered()
    edges = state.edges.standings()
    return Remembered(
        state_id=state.id,
        secret_key=state.secret_key,
        applied=state.applied(),
        failures=state.failures(),
        blocked=state.blocked(),
        contested=state.contests.lost(fingerprint),
        unserved=frozenset(key for key, edge in edges.items() if edge.status == "not_served"),
        unknown_texts=state.unknown_texts(),
    )
