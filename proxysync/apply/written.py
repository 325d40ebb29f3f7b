"""What became of one write: taken by NPM, or refused."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Protocol

from proxysync.apply.promise import Promise
from proxysync.model import Applied, Fields, Live
from proxysync.model.errors import ProxysyncError
from proxysync.plan.model import Change


class Refusal(ProxysyncError):  # noqa: N818
    """This one entry could not be written as it is; nothing of it is left half done.

    `live` is what NPM has now; with `retry` the same may work later.
    """

    code = "apply.refused"

    def __init__(
        self, message: str, hint: str | None = None, *, live: Live | None = None, retry: bool
    ) -> None:
        super().__init__(message, hint=hint)
        self.live = live
        self.retry = retry


@dataclass(frozen=True)
class Written:
    """A change as NPM has taken it; `live` is None after a deletion.

    SiteChecks have yet to see what it makes of their sites: `promise` is what they must find.
    `before` and `last` are what to put back if they do not.
    """

    change: Change
    live: Live | None
    promise: Promise | None = None
    before: Live | None = None
    last: Applied | None = None

    @property
    def changes_anything(self) -> bool:
        """Whether the host is another than it was, and not just written once more."""
        return self.before is None or self.live is None or self.before.fields != self.live.fields


class Notes(Protocol):
    """What must be known of a write before it has ended; see `store.journal.Row`."""

    def created(self, npm_id: int, created_on: str | None, /) -> object: ...

    def promise(self, answered: Collection[str], *, protected: bool) -> object: ...


class _NoNotes:
    def created(self, npm_id: int, created_on: str | None, /) -> None: ...

    def promise(self, answered: Collection[str], *, protected: bool) -> None: ...


NO_NOTES = _NoNotes()


def trouble_of(live: Live, target: Fields) -> str | None:
    """Why a written host is not as it should be, though NPM answered that all is well."""
    wrong = sorted(name for name, value in target.items() if live.fields.get(name) != value)
    if wrong:
        return f"NPM did not store {', '.join(wrong)} as sent"
    if live.fields.get("enabled") and live.online is False:
        return f"nginx refuses it: {first_line(live.nginx_error)}"
    return None


def first_line(text: str | None) -> str:
    """The line that tells why nginx refused a file."""
    lines = [line.strip() for line in (text or "").splitlines() if line.strip()]
    telling = [line for line in lines if "[emerg]" in line] or lines
    return telling[0] if telling else "NPM gives no reason"
