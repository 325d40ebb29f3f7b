"""Pauses between tries that grow up to a limit."""

from dataclasses import dataclass

MOST_STEPS = 50
"""Beyond so many tries the pause has long reached its limit, and floats have one, too."""


@dataclass(frozen=True)
class Backoff:
    """Pauses in seconds, each one `factor` times as long as the one before."""

    first: float
    longest: float
    factor: float = 2.0

    def pause(self, tries: int) -> float:
        """How long to wait after so many tries that came before this one."""
        return float(min(self.first * self.factor ** min(tries, MOST_STEPS), self.longest))
