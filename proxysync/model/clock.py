"""Times: UTC in milliseconds, sortable as text, for machines, and local ones for people."""

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Self

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_SINCE_BOOT = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


@dataclass(frozen=True)
class Moment:
    """A moment that another process can tell the age of, though the clock is set in between.

    `boot` is which start of the machine it belongs to (empty where that cannot be known),
    `uptime` the seconds since then.
    """

    boot: str
    uptime: float
    wall: datetime

    @classmethod
    def now(cls) -> Self:
        return cls(_boot(), time.clock_gettime(_SINCE_BOOT), now())

    def age(self) -> float:
        """Seconds since then; after a new start of the machine as far as its clock can tell."""
        current = Moment.now()
        if self.boot and self.boot == current.boot:
            return max(0.0, current.uptime - self.uptime)
        return max(0.0, (current.wall - self.wall).total_seconds())

    def to_text(self) -> str:
        return f"{to_text(self.wall)} {self.uptime:.3f} {self.boot}"

    @classmethod
    def from_text(cls, text: str) -> Self:
        wall, uptime, boot = text.split(" ", 2)
        return cls(boot, float(uptime), from_text(wall))


@cache
def _boot() -> str:
    try:
        return BOOT_ID.read_text().strip()
    except OSError:
        return ""


def now() -> datetime:
    return datetime.now(UTC)


def to_text(moment: datetime) -> str:
    """`2026-01-31T12:00:00.000Z`"""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def local(moment: datetime) -> str:
    """`2026-01-31 13:00:00`, for people: in the zone of this machine."""
    return f"{moment.astimezone():%Y-%m-%d %H:%M:%S}"


def from_text(text: str) -> datetime:
    return datetime.fromisoformat(text)


def file_stamp() -> str:
    """The present moment as a part of a file name."""
    return now().strftime("%Y%m%dT%H%M%S%f")


def in_words(seconds: float) -> str:
    """A duration for people: `12 s`, `4 min`, `3 h 5 min`, `2 d 4 h`."""
    for unit, size, smaller, part in (("d", 86400, "h", 3600), ("h", 3600, "min", 60)):
        if seconds >= size:
            rest = int(seconds % size // part)
            return f"{int(seconds // size)} {unit}" + (f" {rest} {smaller}" if rest else "")
    return f"{int(seconds // 60)} min" if seconds >= 60 else f"{max(0, int(seconds))} s"
