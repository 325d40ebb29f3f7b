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
