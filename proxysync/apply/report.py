"""What became of a plan."""

from dataclasses import dataclass
from enum import StrEnum

from proxysync.model import Key, Keyed
from proxysync.npm.errors import NpmError

STOPPED = "stopped by signal"
"""Why the rest of a plan was not tried, where a person or the system ended the process."""


class ChangeResult(StrEnum):
    """How one change ended."""

    DONE = "done"
    FAILED = "failed"
    UNCONFIRMED = "unconfirmed"
    SKIPPED = "skipped"


@dataclass(frozen=True)
class ChangeOutcome(Keyed):
    """One change and how it ended; `message` says why where it is not done, else what is
    to be known of it."""

    key: Key
    action: str
    npm_id: int | None
    result: ChangeResult
    message: str = ""
    hint: str | None = None


@dataclass(frozen=True)
class Report:
    """All outcomes in the order of writing.

    `stopped` says why the rest was not tried, `error` is what NPM did to end it. `unseen` is why
    nobody could look whether nginx serves what was written.
    """

    outcomes: tuple[ChangeOutcome, ...] = ()
    stopped: str | None = None
    error: NpmError | None = None
    unseen: str | None = None

    @property
    def ok(self) -> bool:
        return self.stopped is None and all(o.result is ChangeResult.DONE for o in self.outcomes)
