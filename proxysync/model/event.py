"""One thing that happened, as it is raised, logged, shown and handed to listeners."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from proxysync.model.key import Key

Severity = Literal["info", "warn", "error"]
SEVERITIES: tuple[Severity, ...] = ("info", "warn", "error")
"""In ascending order."""

Source = Literal[
    "config", "plan", "validation", "apply", "health", "edge", "npm", "git", "notify", "daemon"
]
SOURCES: tuple[Source, ...] = (
    "config", "plan", "validation", "apply", "health", "edge", "npm", "git", "notify", "daemon",
)  # fmt: skip
"""The part of proxysync that raises an event."""

UNRECORDED = -1
"""Stands for the id of an event that has none yet."""


@dataclass(frozen=True)
class NewEvent:
    """An event to be raised; `model.catalogue` knows its source, its severity and its `data`.

    `key` is the entry that it is about, None where it is about no one entry. `severity` is given
    where the catalogue leaves a choice, and only there.
    """

    event: str
    message: str
    key: Key | None = None
    data: Mapping[str, Any] = field(default_factory=dict)
    severity: Severity | None = None


class Emit(Protocol):
    """Raises an event.

    What `also` writes to the same database is committed with the event or not at all. Raises
    ValueError for an event that the catalogue does not know as it is.
    """

    def __call__(
        self, event: NewEvent, /, *, also: Callable[[], object] | None = None
    ) -> object: ...


@dataclass(frozen=True)
class Event:
    """One thing that happened; `to_json` is the shape that scripts rely on.

    `key` is the entry that it is about, None where it is about no one entry.
    `id` is UNRECORDED while it could not be recorded: see `store.event_queue`.
    """

    id: int
    ts: str
    severity: str
    source: str
    event: str
    key: Key | None
    message: str
    data: Mapping[str, Any]

    def to_json(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "ts": self.ts,
            "severity": self.severity,
            "source": self.source,
            "event": self.event,
            "kind": self.key.kind if self.key else None,
            "name": self.key.name if self.key else None,
            "message": self.message,
            "data": dict(self.data),
        }
