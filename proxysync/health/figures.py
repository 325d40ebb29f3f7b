"""What many checks come to: how many were good, and how long they took. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Figures:
    """A stretch of time; latencies are in milliseconds, of the good checks, None without any."""

    total: int
    ok: int
    p50: int | None
    p95: int | None


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
