"""Which host in NPM is which entry of the file; the domains are never the identity."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from proxysync.kinds import KINDS
from proxysync.kinds.domains import reached
from proxysync.model import Applied, Desired, Key, Keyed, Live, Snapshot, label_among


@dataclass(frozen=True)
class Owned(Keyed):
    """A managed host and the key under which we manage it.

    `duplicates` are further hosts with the same key, of which none may be touched. `row` is the
    state's row of this very host, whatever its key; without one it is never deleted.
    """

    live: Live
    key: Key
    duplicates: tuple[Live, ...] = ()
    row: Applied | None = None


@dataclass(frozen=True)
class Match:
    """An entry with its host, if it has one, and its row of the state, if there is one.

    `label` is how a command calls it among all entries. `adopts` means that the host is a foreign
    one which the entry is allowed to take over, and `namesakes` are foreign ones that are called
    like it in NPM.
    """

    entry: Desired
    label: str
    owned: Owned | None = None
    row: Applied | None = None
    adopts: Live | None = None
    namesakes: tuple[Live, ...] = ()

    @property
    def live(self) -> Live | None:
        return self.owned.live if self.owned else self.adopts


@dataclass(frozen=True)
class Matching:
    """Every entry in the file's order, and the hosts that are nobody's in it."""

    matches: tuple[Match, ...]
    left: tuple[Owned, ...]
    foreign: tuple[Live, ...]
    owned: tuple[Owned, ...]


def match(
    desired: Sequence[Desired],
    snapshot: Snapshot,
    applied: Sequence[Applied],
    *,
    instance: str,
    adopting: frozenset[Key],
) -> Matching:
    """Pairs entries and hosts: by marker, by the state's id, as a rename, and by adoption."""
    entries = {entry.key: entry for entry in desired}
    rows = {row.key: row for row in applied}
    owned, foreign = _sort_out(snapshot.objects, rows, entries, instance)
    pairs = {key: owned[key] for key in entries if key in owned}
    for rule in (_by_state, _by_overlap):
        if len(pairs) == len(entries):
            break
        unclaimed = [o for key, o in owned.items() if key not in entries and not o.duplicates]
        taken = {pair.key for pair in pairs.values()}
        missing = {key: entry for key, entry in entries.items() if key not in pairs}
        pairs |= rule(missing, [o for o in unclaimed if o.key not in taken], rows)
    missing = {key: entry for key, entry in entries.items() if key not in pairs}
    found = _by_content(missing.values(), foreign)
    owned |= {pair.key: pair for pair in found}
    pairs |= {pair.key: pair for pair in found}
    foreign = _without(foreign, (pair.live for pair in found))
    missing = {key: entry for key, entry in missing.items() if key not in pairs}
    takeovers = _takeovers([e for key, e in missing.items() if key in adopting], foreign)
    used = {pair.key for pair in pairs.values()}
    label = label_among(entries)
    foreign = _without(foreign, takeovers.values())
    return Matching(
        matches=tuple(
            Match(
                entry,
                label(key),
                pairs.get(key),
                _row(key, pairs.get(key), rows),
                takeovers.get(key),
                tuple(_namesakes(entry, foreign)) if key in missing else (),
            )
            for key, entry in entries.items()
        ),
        left=tuple(o for key, o in owned.items() if key not in used),
        foreign=tuple(foreign),
        owned=tuple(owned.values()),
    )


def _without(lives: Iterable[Live], taken: Iterable[Live]) -> list[Live]:
    ids = {(live.kind, live.npm_id) for live in taken}
    return [live for live in lives if (live.kind, live.npm_id) not in ids]


def same_host(row: Applied, live: Live) -> bool:
    """Whether a row of the state means this very host.

    The id alone is not enough: an NPM that was set up anew counts from 1 again.
    """
    return (
        row.npm_id == live.npm_id
        and row.kind == live.kind
        and row.created_on is not None
        and row.created_on == live.created_on
    )


def _row(key: Key, owned: Owned | None, rows: Mapping[Key, Applied]) -> Applied | None:
    """What we last wrote for an entry, though its host may still go by another name."""
    row = rows.get(key)
    if owned is None or (row is not None and same_host(row, owned.live)):
        return row
    return rows.get(owned.key)


def _sort_out(
    objects: Iterable[Live],
    rows: Mapping[Key, Applied],
    entries: Mapping[Key, Desired],
    instance: str,
) -> tuple[dict[Key, Owned], list[Live]]:
    """The managed hosts by name, and the foreign ones; both in the order of their ids."""
    by_id: dict[tuple[str, int], list[Applied]] = defaultdict(list)
    # A host that was renamed may have two rows for a while: the one in the file is right.
    for row in sorted(rows.values(), key=lambda r: (r.key not in entries, r.name)):
        by_id[row.kind, row.npm_id].append(row)
    groups: dict[Key, list[Live]] = defaultdict(list)
    foreign = []
    for live in sorted(objects, key=lambda o: (o.kind, o.npm_id)):
        name = _managed_name(live, by_id[live.kind, live.npm_id], instance)
        if name is None:
            foreign.append(live)
        else:
            groups[Key(live.kind, name)].append(live)
    return {key: _choose(key, lives, rows, by_id) for key, lives in groups.items()}, foreign


def _managed_name(live: Live, rows: Sequence[Applied], instance: str) -> str | None:
    marker = live.marker
    if marker is None or not KINDS[live.kind].keeps_marker:
        known = next((row.name for row in rows if same_host(row, live)), None)
        # A marker that no write changes has the name that the host was made with.
        if marker is None or known is not None:
            return known
    return marker.name if marker.instance == instance else None


