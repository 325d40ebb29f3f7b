"""Certificates and access lists by name: NPM's ids never appear in the file."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any

from proxysync.kinds.covering import (
    Candidate,
    NoChoiceError,
    choose,
    described,
    in_npm,
    uncovered,
)
from proxysync.kinds.entry import Entry
from proxysync.model import AccessList, Certificate, Fields, Key, Live, Reference, Snapshot, clock
from proxysync.values.scalars import AUTO, NONE

CERTIFICATE = "certificate_id"
ACCESS_LIST = "access_list_id"

KIND_OF = {CERTIFICATE: "certificate", ACCESS_LIST: "access_list"}
"""The kind of what these fields refer to."""

Named = Mapping[tuple[str, int], str]
"""The names that the file has for objects, by their kind and id."""

UNKNOWN = -1
"""Stands for the id of a reference that cannot be told; never written to NPM."""

DELETED_LIST = (
    "NPM serves a host whose list was deleted to everybody, so take it down with `enabled: false` "
    "until that is mended"
)


class UnknownReferenceError(LookupError):
    """A name that NPM does not have, or has more than once; the text lists what there is."""


def find_certificate(name: str, certificates: Sequence[Certificate | Candidate]) -> int | Reference:
    """The id of the certificate with this nice name, or covering this domain.

    A nice name wins over a domain that is listed, and that over one a wildcard covers; the file's
    own win over NPM's. Raises UnknownReferenceError where the best of these is missing or
    ambiguous.
    """
    wanted = name.lower()
    rules = (
        [c for c in certificates if c.nice_name == name],
        [c for c in certificates if c.nice_name.lower() == wanted],
        [c for c in certificates if wanted in c.domains],
        [c for c in certificates if _wildcard(wanted) in c.domains],
    )
    found = next((matches for matches in rules if matches), [])
    found = [c for c in found if isinstance(c.npm_id, Reference)] or found
    known = {c.npm_id: described(c.nice_name, c.domains) for c in certificates}
    advice = "give a nice name or a domain that only one of them has"
    return _only("certificate", name, [c.npm_id for c in found], known, advice)


def find_access_list(name: str, access_lists: Sequence[AccessList]) -> int | Reference:
    """The id of the access list with this name.

    Raises UnknownReferenceError where there is none, or more than one.
    """
    found = [a.npm_id for a in access_lists if a.name == name]
    known: dict[int | Reference, str] = {a.npm_id: f'"{a.name}"' for a in access_lists}
    return _only("access list", name, found, known, "give each its own name in NPM")


def as_access_list(live: Live) -> AccessList:
    """An access list as those see it that refer to it."""
    users, clients = live.fields["items"], live.fields["clients"]
    return AccessList(
        live.npm_id,
        live.fields["name"],
        is_empty=not users and not clients,
        clients=tuple(f"{one['directive']} {one['address']}" for one in clients),
    )


def candidates(snapshot: Snapshot, own: Mapping[Key, Entry]) -> list[Candidate]:
    """The certificates that a host could have: the file's, and what NPM has besides."""
    kind = KIND_OF[CERTIFICATE]
    entries = {key: entry for key, entry in own.items() if key.kind == kind}
    ours = [
        Candidate(
            Reference.to(key),
            entry.title or key.name,
            entry.covers,
            entry.expires,
            entry.fingerprint,
        )
        for key, entry in entries.items()
    ]
    titles, leaves = {c.nice_name for c in ours}, {c.leaf for c in ours} - {""}
    others = [
        in_npm(certificate)
        for certificate in snapshot.certificates
        if certificate.nice_name not in titles and certificate.leaf not in leaves
    ]
    return ours + others


def _choose(
    domains: Sequence[str], _name: str, certificates: Sequence[Candidate]
) -> int | Reference:
    try:
        return choose(domains, certificates, clock.now()).npm_id
    except NoChoiceError as error:
        raise UnknownReferenceError(str(error)) from error


class References:
    """Finds what entries refer to in one reading of NPM, and keeps what is `missing`, and why.

    `advice` says what to do about it where a site would stand open meanwhile.
    """

    def __init__(self, snapshot: Snapshot, own: Mapping[Key, Entry]) -> None:
        self._snapshot = snapshot
        self._own = own
        self.missing: dict[str, str] = {}
        self.warnings: list[str] = []
        self._list_name: str | None = None

    def certificate(self, name: str | None, domains: Sequence[str] = ()) -> int | Reference:
        """The id of a certificate for these domains; 0 for none, UNKNOWN where it cannot be told.

        One that is named and leaves some of them out is told of in `warnings`.
        """
        if name is None:
            return 0
        known = candidates(self._snapshot, self._own)
        if name == AUTO:
            return self._id(partial(_choose, domains), name, known, CERTIFICATE)
        found = self._id(find_certificate, name, known, CERTIFICATE)
        names = next((c.domains for c in known if c.npm_id == found), ())
        if names and (left_out := uncovered(domains, names)):
            self.warnings.append(
                f'certificate "{name}" is for {", ".join(names)}, and not for '
                f"{', '.join(left_out)}: browsers refuse it there"
            )
        return found

    def access_list(self, name: str | None) -> int | Reference:
        """The id of an access list; 0 for none, UNKNOWN where it cannot be told."""
        self._list_name = name
        return self._id(find_access_list, name, self._snapshot.access_lists, ACCESS_LIST)

    @property
    def advice(self) -> list[str]:
        return [DELETED_LIST] if ACCESS_LIST in self.missing else []

    def open_lists(self, fields: Fields) -> list[str]:
        """Why the access list among these fields would protect nothing."""
        used = fields.get(ACCESS_LIST)
        if not any(a.npm_id == used and a.is_empty for a in self._snapshot.access_lists):
            return []
        problem = (
            f'access list "{self._list_name}" has neither users nor clients, and NPM serves a '
            "host with such a list to everybody; give it some in NPM, or take it out of the entry"
        )
        return [problem]

    def _id(
        self,
        find: Callable[[str, Sequence[Any]], int | Reference],
        name: str | None,
        known: Sequence[Any],
        field: str,
    ) -> int | Reference:
        if name is None:
            return 0
        key = Key(KIND_OF[field], name)
        if key in self._own:
            return Reference.to(key)
        try:
            return find(name, known)
        except UnknownReferenceError as error:
            self.missing[field] = str(error)
            return UNKNOWN


