"""What planning and applying need to know of one kind of NPM object, and nothing else."""

from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any

from proxysync.model import Fields

RESERVED_SUFFIX = ".proxysync.invalid"
"""Names of throwaway hosts, and of those between two names, end in this: nobody's (RFC 2606)."""


@dataclass(frozen=True)
class Kind:
    """A kind of object in NPM; all that handles objects is generic over this.

    `defaults` names every field that we manage with NPM's own default for it, and
    `optional` those of them that only newer servers accept. `normalise` brings a definition
    into the form that NPM stores. `claims` are the names that no other host may hold (its
    domains); `with_claims` gives a definition other ones. `stand_in` is another name by which
    nginx serves the same visitors, though NPM lets a second host hold it, given all names in
    use; None if there is none. `stands_for` is the way back: the name itself where it is no
    stand-in. `idle` is a definition with this name that leads nowhere and that nginx always
    takes. `resolved_at_start` are the host names that nginx looks up when it tests or starts:
    while one of them does not resolve, no write to any host succeeds. Whatever is in a
    `free_text` field, or behind a `reference` to another object of NPM, can make nginx reject
    the host, however carefully the file was checked.
    """

    name: str
    collection: str
    defaults: Fields
    optional: Mapping[str, str]
    free_text: frozenset[str]
    references: frozenset[str]
    normalise: Callable[[Fields], Fields]
    claims: Callable[[Fields], frozenset[str]]
    with_claims: Callable[[Fields, frozenset[str]], Fields]
    stand_in: Callable[[str, AbstractSet[str]], str | None]
    stands_for: Callable[[str], str]
    idle: Callable[[str], Fields]
    resolved_at_start: Callable[[Fields], frozenset[str]]

    @property
    def risky(self) -> frozenset[str]:
        """Fields of which a change is to be tried before it touches a live host."""
        return self.free_text | self.references

    def complete(self, row: Mapping[str, Any]) -> Fields:
        """The managed fields of an NPM row, in normal form; what is missing has its default."""
        return self.normalise({name: row.get(name, value) for name, value in self.defaults.items()})
