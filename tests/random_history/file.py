"""The file of a random history: what stands in it, and how somebody edits it."""

import textwrap
from collections.abc import Callable, Iterator
from random import Random
from typing import Any

import yaml

from tests.by_kind import ByKind, Entries, Key, Surroundings, in_surroundings

NAMES = tuple(f"entry-{number}" for number in range(9))
"""Of free entries; two of different kinds may have the same one."""

MOST = 11
"""Free entries; each host more makes each reload of nginx slower."""

SETTINGS = {"resync_interval": "3s", "max_delete": "100%", "health": {"interval": "2s"}}


class File:
    """The entries as the last edit left them; edits draw from a generator and say what they did."""

    def __init__(self, around: Surroundings) -> None:
        self.kinds = in_surroundings(around)
        self.entries: Entries = {}
        for name, kind in self.kinds.items():
            self.entries |= {(name, fixed): entry for fixed, entry in kind.fixed().items()}
        self._fixed = frozenset(self.entries)

    def kind(self, key: Key) -> ByKind:
        return self.kinds[key[0]]

    @property
    def steady(self) -> list[Key]:
        """The entries that nobody edits and no hand touches: what they serve must never fail."""
        return [key for key in self._fixed if key[1] not in self.kind(key).guarded]

    @property
    def guarded(self) -> list[Key]:
        """The entries whose sites no stranger may ever see."""
        return sorted(key for key in self._fixed if key[1] in self.kind(key).guarded)

    @property
    def free(self) -> list[Key]:
        """The entries that may be edited in any way."""
        return [key for key in self.entries if key not in self._fixed]

    def unused(self, kind: ByKind) -> list[Any]:
        """Places that no entry has."""
        used = {place for key, e in self.entries.items() for place in self.kind(key).places_of(e)}
        return [place for place in kind.places if place not in used]

    def answers(self) -> dict[str, str]:
        """What visitors are to get, by where they ask."""
        return {
            where: answer
            for key, entry in self.entries.items()
            if entry.get("enabled", True)
            for where, answer in self.kind(key).answers(entry).items()
        }

    def text(self) -> str:
        return "".join(text for _, text in self._blocks())

    def _blocks(self) -> Iterator[tuple[Key | None, str]]:
        """The text piece by piece, and whose each one is."""
        yield None, yaml.safe_dump({"version": 1, "settings": SETTINGS}, sort_keys=False)
        for name, kind in self.kinds.items():
            yield None, f"{kind.kind.section}:\n"
            for key, entry in self.entries.items():
                if key[0] == name:
                    text = yaml.safe_dump({key[1]: entry}, sort_keys=False)
                    yield key, textwrap.indent(text, "  ")

    def half(self, rng: Random) -> str:
        """The first part of it, cut inside a line of a free entry.

        Inside a fixed one it might say something else that is valid; one that is missing because
        the file was cut before it must be kept all the same.
        """
        text, places = "", []
        for key, block in self._blocks():
            cuts = [at for at in range(1, len(block)) if "\n" not in block[at - 1 : at + 1]]
            places += [len(text) + at for at in cuts if key is not None and key in self.free]
            text += block
        return text[: rng.choice(places)] if places else text.rstrip("\n")

    def edit(self, rng: Random) -> str:
        """One edit that is possible now; what it was."""
        edits = list(EDITS)
        rng.shuffle(edits)
        return next(filter(None, (edit(self, rng) for edit in edits)))

    def want(self, rng: Random, kind: ByKind, place: Any) -> str | None:
        """A new entry that wants this place; None if there are enough."""
        name = self._new_name(rng, kind.kind.name)
        if name is None or len(self.free) >= MOST:
            return None
        self.entries[kind.kind.name, name] = kind.new(rng, place)
        return f"create {kind.kind.name}/{name} at {place}"

    def mend(self) -> None:
        """Takes out all that cannot work."""
        for key, entry in self.entries.items():
            kind = self.kind(key)
            kind.mend(entry)
            if kind.bad_places & {*kind.places_of(entry)}:
                good = [p for p in self.unused(kind) if p not in kind.bad_places]
                entry.update({kind.place: good[0]} if good else {"enabled": False})

    def create(self, rng: Random) -> str | None:
        kind = rng.choice(list(self.kinds.values()))
        free = self.unused(kind)
        if not free:
            return None
        said = self.want(rng, kind, rng.choice(free))
        places = self.entries[next(reversed(self.entries))][kind.place] if said else None
        if isinstance(places, list) and len(free) > 3 and rng.random() < 0.5:
            places.append(rng.choice(self.unused(kind)))
        return said

    def change(self, rng: Random) -> str | None:
        """What is special about its kind."""
        key = rng.choice([*self.free, *self.free, *self.guarded])
        edits = self.kind(key).edits()
        return f"{_called(key)}: {rng.choice(edits)(rng, self.entries[key])}"

    def refer(self, rng: Random) -> str | None:
        """An entry refers to another one of the file."""
        keys = [key for key in (*self.free, *self.guarded) if self.kind(key).refers]
        if not keys:
            return None
        key = rng.choice(keys)
        field, kind = rng.choice(list(self.kind(key).refers.items()))
        self.entries[key][field] = rng.choice([name for of, name in self.entries if of == kind])
        return f"{field} of {_called(key)}: {self.entries[key][field]}"

    def _follow(self, old: Key, name: str) -> None:
        """What referred to an entry refers to that of this name."""
        for key, entry in self.entries.items():
            for field, kind in self.kind(key).refers.items():
                if (kind, entry.get(field)) == old:
                    entry[field] = name

    def rename(self, rng: Random) -> str | None:
        if not self.free:
            return None
        old = rng.choice(self.free)
        name = self._new_name(rng, old[0])
        if name is None:
            return None
        new = old[0], name
        self.entries = {new if k == old else k: entry for k, entry in self.entries.items()}
        self._follow(old, name)
        return f"rename {_called(old)} to {name}"

    def turn(self, rng: Random) -> str | None:
        """An entry becomes one of another kind, under its name if that is free."""
        if not self.free:
            return None
        old = rng.choice(self.free)
        now = self.kind(old)
        others = [k for k in self.kinds.values() if k.place == now.place and k is not now]
        if not others:
            return None
        kind = rng.choice(others)
        name = old[1] if (kind.kind.name, old[1]) not in self.entries else None
        name = name or self._new_name(rng, kind.kind.name)
        if name is None:
            return None
        places = self.entries.pop(old)[now.place]
        self.entries[kind.kind.name, name] = {**kind.new(rng, None), kind.place: places}
        return f"turn {_called(old)} into {kind.kind.name}/{name}"

    def move(self, rng: Random) -> str | None:
        """One of several places goes to another entry, of whatever kind."""
        pair = self._pair(rng)
        if pair is None:
            return None
        giver, taker = pair
        field = self.kind(giver).place
        given, taken = self.entries[giver][field], self.entries[taker][field]
        if not isinstance(given, list):
            return None
        moved = rng.choice(given)
        if len(given) == 1:
            if not (unused := self.unused(self.kind(giver))):
                return None
            given.append(rng.choice(unused))
        given.remove(moved)
        taken.append(moved)
        return f"move {moved} from {_called(giver)} to {_called(taker)}"

    def swap(self, rng: Random) -> str | None:
        pair = self._pair(rng)
        if pair is None:
            return None
        field = self.kind(pair[0]).place
        left, right = (self.entries[key] for key in pair)
        left[field], right[field] = right[field], left[field]
        return f"swap the {field} of {' and '.join(map(_called, pair))}"

    def replace(self, rng: Random) -> str | None:
        """An entry goes to another place, which nobody has."""
        if not self.free:
            return None
        key = rng.choice(self.free)
        kind, entry = self.kind(key), self.entries[key]
        unused = self.unused(kind)
        if not unused:
            return None
        new = rng.choice(unused)
        if isinstance(entry[kind.place], list):
            entry[kind.place][0] = new
        else:
            entry[kind.place] = new
        return f"{_called(key)} is at {new}"

    def toggle(self, rng: Random) -> str | None:
        keys = [*self.free, *self.free, *self.guarded]
        key = rng.choice([key for key in keys if self.kind(key).kind.is_host])
        entry = self.entries[key]
        entry["enabled"] = not entry.get("enabled", True)
        return f"{'enable' if entry['enabled'] else 'disable'} {_called(key)}"

    def delete(self, rng: Random) -> str | None:
        if len(self.free) < 3:
            return None
        key = rng.choice(self.free)
        del self.entries[key]
        self._follow(key, next(iter(self.kind(key).fixed())))
        return f"delete {_called(key)}"

    def _pair(self, rng: Random) -> tuple[Key, Key] | None:
        """Two entries whose places are of one sort."""
        if not self.free:
            return None
        first = rng.choice(self.free)
        place = self.kind(first).place
        others = [k for k in self.free if k != first and self.kind(k).place == place]
        return (first, rng.choice(others)) if others else None

    def _new_name(self, rng: Random, kind: str) -> str | None:
        names = [name for name in NAMES if (kind, name) not in self.entries]
        return rng.choice(names) if names else None


def _called(key: Key) -> str:
    return "/".join(key)


EDITS: tuple[Callable[[File, Random], str | None], ...] = (
    File.create,
    File.create,
    File.change,
    File.change,
    File.change,
    File.refer,
    File.rename,
    File.turn,
    File.move,
    File.move,
    File.swap,
    File.replace,
    File.toggle,
    File.delete,
)
