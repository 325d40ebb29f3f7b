"""What becomes in NPM of an edit of the file: by what the daemon beside tells of it."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from proxysync.app.events import events, events_after
from proxysync.app.vitals import Vitals
from proxysync.config.models import Config
from proxysync.model import Key
from proxysync.model.event import Event
from proxysync.store.query import EventQuery

Outcome = Literal["applied", "replaced", "failed", "pending", "unchanged"]

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

CHECKS = ("health", "edge")
"""Sources of events about what is live, whatever became of an edit."""


@dataclass(frozen=True)
class ApplyResult:
    """How it went, and what was told of the entry, or stood in its way."""

    outcome: Outcome
    events: tuple[Event, ...] = ()

    def to_json(self) -> dict[str, Any]:
        return {"outcome": self.outcome, "events": [event.to_json() for event in self.events]}


@dataclass
class ApplyWatch:
    """Follows one edit after the event `after`; `config` is the file with it.

    The edit was made between the two `times`, in monotonic seconds.
    """

    state_dir: Path
    vitals: Vitals
    key: Key
    config: Config
    after: int
    times: tuple[float, float]
    _is_loaded: bool = False
    _told: list[Event] = field(default_factory=list)
    _ended: bool = False

    def look(self) -> ApplyResult:
        """How it stands now; `pending` until the run that takes in the edit is over."""
        before = self._ended or self._is_over()
        found = events_after(self.state_dir, EventQuery(limit=1000), self.after)
        self.after = max(self.after, found.reached)
        for event in found.events:
            self._hear(event)
        if any(is_trouble(event) for event in self._counting()):
            return ApplyResult("failed", tuple(self._told))
        # What is told of an entry may come a moment after the end of the run.
        self._ended = self._is_over()
        if not (self._ended and before):
            return ApplyResult("pending", tuple(self._told))
        if not self._counts():
            return ApplyResult("replaced", tuple(self._told))
        if self.key in self.vitals.not_made:
            return ApplyResult("failed", tuple(self._told) or self._told_before())
        return ApplyResult("applied", tuple(self._told))

    def _counting(self) -> list[Event]:
        """What was told that says how the edit itself went.

        Of an entry that was written, what NPM does to others in the same run says nothing.
        """
        own = [event for event in self._told if event.key == self.key]
        written = any(event.source == "apply" and event.severity == "info" for event in own)
        return own if written else self._told

    def _told_before(self) -> tuple[Event, ...]:
        """What still stands in the way of the entry, and so is not told once more."""
        query = EventQuery("warn", kind=self.key.kind, name=self.key.name)
        found = events(self.state_dir, query).events
        return tuple(event for event in found if event.source not in CHECKS)[:1]

    def _hear(self, event: Event) -> None:
        if event.event == "config.loaded" and self._has_it(event.data.get("fingerprint")):
            self._is_loaded = True
        elif event.event == "config.invalid" or self._is_loaded:
            about = event.key == self.key and event.source not in CHECKS
            if about or is_in_the_way(event):
                self._told.append(event)

    def _has_it(self, fingerprint: object) -> bool:
        """Whether the file with this fingerprint is that with the edit, or a later one."""
        later = self.vitals.config if self.vitals.looked_at >= self.times[1] else None
        return fingerprint in (self.config.fingerprint, later and later.fingerprint)

    def _is_over(self) -> bool:
        """Whether NPM was brought in sync with the file as it was once the edit was written.

        Where another edit came soon after, the daemon may never have seen the file in between.
        """
        looked_at, loaded = self.vitals.looked_at, self.vitals.config
        same = loaded is not None and loaded.fingerprint == self.config.fingerprint
        return looked_at >= self.times[0 if same else 1] and self.vitals.in_sync

    def _counts(self) -> bool:
        """Whether the entry is still what the edit made of it."""
        return _entry(self.key, self.vitals.config) == _entry(self.key, self.config)


def _entry(key: Key, config: Config | None) -> object:
    found = config.resource(key) if config else None
    return found and found.entry


def is_in_the_way(event: Event) -> bool:
    return event.event in IN_THE_WAY or (event.source == "npm" and event.severity == "error")


def is_trouble(event: Event) -> bool:
    return is_in_the_way(event) or event.severity == "error"
