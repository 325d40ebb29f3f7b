"""How much one plan may delete."""

import math
import re
from dataclasses import dataclass

_SHARE = re.compile(r"[0-9]{1,3}(?:\.[0-9]{1,6})?%", re.ASCII)
_COUNT = re.compile("[0-9]{1,9}", re.ASCII)


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
        """`30%`, `12.5%` or `5`; `str` gives such a text back. Raises ValueError."""
        if _SHARE.fullmatch(text) and float(text[:-1]) <= 100:
            return cls(share=float(text[:-1]) / 100)
        if _COUNT.fullmatch(text):
            return cls(count=int(text))
        raise ValueError(f'"{text}" is neither a share nor a number')

    def of(self, managed: int) -> int:
        """How many of `managed` hosts may go: rounded down, but at least one."""
        if self.share is None:
            return max(1, self.count or 0)
        # 29 % of 100 is 28.999... in binary, and must still allow 29.
        return max(1, math.floor(round(self.share * managed, 6)))

    def __str__(self) -> str:
        if self.share is None:
            return f"{self.count}"
        return f"{self.share * 100:.6f}".rstrip("0").rstrip(".") + "%"
