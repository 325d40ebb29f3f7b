"""What the state knows of all that a plan is about, read at one moment."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from proxysync.model import Applied, Key, Live, Snapshot
from proxysync.store.state import BlockedEntry, FailedEntry, State


@dataclass(frozen=True)
class Remembered:
    """Nothing at all where there is no state.

    `contested` are the fields that were left to another writer for this file. What is `unserved`
    was not served at the edge when it was last asked. `unknown_texts` may hold secrets that the
    state does not know. `given_back` are hosts whose marker of ours means nothing any more.
    """

    state_id: str | None = None
    secret_key: bytes = field(default=b"", repr=False)
    applied: tuple[Applied, ...] = ()
    failures: tuple[FailedEntry, ...] = ()
    blocked: tuple[BlockedEntry, ...] = ()
    contested: Mapping[Key, frozenset[str]] = field(default_factory=dict)
    unserved: frozenset[Key] = frozenset()
    unknown_texts: frozenset[str] = frozenset()
    given_back: frozenset[tuple[str, int, str | None]] = frozenset()

    def seen(self, snapshot: Snapshot) -> Snapshot:
        """NPM with what was given back as somebody else's, whatever marker it has."""
        if not self.given_back:
            return snapshot
        return replace(snapshot, objects=tuple(map(self._as_foreign, snapshot.objects)))

    def _as_foreign(self, live: Live) -> Live:
        is_given = (live.kind, live.npm_id, live.created_on) in self.given_back
        return replace(live, marker=None, given_back=True) if is_given else live


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
        given_back=state.given_back(),
    )
