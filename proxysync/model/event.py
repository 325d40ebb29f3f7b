"""One thing that happened, as it is logged, shown and handed to listeners."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from proxysync.model.key import Key

SEVERITIES = ("info", "warn", "error")
"""From the least to the gravest."""

UNRECORDED = -1
"""Stands for the id of an event that has none yet."""


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