def _choose(
    key: Key,
    lives: Sequence[Live],
    rows: Mapping[Key, Applied],
    by_id: Mapping[tuple[str, int], Sequence[Applied]],
) -> Owned:
    """The one that the state names stands for all of a name, else the oldest."""
    row = rows.get(key)
    known = (live for live in lives if row is not None and live.npm_id == row.npm_id)
    chosen = next(known, lives[0])
    its_own = (r for r in by_id[chosen.kind, chosen.npm_id] if same_host(r, chosen))
    duplicates = tuple(live for live in lives if live is not chosen) if lives[1:] else ()
    return Owned(chosen, key, duplicates, next(its_own, None))


def _by_state(
    missing: Mapping[Key, Desired], unclaimed: Sequence[Owned], rows: Mapping[Key, Applied]
) -> dict[Key, Owned]:
    found: dict[Key, Owned] = {}
    for owned in unclaimed:
        keys = sorted(key for key in missing if key in rows and same_host(rows[key], owned.live))
        found |= dict.fromkeys(keys[:1], owned)
    return found


def _by_overlap(
    missing: Mapping[Key, Desired],
    unclaimed: Sequence[Owned],
    rows: Mapping[Key, Applied],  # noqa: ARG001 - one signature for all rules
) -> dict[Key, Owned]:
    """Renames: the host that shares most domains with an entry is that entry's."""
    common = _overlaps(missing.values(), [owned.live for owned in unclaimed], _likeness)
    by_id = {(owned.live.kind, owned.live.npm_id): owned for owned in unclaimed}
    return {key: by_id[key.kind, npm_id] for key, npm_id in _best(common).items()}


def _takeovers(entries: Sequence[Desired], foreign: Sequence[Live]) -> dict[Key, Live]:
    """The one foreign host that each of these entries may adopt, if it is only one."""
    holders: dict[str, list[Live]] = defaultdict(list)
    for live in foreign:
        for domain in claims_of(live):
            holders[domain].append(live)
    able, namesakes = [], {}
    for entry in entries:
        called = list(_namesakes(entry, foreign))
        if len(called) == 1:
            namesakes[entry.key] = called[0]
        found = {(o.kind, o.npm_id) for domain in claims_of(entry) for o in holders.get(domain, ())}
        if len(found) == 1 and all(kind == entry.key.kind for kind, _ in found):
            able.append(entry)
    by_id = {(live.kind, live.npm_id): live for live in foreign}
    common = _overlaps(able, foreign)
    return namesakes | {key: by_id[key.kind, npm_id] for key, npm_id in _best(common).items()}


def _namesakes(entry: Desired, foreign: Iterable[Live]) -> Iterable[Live]:
    """The foreign objects that are called like the entry, where nothing else tells them apart."""
    kind = KINDS[entry.kind]
    title = kind.title(entry.fields)
    if title is None:
        return ()
    return (o for o in foreign if o.kind == entry.kind and kind.title(o.fields) == title)


def _by_content(missing: Iterable[Desired], foreign: Sequence[Live]) -> list[Owned]:
    """What has no marker is ours without a row, too, if it is called and filled as its entry says.

    Of several that are, each is one entry's, in the order of their ids.
    """
    found: list[Owned] = []
    for entry in missing:
        free = _without(_namesakes(entry, foreign), (owned.live for owned in found))
        free = [live for live in free if not live.given_back]
        alike = next((live for live in free if _has_content_of(entry, live)), None)
        if alike is not None:
            found.append(Owned(alike, entry.key))
    return found


def _has_content_of(entry: Desired, live: Live) -> bool:
    kind = KINDS[entry.kind]
    secrets = () if kind.derived else entry.secrets.items()
    return kind.normalise(live.fields) == kind.normalise(entry.fields) and all(
        live.hints.get(name) == kind.hint_of(secret) for name, secret in secrets
    )


def call(live: Live) -> str:
    """How messages call a host."""
    return f"{KINDS[live.kind].label} #{live.npm_id}"


def claims_of(thing: Desired | Live) -> frozenset[str]:
    """The domains that an entry asks for, or by which a host is reached."""
    kind = KINDS[thing.kind]
    return reached(kind.claims(kind.normalise(thing.fields)))


def _likeness(thing: Desired | Live) -> frozenset[str]:
    kind = KINDS[thing.kind]
    return claims_of(thing) or kind.likeness(kind.normalise(thing.fields))


def _overlaps(
    entries: Iterable[Desired],
    lives: Iterable[Live],
    names_of: Callable[[Desired | Live], frozenset[str]] = claims_of,
) -> Counter[tuple[Key, int]]:
    holders: dict[tuple[str, str], list[int]] = defaultdict(list)
    for live in lives:
        for domain in names_of(live):
            holders[live.kind, domain].append(live.npm_id)
    return Counter(
        (entry.key, npm_id)
        for entry in entries
        for domain in names_of(entry)
        for npm_id in holders.get((entry.kind, domain), ())
    )


def _best(common: Counter[tuple[Key, int]]) -> dict[Key, int]:
    """The largest overlaps first, each entry and each host once."""
    found: dict[Key, int] = {}
    used: set[tuple[str, int]] = set()
    for (key, npm_id), _ in sorted(common.items(), key=lambda i: (-i[1], i[0][1], i[0][0])):
        if key not in found and (key.kind, npm_id) not in used:
            found[key] = npm_id
            used.add((key.kind, npm_id))
    return found
