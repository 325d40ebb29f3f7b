"""What becomes in NPM of an edit of the file: by what the daemon beside tells of it."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from proxysync.app.events import events_after
from proxysync.app.vitals import Vitals
from proxysync.model import Key, clock
from proxysync.model.event import Event
from proxysync.store.query import EventQuery

Outcome = Literal["applied", "failed", "pending", "unchanged"]

IN_THE_WAY = frozenset(
    (
        "config.invalid",
        "plan.refused",
        "daemon.held",
        "daemon.paused",
        "daemon.locked",
        "daemon.fault",
        "state.unusable",
    )
)
"""Events after which an edit does not reach NPM, as after any error of NPM itself."""


@dataclass(frozen=True)
class ApplyResult:
    """How it went, and what was told of the entry, or stood in its way."""

    outcome: Outcome
    events: tuple[Event, ...] = ()

    def to_json(self) -> dict[str, Any]:
        return {"outcome": self.outcome, "events": [event.to_json() for event in self.events]}


@dataclass
class ApplyWatch:
    """Follows one edit after the event `after`; `fingerprint` is that of the file with it."""

    state_dir: Path
    vitals: Vitals
    key: Key
    fingerprint: str
    after: int
    _loaded: Event | None = None
    _told: list[Event] = field(default_factory=list)
    _ended: bool = False

    def look(self) -> ApplyResult:
        """How it stands now; `pending` until the run that takes in the edit is over."""
        before = self._ended or self._is_over()
        found = events_after(self.state_dir, EventQuery(limit=1000), self.after)
        self.after = max(self.after, found.reached)
        for event in found.events:
            self._hear(event)
        if any(is_trouble(event) for event in self._told):
            return ApplyResult("failed", tuple(self._told))
        # What is told of an entry may come a moment after the end of the run.
        self._ended = self._is_over()
        done = self._ended and before
        return ApplyResult("applied" if done else "pending", tuple(self._told))

    def _hear(self, event: Event) -> None:
        if event.event == "config.loaded" and event.data.get("fingerprint") == self.fingerprint:
            self._loaded = event
        elif event.event == "config.invalid" or self._loaded is not None:
            about = event.key == self.key and event.source not in ("health", "edge")
            if about or is_in_the_way(event):
                self._told.append(event)

    def _is_over(self) -> bool:
        synced = self.vitals.synced_at
        return bool(self._loaded and synced and clock.to_text(synced) >= self._loaded.ts)


def is_in_the_way(event: Event) -> bool:
    return event.event in IN_THE_WAY or (event.source == "npm" and event.severity == "error")


def is_trouble(event: Event) -> bool:
    return is_in_the_way(event) or event.severity == "error"