class ReferenceNames:
    """The way back: names by which the file refers to what has these ids, as NPM is now.

    `problems` are the ids for which there is none, and why.
    """

    def __init__(self, snapshot: Snapshot, named: Named) -> None:
        self._snapshot = snapshot
        self._named = named
        self.problems: list[str] = []

    def certificate(self, npm_id: int | Reference) -> str | None:
        """Its nice name, or a domain that only it covers; None for none."""
        known = self._snapshot.certificates
        names = [n for c in known if c.npm_id == npm_id for n in (c.nice_name, *c.domains)]
        if own := self._own(CERTIFICATE, npm_id):
            return own
        advice = "give it a nice name of its own in NPM"
        return self._name(find_certificate, "certificate", npm_id, names, known, advice)

    def access_list(self, npm_id: int | Reference) -> str | None:
        """Its name; None for none."""
        known = self._snapshot.access_lists
        names = [a.name for a in known if a.npm_id == npm_id]
        if own := self._own(ACCESS_LIST, npm_id):
            return own
        advice = "give each its own name in NPM"
        return self._name(find_access_list, "access list", npm_id, names, known, advice)

    def _own(self, field: str, npm_id: int | Reference) -> str | None:
        """Its name in the file, or that of the entry that it waits for."""
        if isinstance(npm_id, Reference):
            return npm_id.key.name
        return self._named.get((KIND_OF[field], npm_id))

    def _name(
        self,
        find: Callable[[str, Sequence[Any]], int | Reference],
        what: str,
        npm_id: int | Reference,
        names: Sequence[str],
        known: Sequence[Any],
        advice: str,
    ) -> str | None:
        if not npm_id:
            return None
        for name in names:
            try:
                usable = name.strip() and name.casefold() not in (NONE, AUTO)
                if usable and find(name, known) == npm_id:
                    return name
            except UnknownReferenceError:
                continue
        self.problems.append(
            f'{what} #{npm_id} "{names[0]}" has no name that tells it from the others; {advice}'
            if names
            else f"it has {what} #{npm_id}, which is gone from NPM, or this account may not see it"
        )
        return None


def reference_fingerprint(fields: Fields, snapshot: Snapshot) -> str:
    """What a definition refers to, as NPM has it: another text means that it may fare otherwise."""
    certificates = [c for c in snapshot.certificates if c.npm_id == fields.get(CERTIFICATE)]
    lists = [a for a in snapshot.access_lists if a.npm_id == fields.get(ACCESS_LIST)]
    parts = [[c.domains, c.expires_on, c.leaf] for c in certificates], [a.clients for a in lists]
    return json.dumps(parts)


def reference_names(snapshot: Snapshot) -> dict[tuple[str, int], str]:
    """What an id of a kind means to a person: the certificate's name, say."""
    names = {(KIND_OF[CERTIFICATE], c.npm_id): c.nice_name for c in snapshot.certificates}
    return names | {(KIND_OF[ACCESS_LIST], a.npm_id): a.name for a in snapshot.access_lists}


def gone_references(fields: Fields, snapshot: Snapshot) -> list[str]:
    """What a definition refers to and NPM does not have, each as a part of a sentence."""
    there = (
        ("certificate", CERTIFICATE, {c.npm_id for c in snapshot.certificates}),
        ("access list", ACCESS_LIST, {a.npm_id for a in snapshot.access_lists}),
    )
    return [
        f"it had {what} #{fields[field]}, which is gone from NPM"
        for what, field, ids in there
        if fields.get(field)
        and not isinstance(fields[field], Reference)
        and fields[field] not in ids
    ]


def certificates_in_use(definitions: Iterable[Fields]) -> frozenset[int]:
    """The certificates that these definitions refer to."""
    used = (fields.get(CERTIFICATE) or 0 for fields in definitions)
    return frozenset(npm_id for npm_id in used if not isinstance(npm_id, Reference)) - {0}


def certificate_in(fields: Fields) -> int:
    """The id of the certificate with which a host is served; 0 where it has none."""
    npm_id = fields.get(CERTIFICATE) or 0
    return 0 if isinstance(npm_id, Reference) else int(npm_id)


def access_list_in(fields: Fields) -> int:
    """The id of the access list that protects a host; 0 where none does."""
    return int(fields.get(ACCESS_LIST) or 0)


def _only(
    what: str,
    name: str,
    ids: Sequence[int | Reference],
    known: Mapping[int | Reference, str],
    advice: str,
) -> int | Reference:
    if len(ids) == 1:
        return ids[0]
    others = ", ".join(dict.fromkeys(text for key, text in known.items() if key not in ids))
    if not ids:
        there_are = others or "none (or this account may not see them)"
        raise UnknownReferenceError(f'NPM has no {what} "{name}"; it has: {there_are}')
    alike = " and ".join(f"#{npm_id} {known[npm_id]}" for npm_id in ids)
    raise UnknownReferenceError(
        f'{what} "{name}" is ambiguous, for NPM has {alike}; {advice}'
        + (f"; it also has: {others}" if others else "")
    )


def _wildcard(domain: str) -> str:
    return "*." + domain.partition(".")[2]
