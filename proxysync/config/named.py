"""The variables that a file names, whatever else may be wrong with it."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from proxysync.config import source
from proxysync.config.document import Value, parse
from proxysync.config.errors import Problems
from proxysync.config.interpolate import VARIABLE


@dataclass(frozen=True)
class Named:
    """By name: those that must be handed over, and those that may be missing."""

    needed: frozenset[str]
    optional: frozenset[str]

    def only(self, names: Collection[str]) -> "Named":
        """Those of them that are among these."""
        return Named(self.needed.intersection(names), self.optional.intersection(names))


def named_variables(path: Path) -> Named:
    """What the file, or the files of a folder, name.

    Raises ConfigError where they cannot be read. What is no YAML names none.
    """
    texts: set[tuple[str, bool]] = set()
    own: set[str] = set()
    for each in source.read(path):
        document = parse(each.content.decode(errors="replace"), each.name, Problems())
        if document is not None and document.root is not None:
            texts |= set(_named(document.root))
            own |= _vars(document.root)
    needed = {name for name, must in texts if must and name not in own}
    return Named(frozenset(needed), frozenset({name for name, _ in texts} - needed))


def _named(value: Value) -> Iterator[tuple[str, bool]]:
    if isinstance(value.data, str):
        for match in VARIABLE.finditer(value.data):
            if match["name"] is not None:
                yield match["name"], match["default"] is None
    elif isinstance(value.data, dict):
        for part in value.data.values():
            yield from _named(part)
    elif isinstance(value.data, tuple):
        for part in value.data:
            yield from _named(part)


def _vars(root: Value) -> set[str]:
    found = root.data.get("vars") if isinstance(root.data, dict) else None
    return set(found.data) if found is not None and isinstance(found.data, dict) else set()
