"""The file of a random history: what stands in it, and how somebody edits it."""

from collections.abc import Callable, Sequence
from random import Random
from typing import Any

import yaml

from tests.world import domain

Entry = dict[str, Any]

STEADY = ("steady-1", "steady-2")
"""Entries that nobody edits and no hand touches: their sites must never fail."""

GUARDED = "guarded"
"""An entry with an access list: a stranger must never see its site."""

NAMES = tuple(f"entry-{number}" for number in range(9))
DOMAINS = (
    *(domain(f"d{number}") for number in range(12)),
    *(f"*.{domain(f'w{number}')}" for number in range(2)),
)
MOST = 8
"""Entries beside the fixed ones; each host more makes each reload of nginx slower."""

BAD_CONFIGS = ("no_such_directive on;", "client_max_body_size 10m", "location /x {")


class File:
    """The entries as the last edit left them; edits draw from a generator and say what they did."""

    def __init__(self, urls: Sequence[str], access_list: str) -> None:
        self.urls = tuple(urls)
        self.entries: dict[str, Entry] = {
            **{
                name: {"domains": [domain(name)], "upstream": url}
                for name, url in zip(STEADY, urls, strict=False)
            },
            GUARDED: {
                "domains": [domain(GUARDED)],
                "upstream": urls[0],
                "access_list": access_list,
            },
        }

    @property
    def free(self) -> list[str]:
        """The entries that may be edited in any way."""
        return [name for name in self.entries if name not in (*STEADY, GUARDED)]

    @property
    def unused(self) -> list[str]:
        """Domains that no entry wants."""
        used = {d for entry in self.entries.values() for d in entry["domains"]}
        return [name for name in DOMAINS if name not in used]

    def text(self) -> str:
        settings = {
            "resync_interval": "3s",
            "max_delete": "100%",
            "health": {"interval": "2s"},
        }
        content = {"version": 1, "settings": settings, "proxies": self.entries}
        return yaml.safe_dump(content, sort_keys=False)

    def half(self, rng: Random) -> str:
        """The first part of it, cut inside a line, but behind the entries that must stay whole."""
        text = self.text()
        start = text.index(f"  {GUARDED}:")
        after = [at for at in range(start, len(text)) if text[at] != "\n" and text[at - 1] != "\n"]
        last_line_of_guarded = text.index("access_list:", start)
        return text[: rng.choice([at for at in after if at > last_line_of_guarded] or after[-1:])]

    def edit(self, rng: Random) -> str:
        """One edit that is possible now; what it was."""
        edits = list(EDITS)
        rng.shuffle(edits)
        return next(filter(None, (edit(self, rng) for edit in edits)))

    def want(self, rng: Random, name: str) -> str | None:
        """A new entry that wants this domain; None if there are enough."""
        names = [n for n in NAMES if n not in self.entries]
        if not names or len(self.free) >= MOST:
            return None
        entry = rng.choice(names)
        self.entries[entry] = {"domains": [name], "upstream": rng.choice(self.urls)}
        return f"create {entry} for {name}"

    def mend(self) -> None:
        """Takes out all that cannot work."""
        for entry in self.entries.values():
            entry.pop("locations", None)
            if entry.get("advanced_config") in BAD_CONFIGS:
                del entry["advanced_config"]
            if entry["upstream"] not in self.urls:
                entry["upstream"] = self.urls[0]

    def create(self, rng: Random) -> str | None:
        free = self.unused
        if not free:
            return None
        said = self.want(rng, rng.choice(free))
        if said and len(free) > 3 and rng.random() < 0.5:
            entry = self.entries[next(reversed(self.entries))]
            entry["domains"].append(rng.choice(self.unused))
        return said

    def upstream(self, rng: Random) -> str | None:
        name = rng.choice([*self.free, *self.free, GUARDED])
        entry = self.entries[name]
        entry["upstream"] = rng.choice([u for u in self.urls if u != entry["upstream"]])
        return f"upstream of {name}: {entry['upstream']}"

    def dead_upstream(self, rng: Random) -> str | None:
        if not self.free:
            return None
        name = rng.choice(self.free)
        self.entries[name]["upstream"] = "http://127.0.0.1:1"
        return f"dead upstream of {name}"

    def rename(self, rng: Random) -> str | None:
        names = [n for n in NAMES if n not in self.entries]
        if not self.free or not names:
            return None
        old, new = rng.choice(self.free), rng.choice(names)
        self.entries = {new if n == old else n: entry for n, entry in self.entries.items()}
        return f"rename {old} to {new}"

    def move(self, rng: Random) -> str | None:
        if len(self.free) < 2:
            return None
        giver, taker = rng.sample(self.free, 2)
        given = self.entries[giver]["domains"]
        moved = rng.choice(given)
        if len(given) == 1:
            if not self.unused:
                return None
            given.append(rng.choice(self.unused))
        given.remove(moved)
        self.entries[taker]["domains"].append(moved)
        return f"move {moved} from {giver} to {taker}"

    def swap(self, rng: Random) -> str | None:
        if len(self.free) < 2:
            return None
        names = rng.sample(self.free, 2)
        left, right = (self.entries[name] for name in names)
        left["domains"], right["domains"] = right["domains"], left["domains"]
        return f"swap the domains of {' and '.join(names)}"

    def config(self, rng: Random) -> str | None:
        name = rng.choice([*self.free, *self.free, GUARDED])
        good = f"client_max_body_size {rng.randint(1, 99)}m;"
        config = rng.choice([good, good, *BAD_CONFIGS])
        self.entries[name]["advanced_config"] = config
        return f"advanced_config of {name}: {config}"

    def locations(self, rng: Random) -> str | None:
        if not self.free:
            return None
        name = rng.choice(self.free)
        entry = self.entries[name]
        if entry.pop("locations", None):
            return f"no locations of {name}"
        bad = {"advanced_config": "bogus 1;"} if rng.random() < 0.4 else {}
        entry["locations"] = [{"path": "/api", "upstream": rng.choice(self.urls), **bad}]
        return f"{'bad' if bad else 'good'} location of {name}"

    def toggle(self, rng: Random) -> str | None:
        name = rng.choice([*self.free, *self.free, GUARDED])
        entry = self.entries[name]
        entry["enabled"] = not entry.get("enabled", True)
        return f"{'enable' if entry['enabled'] else 'disable'} {name}"

    def delete(self, rng: Random) -> str | None:
        if len(self.free) < 3:
            return None
        name = rng.choice(self.free)
        del self.entries[name]
        return f"delete {name}"


EDITS: tuple[Callable[[File, Random], str | None], ...] = (
    File.create,
    File.create,
    File.upstream,
    File.dead_upstream,
    File.rename,
    File.move,
    File.move,
    File.swap,
    File.config,
    File.locations,
    File.toggle,
    File.delete,
)
