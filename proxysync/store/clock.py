"""Times as they are stored: UTC, in milliseconds, sortable as text."""

from datetime import UTC, datetime


def now() -> datetime:
    return datetime.now(UTC)


def to_text(moment: datetime) -> str:
    """`2026-01-31T12:00:00.000Z`"""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


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
