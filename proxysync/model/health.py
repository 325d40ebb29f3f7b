"""When a status has changed. Pure: what was known and one check give what is known now."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal, get_args

Status = Literal["unknown", "healthy", "unhealthy"]
STATUSES: tuple[Status, ...] = get_args(Status)
EdgeStatus = Literal["unknown", "served", "not_served"]


@dataclass(frozen=True)
class Rules:
    """Checks in a row that change a status, and seconds of ill health that make it stale."""

    failure_threshold: int = 2
    success_threshold: int = 1
    stale_after: float = 7 * 86400.0


@dataclass(frozen=True)
class Check:
    """One check that was made: `detail` and `hint` are those of the failing step.

    `lasts` is for how many seconds it speaks: until the next one is due.
    """

    at: datetime
    ok: bool
    latency_ms: int | None = None
    detail: str | None = None
    hint: str | None = None
    lasts: float = 300.0


@dataclass(frozen=True)
class HealthState:
    """What is known of a target.

    `streak` counts the last checks that agree with each other, below 0 if they failed.
    `stale` means that it has been unhealthy for so long that its entry may be a leftover.
    The last three are those of the last check.
    """

    status: Status = "unknown"
    since: datetime | None = None
    streak: int = 0
    stale: bool = False
    checked_at: datetime | None = None
    latency_ms: int | None = None
    detail: str | None = None
    hint: str | None = None


@dataclass(frozen=True)
class EdgeState:
    """Whether NPM's nginx serves a target to visitors; `detail` is why it is not, or not known."""

    status: EdgeStatus = "unknown"
    since: datetime | None = None
    checked_at: datetime | None = None
    detail: str | None = None


@dataclass(frozen=True)
class StatusChange:
    """A status that changed; `lasted` is for how many seconds the old one held, if known."""

    before: Status
    after: Status
    lasted: float | None
    check: Check


def judge(
    known: HealthState, check: Check, rules: Rules
) -> tuple[HealthState, StatusChange | None]:
    """What is known after this check, and the change if it is one."""
    streak = max(known.streak, 0) + 1 if check.ok else min(known.streak, 0) - 1
    seen = replace(
        known,
        streak=streak,
        checked_at=check.at,
        latency_ms=check.latency_ms,
        detail=check.detail,
        hint=check.hint,
    )
    status = known.status
    if streak >= rules.success_threshold:
        status = "healthy"
    elif -streak >= rules.failure_threshold:
        status = "unhealthy"
    lasted = None if known.since is None else max(0.0, (check.at - known.since).total_seconds())
    if status != known.status:
        changed = replace(seen, status=status, since=check.at, stale=False)
        return changed, StatusChange(known.status, status, lasted, check)
    stale = status == "unhealthy" and lasted is not None and lasted >= rules.stale_after
    return replace(seen, stale=seen.stale or stale), None
