"""What visitors find of written hosts, and what that says of each. Pure."""

from collections.abc import Iterable, Set
from dataclasses import dataclass

from proxysync.apply.order import Part, WriteStep
from proxysync.apply.outcome import WriteOutcome
from proxysync.apply.promise import Trouble
from proxysync.kinds import KINDS
from proxysync.model import Key
from proxysync.store.edges import Sighting
from proxysync.store.journal import Row


@dataclass(frozen=True)
class Unchecked:
    """A step that NPM has taken, and that visitors have yet to see."""

    step: WriteStep
    row: Row
    outcome: WriteOutcome


@dataclass(frozen=True)
class Checked:
    """A step that visitors have seen, and the `trouble` that they have with it."""

    step: WriteStep
    row: Row
    outcome: WriteOutcome
    trouble: Trouble | None

    @property
    def to_undo(self) -> Trouble | None:
        """Why what was there before has to come back: it did better."""
        # What was only written once more leaves nothing that did better.
        worse = self.trouble and self.trouble.undo and self.outcome.changes_anything
        return self.trouble if worse else None


def sites_seen(checked: Iterable[Checked], told: Set[Key]) -> dict[Key, Sighting]:
    """What is known of the sites that stay as they were written.

    `told` are those of which it was told that they are not served.
    """
    seen: dict[Key, Sighting] = {}
    for one in checked:
        key, promise = one.step.key, one.outcome.promise
        if one.trouble is not None:
            if not one.to_undo:
                seen[key] = "not_served", one.trouble.message
        elif key in told and KINDS[key.kind].is_host and promise.names <= promise.before.served:
            # It was there, but was not what the file says: a check of health, which hosts alone
            # have, can tell.
            seen[key] = "unknown", None
        elif one.step.part is not Part.TAKE and one.outcome.live is not None:
            seen[key] = "served", None
    return seen
