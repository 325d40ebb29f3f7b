"""What a check came to."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Self

from proxysync.model.redact import redact


class Status(StrEnum):
    """`SKIPPED` is what could not be looked at, because of something else that failed."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"
    SKIPPED = "skipped"


@dataclass(frozen=True)
class Check:
    """One thing that was looked at: what was found, and what to do about it."""

    status: Status
    message: str
    hint: str | None = None
    name: str = ""

    @classmethod
    def ok(cls, message: str) -> Self:
        return cls(Status.OK, message)

    @classmethod
    def warn(cls, message: str, hint: str) -> Self:
        return cls(Status.WARN, message, hint)

    @classmethod
    def fail(cls, message: str, hint: str | None) -> Self:
        return cls(Status.FAIL, message, hint)

    @classmethod
    def skipped(cls, why: str) -> Self:
        return cls(Status.SKIPPED, why)

    def to_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "status": str(self.status),
            "message": self.message,
            "hint": self.hint,
        }


@dataclass(frozen=True)
class Diagnosis:
    """All checks, in the order in which a person reads them; `secrets` are not to be shown."""

    checks: tuple[Check, ...]
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def ok(self) -> bool:
        """Whether nothing failed; a warning is no failure."""
        return all(check.status is not Status.FAIL for check in self.checks)

    def to_json(self) -> dict[str, Any]:
        """The shape of `doctor --format json`."""
        value = {"ok": self.ok, "checks": [check.to_json() for check in self.checks]}
        masked: dict[str, Any] = redact(value, self.secrets)
        return masked
