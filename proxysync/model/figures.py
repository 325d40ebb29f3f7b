"""What many checks come to: how many were good, and how long they took. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class Figures:
    """A stretch of time; latencies are in milliseconds, of the good checks, None without any."""

    total: int
    ok: int
    p50: int | None
    p95: int | None


@dataclass(frozen=True)
class Uptime:
    """The share (0 to 1) of a window in which all was well, of the time that checks speak for.

    `since` is the first moment that counts, `seconds` how long that time is in all: a pause
    of the checks counts for nothing. Without any, share and `since` are None.
    """

    share: float | None = None
    since: datetime | None = None
    seconds: float = 0.0


def summarise(checks: Sequence[tuple[bool, int | None]]) -> Figures:
    """`checks` are (ok, latency in milliseconds)."""
    latencies = sorted(latency for ok, latency in checks if ok and latency is not None)
    return Figures(
        total=len(checks),
        ok=sum(1 for ok, _ in checks if ok),
        p50=percentile(latencies, 50),
        p95=percentile(latencies, 95),
    )


def percentile(ordered: Sequence[int], percent: int) -> int | None:
    """The smallest value that at least `percent` of the values do not exceed."""
    if not ordered:
        return None
    return ordered[max(0, -(-len(ordered) * percent // 100) - 1)]
