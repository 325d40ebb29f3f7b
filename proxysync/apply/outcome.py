"""How one write ended: one value, for all who have to act on it."""

from collections.abc import Callable
from dataclasses import dataclass

from proxysync.apply.promise import NOTHING_PROMISED, Promise
from proxysync.model import Applied, Live
from proxysync.model.errors import ProxysyncError
from proxysync.npm.errors import NpmError, NpmRejectedError, NpmUnconfirmedError
from proxysync.plan.model import Change


class ApplyError(ProxysyncError):
    """This one entry could not be written as it is; nothing of it is left half done.

    `live` is what NPM has now, and `restored` tells that we have put it there. With `retry` the
    same may work later.
    """

    code = "apply.refused"

    def __init__(
        self,
        message: str,
        hint: str | None = None,
        *,
        live: Live | None = None,
        retry: bool,
        restored: bool = False,
    ) -> None:
        super().__init__(message, hint=hint)
        self.live = live
        self.retry = retry
        self.restored = restored


@dataclass(frozen=True)
class WriteOutcome:
    """What one write came to: NPM has taken it unless there is an `error`.

    An ApplyError is the entry's own; any other ends the run. `live` is what NPM has now, None
    after a deletion and where nobody knows. Visitors have yet to see what it makes of their
    sites: `promise` is what they must find; `before` and `last` are what to put back if not.
    `note` is what a person should know though it is done.
    """

    change: Change
    live: Live | None = None
    error: ApplyError | NpmError | None = None
    promise: Promise = NOTHING_PROMISED
    before: Live | None = None
    last: Applied | None = None
    note: str | None = None

    @property
    def fatal(self) -> NpmError | None:
        """What ends the run: NPM itself is broken or away."""
        return self.error if isinstance(self.error, NpmError) else None

    @property
    def left(self) -> Live | None:
        """The host as we have left it, where that is known and NPM has one."""
        if isinstance(self.error, ApplyError):
            return self.error.live if self.error.restored else None
        return self.live if self.error is None else None

    @property
    def changes_anything(self) -> bool:
        """Whether the host is another than it was, and not just written once more."""
        return self.before is None or self.live is None or self.before.fields != self.live.fields


def attempt(change: Change, write: Callable[[], WriteOutcome]) -> WriteOutcome:
    """Writes, and turns whatever went wrong into the outcome."""
    try:
        return write()
    except NpmRejectedError as error:
        refused = ApplyError(error.message, error.hint, retry=True)
        return WriteOutcome(change, error=refused)
    except NpmUnconfirmedError as error:
        return WriteOutcome(change, error.live, error)
    except (ApplyError, NpmError) as error:
        return WriteOutcome(change, error=error)
