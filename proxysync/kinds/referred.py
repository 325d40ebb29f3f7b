"""What the kinds share that hosts refer to: nginx serves none of them by itself."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pydantic import Field

from proxysync.kinds.answers import Served
from proxysync.kinds.base import Kind
from proxysync.kinds.entry import Defaults, Entry
from proxysync.model import Fields
from proxysync.values.fields import Title

TITLE = "name"
"""The field of the file for what an object is called in NPM."""

NO_NAMES = frozenset[str]()


class NoDefaults(Defaults):
    """Nothing can be set for all of them."""


class ReferredEntry(Entry):
    """One object that hosts refer to, as it stands in the file."""

    name: Title | None = Field(
        default=None, description="What it is called in NPM, if not as in this file."
    )

    @property
    def title(self) -> str | None:
        return self.name

    @property
    def site_is_watched(self) -> bool:
        return False


class ReferredKind(Kind):
    """A kind that hosts refer to by an id.

    NPM lets any number of them have one name, and keeps no marker: ours are those that the state
    knows. Without it, one is ours that has an entry's name and its very content.
    """

    is_host = False
    keeps_marker = False
    defaults_model = NoDefaults

    def claims(self, fields: Fields) -> frozenset[str]:
        del fields
        return NO_NAMES

    def with_claims(self, fields: Fields, claims: frozenset[str]) -> Fields:
        del claims
        return fields

    def placeholder_definition(self, name: str) -> Fields:
        raise NotImplementedError(f"no {self.label} stands in for {name}")

    def served(self, fields: Fields, path: str = "/") -> Served:
        del fields, path
        return Served(NO_NAMES, None, https=False, forced=False, is_peculiar=True, is_plain=False)

    def holders_in_file(self, data: Mapping[str, Any]) -> Iterable[tuple[Sequence[str | int], str]]:
        del data
        return ()
