"""What the rest of the code knows of a kind of object: all else is in the kind's own file."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from types import MappingProxyType
from typing import Any, ClassVar

from proxysync.kinds.answers import AsEntry, Flaw, Served, UpstreamProbe
from proxysync.kinds.entry import Defaults, Entry, Resource, ValidationSettings
from proxysync.kinds.references import Named, References
from proxysync.model import Desired, Fields, Key, Live, Snapshot

RESERVED_SUFFIX = ".proxysync.invalid"
"""Names of throwaway hosts, and of hosts between two names, end in this: nobody's (RFC 2606)."""


Own = Mapping[Key, Entry]
"""The entries of the file that others can refer to."""

NONE_OWN: Own = MappingProxyType({})


class Normal(dict[str, Any]):
    """Fields in the normal form of a kind. Like all fields they are never changed: what is made
    of them, by `{**fields, …}` say, is a mapping that is in no known form.
    """

    __slots__ = ("kind",)

    def __init__(self, kind: str, fields: Fields) -> None:
        super().__init__(fields)
        self.kind = kind


class Kind(ABC):
    """A kind of object in NPM; all that handles objects is generic over this.

    `name` stands in markers, plans and events, `section` in the file; `label` is what people
    call the object in NPM. `right` is the permission that an account needs, and `right_label`
    what NPM's page calls it. `defaults` names every wire field that we manage with NPM's own
    default for it, and `optional` those of them that only newer servers accept. Whatever is in a
    `free_text` field, or behind a reference to another object of NPM, can make nginx reject the
    host, however carefully the file was checked. `refers_to` says of which kind the object is
    whose id a field holds. `wire_names` maps NPM's names of fields to the file's, for people
    copy them.
    """

    name: ClassVar[str]
    section: ClassVar[str]
    label: ClassVar[str]
    collection: ClassVar[str]
    right: ClassVar[str]
    right_label: ClassVar[str]
    defaults_model: ClassVar[type[Defaults]]
    entry_model: ClassVar[type[Entry]]
    defaults: ClassVar[Fields]
    optional: ClassVar[Mapping[str, str]] = {}
    free_text: ClassVar[frozenset[str]] = frozenset()
    refers_to: ClassVar[Mapping[str, str]] = {}
    wire_names: ClassVar[Mapping[str, str]] = {}

    may_hold_secret: ClassVar[frozenset[str]] = frozenset()
    """The file's fields that only nginx and the upstream see. All others are public by nature:
    domains and upstreams are looked up in DNS, and names are shown in NPM and everywhere.
    """

    composed: ClassVar[frozenset[str]] = frozenset()
    """The file's fields that may be a list of snippets and texts; they are texts when the models
    see them.
    """

    only_secret: ClassVar[frozenset[str]] = frozenset()
    """The file's fields whose texts must each come from a secret variable."""

    claim_noun: ClassVar[str] = "domain"
    """What messages call a name that only one object may hold."""

    switch: ClassVar[str] = "enabled"
    """The wire field that says whether NPM serves the object."""

    is_switched_by_put: ClassVar[bool] = True
    """Whether a PUT may enable it; else only an action of its own does, and NPM before 2.12 serves
    what a PUT writes to an object that is off.
    """

    is_late: ClassVar[bool] = False
    """Whether a PUT takes effect only at the next one, and an action after it was answered."""

    keeps_marker: ClassVar[bool] = True
    """Whether a PUT stores our marker; else it has for ever the one it was created with."""

    is_essential: ClassVar[bool] = False
    """Whether an account that may not see these objects cannot be used at all."""

    is_host: ClassVar[bool] = True
    """Whether nginx serves the object itself; else hosts refer to it, and NPM keeps no marker."""

    query: ClassVar[str] = ""
    """What is added to the address to read the whole object."""

    @property
    def risky(self) -> frozenset[str]:
        """Fields of which a change is to be tried before it touches a live host."""
        return self.free_text.union(self.refers_to)

    def refers(self, fields: Fields, kind: str, npm_id: int | None) -> bool:
        """Whether these fields hold the id of that object."""
        return any(
            (other, fields.get(field)) == (kind, npm_id) for field, other in self.refers_to.items()
        )

    def free_texts(self, fields: Fields) -> Iterable[tuple[str, str]]:
        """The texts that nginx reads as they are, each with its path in the entry."""
        del fields
        return ()

    def title(self, fields: Fields) -> str | None:
        """What people call the object in NPM; None where it goes by what it claims."""
        del fields
        return None

    def likeness(self, fields: Fields) -> frozenset[str]:
        """By what an object of ours is known though its entry has another name now."""
        return self.claims(fields)

    def hints(self, row: Mapping[str, Any]) -> Mapping[str, str]:
        """What a row of NPM tells of each of the object's secrets; see `hint_of`."""
        del row
        return {}

    def hint_of(self, secret: str) -> str:
        """What NPM tells of a secret like this one."""
        del secret
        return ""

    def with_secrets(self, payload: Mapping[str, Any], secrets: Mapping[str, str]) -> Fields:
        """A request's fields with the secrets in their places; a blank leaves NPM's."""
        del secrets
        return payload

    def lacks_secrets(self, want: Desired, have: Fields | None) -> str | None:
        """Why the entry cannot be written without a secret that it does not give."""
        del want, have
        return None

    derived: ClassVar[frozenset[str]] = frozenset()
    """Fields that are worked out of secrets which NPM shows, and sent to it as these: so they tell
    what a secret was, and are right only together.
    """

    fixed: ClassVar[frozenset[str]] = frozenset()
    """Fields that NPM takes with a creation only."""

    is_uploaded: ClassVar[bool] = False
    """Whether its secrets are uploaded to what was made without, and reach visitors only once
    nginx is reloaded; see `upload`."""

    can_be_imported: ClassVar[bool] = True
    """Whether NPM has all that an entry of the file is made from."""

    def manages(self, row: Mapping[str, Any]) -> bool:
        """Whether it is an object of this kind: NPM may keep others in the same collection."""
        del row
        return True

    def upload(self, secrets: Mapping[str, str], live: Live) -> Mapping[str, str]:
        """What is sent as files to an object that is there, by the names of the form."""
        del secrets, live
        return {}

    def flaws_among(self, entry: Entry, users: Sequence[Entry]) -> Iterable[Flaw]:
        """What is wrong with an entry given those that refer to it by name."""
        del entry, users
        return ()

    def loads_late(self, version: tuple[int, int, int] | None) -> bool:
        """Whether nginx of a server of this version has a change only with its next reload."""
        del version
        return False

    def told_users(self, version: tuple[int, int, int] | None) -> Mapping[str, str]:
        """Where NPM lists all that refers to one object, hidden from the account or not, and of
        which kind each is; as the expansions of a single reading are called."""
        del version
        return {}

    def lets_everybody_in(self, fields: Fields) -> bool:
        """Whether it keeps nobody out of the hosts that refer to it."""
        del fields
        return False

    def asks_everybody(self, fields: Fields) -> bool:
        """Whether it lets nobody without a password into the hosts that refer to it."""
        del fields
        return False

    def complete(self, row: Mapping[str, Any]) -> Fields:
        """The managed fields of an NPM row, in normal form; what is missing has its default."""
        return self.normalise({name: row.get(name, value) for name, value in self.defaults.items()})

    def is_enabled(self, fields: Fields) -> bool:
        """Whether NPM serves an object with these fields."""
        return bool(fields.get(self.switch, True))

    @property
    def noun(self) -> str:
        """How messages call an entry of this kind."""
        return self.name.replace("_", " ")

    @property
    def nouns(self) -> str:
        """The same for many."""
        return self.section.replace("_", " ")

    def example(self) -> str:
        """The fields that an entry must have, for messages: `domains and upstream`."""
        own = self.entry_model.model_fields.keys() - self.defaults_model.model_fields.keys()
        own -= Entry.model_fields.keys()
        return " and ".join(name for name in self.entry_model.model_fields if name in own)

    def normalise(self, fields: Fields) -> Fields:
        """The form that NPM means to store: complete, sorted, and each value in its type.

        What is in that form already stays the very same object.
        """
        if isinstance(fields, Normal) and fields.kind == self.name:
            return fields
        return Normal(self.name, self.normal_form(fields))

    @abstractmethod
    def normal_form(self, fields: Fields) -> Fields:
        """What `normalise` makes of fields that are in no such form yet."""

    def for_server(self, fields: Fields, version: tuple[int, int, int] | None) -> Fields:
        """The fields as a server of this version wants them sent; `normalise` is the way back.

        None is a server that does not know its version: a new one.
        """
        del version
        return fields

    @abstractmethod
    def desired(self, resource: Resource, snapshot: Snapshot, own: Own) -> Desired:
        """What the entry means on this server; `own` are the file's entries to refer to.

        What this server lacks for it becomes the `problem`. What is off needs no problem solved
        to be taken down, but what the server lacks cannot be written either: it is `unknown`.
        """

    @abstractmethod
    def entry_of(self, fields: Fields, snapshot: Snapshot, named: Named) -> AsEntry:
        """The way back from `desired`: the entry that means these fields on this server.

        `named` are the names that objects have in the same file, by kind and id.

        Whether the file takes each value is not looked at: the loader knows.
        """

    @abstractmethod
    def claims(self, fields: Fields) -> frozenset[str]:
        """The names that no other host may hold."""

    @abstractmethod
    def with_claims(self, fields: Fields, claims: frozenset[str]) -> Fields:
        """The definition with other names."""

    def alias_for(self, name: str, in_use: AbstractSet[str]) -> str | None:
        """Another name by which nginx serves the same visitors, though NPM lets a second host
        hold it, given all names in use; None if there is none.
        """
        del name, in_use
        return None

    def canonical(self, name: str) -> str:
        """The way back: the name for which an alias stands, or the name itself."""
        return name

    @abstractmethod
    def placeholder_definition(self, name: str) -> Fields:
        """A definition with this name that leads nowhere and that nginx always takes."""

    def silent(self, fields: Fields) -> Fields:
        """The definition by which nginx lets nobody in, and tests all the same."""
        return fields

    @abstractmethod
    def served(self, fields: Fields, path: str = "/") -> Served:
        """What visitors get for this definition; `path` is where its health is checked."""

    @abstractmethod
    def holders_in_file(self, data: Mapping[str, Any]) -> Iterable[tuple[Sequence[str | int], str]]:
        """The names that an entry's plain data asks for, and where each stands in the entry."""

    def lacks(self, fields: Fields, snapshot: Snapshot) -> Iterable[tuple[str, str]]:
        """Fields of which this server cannot do what they ask for, whatever they refer to, and
        why not.
        """
        accepted = snapshot.accepted.get(self.name, frozenset(self.defaults))
        for field, since in self.optional.items():
            if field not in accepted and fields[field] != self.defaults[field]:
                yield field, f"this NPM does not know {field}; it came with NPM {since}"

    def leads_to(self, fields: Fields) -> str | None:
        """Where visitors end up, as `status` shows it; None where it is nowhere else."""
        del fields
        return None

    def ports(self, fields: Fields) -> frozenset[tuple[str, int]]:
        """Ports that nginx is to listen on for it alone, each with its protocol.

        One that something else has keeps nginx from loading anything, though NPM says that
        all is well.
        """
        del fields
        return frozenset()

    def resolved_at_start(self, fields: Fields) -> frozenset[str]:
        """Host names that nginx looks up when it tests or starts.

        While one of them does not resolve, no write to any host succeeds.
        """
        del fields
        return frozenset()

    def flaws(self, data: Mapping[str, Any]) -> Iterable[Flaw]:
        """What nginx refuses in an entry's plain data though each value is good by itself."""
        del data
        return ()

    def probes(self, resource: Resource, settings: ValidationSettings) -> list[UpstreamProbe]:
        """What is to be probed before the entry goes live, its main upstream first."""
        del resource, settings
        return []


def as_desired(
    kind: Kind,
    resource: Resource,
    fields: Fields,
    references: References,
    snapshot: Snapshot,
    secrets: Mapping[str, str] = MappingProxyType({}),
) -> Desired:
    """The definition of an entry, with what this server lacks for it."""
    missing, lacking = references.missing, dict(kind.lacks(fields, snapshot))
    if not resource.is_on:
        return Desired(resource.key, fields, None, {**missing, **lacking}, secrets)
    of_lists = [*references.advice, *references.open_lists(fields)]
    found = [*missing.values(), *of_lists, *lacking.values()]
    return Desired(
        resource.key,
        fields,
        "; ".join(found) or None,
        secrets=secrets,
        warnings=tuple(references.warnings),
    )


def as_entry(
    kind: Kind,
    every: Mapping[str, Any],
    problems: Iterable[str] = (),
    ineffective: frozenset[str] = frozenset(),
) -> AsEntry:
    """The way back: an entry from all fields of the file, without those that say the default."""
    usual = {name: info.default for name, info in kind.entry_model.model_fields.items()}
    said = {name: value for name, value in every.items() if value != usual[name]}
    return AsEntry(said, ineffective, tuple(problems))
