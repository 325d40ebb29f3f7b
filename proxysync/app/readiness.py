"""Whether an edit of the file would reach NPM now, and what keeps it from that."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from proxysync.app.status_view import Status
from proxysync.app.status_warnings import StatusWarning, present
from proxysync.app.vitals import STUCK, Vitals
from proxysync.config.errors import ConfigError
from proxysync.model import clock
from proxysync.model.errors import ProxysyncError

IN_THE_WAY = frozenset((ConfigError.code, "plan.refused", "daemon.held", "daemon.paused"))
"""Warnings of `status` with which nothing is written."""

STALE = "daemon.late"
"""The code of the reason that NPM was not brought in sync for too long."""


@dataclass(frozen=True)
class Readiness:
    """Ready where there are no `reasons`; `synced_at` is as in `Vitals`."""

    reasons: tuple[StatusWarning, ...]
    synced_at: datetime | None

    @property
    def ok(self) -> bool:
        return not self.reasons

    def to_json(self) -> dict[str, Any]:
        """The shape of /readyz; the reasons are as the warnings of `status`."""
        return {
            "status": "ready" if self.ok else "not ready",
            "reasons": [reason.to_json() for reason in self.reasons],
            "synced_at": clock.to_text(self.synced_at) if self.synced_at else None,
        }


def readiness(status: Status, vitals: Vitals, resync_interval: float) -> Readiness:
    """By how all is, and when NPM was last brought in sync."""
    found = [warning for warning in status.warnings if warning.event in IN_THE_WAY]
    if status.trouble is not None:
        found.append(_trouble(status.trouble))
    return Readiness((*found, *_late(vitals, resync_interval, found)), vitals.synced_at)


def unknown(trouble: ProxysyncError, vitals: Vitals) -> Readiness:
    """Where nobody can tell how all is."""
    return Readiness((_trouble(trouble),), vitals.synced_at)


def _trouble(error: ProxysyncError) -> StatusWarning:
    return present(error.code, error.message)


def _late(
    vitals: Vitals, resync_interval: float, known: Iterable[StatusWarning]
) -> Iterator[StatusWarning]:
    """Nothing where it is known already why nothing was written."""
    if any(known):
        return
    if vitals.silent_for > STUCK:
        yield present(STALE, f"the daemon is stuck: no sign of life for {vitals.silent_for:.0f} s")
    elif vitals.synced_at is None:
        yield present(STALE, "NPM has not been brought in sync since the daemon has started")
    else:
        late = (clock.now() - vitals.synced_at).total_seconds()
        if late > 2 * resync_interval + STUCK:
            yield present(STALE, f"NPM was last brought in sync {late:.0f} s ago")
