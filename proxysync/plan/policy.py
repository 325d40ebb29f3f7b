"""What the caller allows a plan to do, and what it knows of earlier attempts."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from proxysync.model import Fields, Key


@dataclass(frozen=True)
class DeleteLimit:
    """How many deletions one plan may make: a share of the managed hosts (1.0 is all) or a count.

    Raises ValueError unless exactly one of the two is given.
    """

    share: float | None = None
    count: int | None = None

    def __post_init__(self) -> None:
        if (self.share is None) == (self.count is None):
            raise ValueError("a delete limit is either a share or a count")

    @classmethod
    def parse(cls, text: str) -> "DeleteLimit":
        """`30%` or `5`. Raises ValueError."""
        number = text.removesuffix("%").strip()
        if not number.isdigit() or (text.endswith("%") and int(number) > 100):
            raise ValueError(f'"{text}" is neither a share nor a number')
        if text.endswith("%"):
            return cls(share=int(number) / 100)
        return cls(count=int(number))

    def of(self, managed: int) -> int:
        """How many of `managed` hosts may go: rounded down, but at least one."""
        if self.share is None:
            return max(1, self.count or 0)
        # 29 % of 100 is 28.999... in binary, and must still allow 29.
        return max(1, math.floor(round(self.share * managed, 6)))

    def __str__(self) -> str:
        return f"{self.count}" if self.share is None else f"{self.share * 100:g}%"


@dataclass(frozen=True)
class Policy:
    """The settings that bear on a plan, and what was allowed for this one run.

    `max_delete_override` and `recreate` are a person's word that a refusal is to be waived;
    `adopting` names the entries that may take over a foreign host, and `delete_orphans` lets
    hosts go that the state knows nothing of. `maybe_truncated` means that the file may have
    been read while it was being written. `state` is the id of this state folder, if there is
    one. `back_to` is the run before which all is to be as it was, None where the file says how
    it is to be. The entries `unserved` are not served at the edge, whatever NPM says of their
    hosts. `contested` are the fields that somebody else has put back too often.
    """

    instance: str = "default"
    state: str | None = None
    drift: Literal["fix", "report"] = "fix"
    prune: bool = True
    max_delete: DeleteLimit = DeleteLimit(share=0.3)
    max_delete_override: DeleteLimit | None = None
    recreate: bool = False
    delete_orphans: bool = False
    maybe_truncated: bool = False
    adopting: frozenset[Key] = frozenset()
    back_to: int | None = None
    unserved: frozenset[Key] = frozenset()
    contested: Mapping[Key, frozenset[str]] = field(default_factory=dict)

    @property
    def command(self) -> str:
        """What a person types to make such a plan."""
        return "apply" if self.back_to is None else f"rollback {self.back_to}"


@dataclass(frozen=True)
class Failure:
    """A definition that was written, did not work and was rolled back.

    `live` is what NPM had after the roll back, None if nothing was left.
    """

    key: Key
    fields: Fields
    live: Fields | None
    reason: str
