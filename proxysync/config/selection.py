"""Which entries of a file are for this NPM, where one file is for several: by their tags."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from proxysync.config.document import Value, plain
from proxysync.config.setting import TAGS
from proxysync.kinds import Kind
from proxysync.model.text import entries
from proxysync.values.invalid import InvalidValue
from proxysync.values.names import tags as read_tags

Named = tuple[Kind, str, Value]
"""An entry: its kind, its name and what stands there."""


@dataclass(frozen=True)
class Selection:
    """What was chosen of a file: all of its `total` entries where there are no `tags`.

    `chosen` counts what has one of them and what that refers to; no entry has one of `unknown`.
    """

    tags: tuple[str, ...] = ()
    chosen: int = 0
    total: int = 0
    unknown: tuple[str, ...] = ()

    def __str__(self) -> str:
        if not self.tags:
            return entries(self.chosen)
        return f"{self.chosen} of {entries(self.total)}, by {TAGS}: {','.join(self.tags)}"

    @property
    def notes(self) -> Iterator[str]:
        """What a person should know of it."""
        for tag in self.unknown:
            yield f"Warning: no entry of the file has the tag {tag}, which {TAGS} names"
        if self.tags:
            yield f"Note: this is about {self}"


def tagged(found: Sequence[Named], tags: Collection[str]) -> list[int]:
    """Which of these entries have one of the tags; all where there are none.

    One whose tags cannot be read is among them, so that somebody is told of it.
    """
    return [
        index
        for index, (_, _, value) in enumerate(found)
        if not tags or (own := tags_of(value)) is None or not own.isdisjoint(tags)
    ]


def tags_of(value: Value) -> frozenset[str] | None:
    """The tags of an entry; None if they are no good."""
    stands = value.data.get("tags") if isinstance(value.data, dict) else None
    try:
        return frozenset() if stands is None else frozenset(read_tags(plain(stands)))
    except InvalidValue:
        return None
