"""A write whose answer has not come, and what shows that it has arrived."""

from dataclasses import dataclass

from proxysync.model import Fields, Live


@dataclass(frozen=True)
class Flight:
    """One such write, and what shows that NPM has it.

    `npm_id` is None for a creation. `shows` is what the object then has: None where it is then
    gone, and nothing in it where it was so before.
    """

    kind: str
    npm_id: int | None
    shows: Fields | None

    def trace(self, lives: tuple[Live, ...]) -> tuple[bool, Live | None]:
        """Whether these objects show that it has arrived, and the one that does."""
        same_kind = [live for live in lives if live.kind == self.kind]
        if self.npm_id is not None:
            same_kind = [live for live in same_kind if live.npm_id == self.npm_id]
        if self.shows is None:
            return not same_kind, None
        found = (live for live in same_kind if self.shows and has_fields(live, self.shows))
        live = next(found, None)
        return live is not None, live


def has_fields(live: Live, fields: Fields) -> bool:
    """Whether the object has these values already."""
    return all(live.fields.get(name) == value for name, value in fields.items())
