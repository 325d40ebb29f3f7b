"""An apply that does to each kind all that can be done to an entry, for tests that break it off."""

from collections.abc import Iterable, Mapping
from random import Random
from typing import Any

from tests.by_kind import ByKind, Entries, Entry, in_surroundings


def before(kinds: Iterable[ByKind]) -> Entries:
    """What there is before: each kind has the same entries."""
    kinds = list(kinds)
    entries = {(kind.kind.name, name): entry for kind in kinds for name, entry in _before(kind)}
    lists = {"steady": "steady", "changed": "changed", "renamed": "old", "new": "leaving"}
    return entries | _guarded(kinds, lists)


def after(kinds: Iterable[ByKind]) -> Entries:
    """A creation, an update, a rename, a deletion, a disabling, and a place that moves, of each
    kind; and where two kinds share their places, one that goes from each to the next.
    """
    kinds = list(kinds)
    entries = {(kind.kind.name, name): entry for kind in kinds for name, entry in _after(kind)}
    for kind, other in zip(kinds, [*kinds[1:], *kinds[:1]], strict=True):
        turned = kind.kind.name, "turned"
        if other is kind or other.place != kind.place:
            entries[turned] = _entry(kind, "turned")
        else:
            entries[other.kind.name, "turned"] = _entry(other, "turned", of=kind)
    lists = {"steady": "steady", "changed": "changed", "renamed": "new", "new": "first"}
    return entries | _guarded(kinds, lists)


def _guarded(kinds: Iterable[ByKind], lists: Mapping[str, str]) -> Entries:
    """Sites behind these access lists of the file, by what becomes of the lists."""
    if not any(kind.kind.name == "access_list" for kind in kinds):
        return {}
    sites = _every(kinds)["proxy"]
    return {
        ("proxy", f"{word}-list"): {**_entry(sites, f"{word}-list"), "access_list": name}
        for word, name in lists.items()
    }


def _every(kinds: Iterable[ByKind]) -> Mapping[str, ByKind]:
    """All kinds, not only these, by name."""
    return in_surroundings(next(iter(kinds)).around)


def _before(kind: ByKind) -> Iterable[tuple[str, Entry]]:
    for word in ("steady", "changed", "turned"):
        yield word, _entry(kind, word)
    yield "leaving", kind.changed(_entry(kind, "leaving"))  # or it might be "first" renamed
    if kind.kind.is_host:
        yield "disabled", _entry(kind, "disabled")
    yield "old", _entry(kind, "renamed")
    yield "giver", {**_entry(kind, "moved"), kind.place: _places(kind, "moved", "kept")}


def _after(kind: ByKind) -> Iterable[tuple[str, Entry]]:
    for word in ("steady", "first"):
        yield word, _entry(kind, word)
    yield "changed", kind.changed(_entry(kind, "changed"))
    if kind.kind.is_host:
        yield "disabled", {**_entry(kind, "disabled"), "enabled": False}
    yield "new", _entry(kind, "renamed")
    yield "giver", {**_entry(kind, "moved"), kind.place: _places(kind, "kept")}
    yield "taker", {**_entry(kind, "first"), kind.place: _places(kind, "moved")}


def _entry(kind: ByKind, word: str, of: ByKind | None = None) -> Entry:
    """The same for each word, so that nothing but the place tells two of them apart."""
    return {**kind.new(Random(0), None), kind.place: _places(of or kind, word)}


def _places(kind: ByKind, *words: str) -> Any:
    return kind.as_place([kind.place_called(word) for word in words])


def sections(kinds: Iterable[ByKind], entries: Entries) -> dict[str, dict[str, Entry]]:
    """The same as the file has them."""
    return {
        kind.kind.section: {name: e for (of, name), e in entries.items() if of == kind.kind.name}
        for kind in kinds
    }


def answers(kinds: Iterable[ByKind], entries: Entries) -> dict[str, str]:
    """What visitors get, by where they ask."""
    by_name = _every(kinds)
    return {
        where: answer
        for (of, _), entry in entries.items()
        if entry.get("enabled", True)
        for where, answer in by_name[of].answers(entry).items()
    }


def kept(kinds: Iterable[ByKind]) -> Mapping[str, frozenset[str]]:
    """What is served before and after, and so in between: what visitors may get, by where.

    A place that moves may be away in between where there is no other way.
    """
    kinds = list(kinds)
    old, new = answers(kinds, before(kinds)), answers(kinds, after(kinds))
    away = {k.where(k.place_called(w)) for k in kinds if k.has_gaps for w in ("moved", "kept")}
    return {where: frozenset({old[where], new[where]}) for where in old.keys() & new.keys() - away}
