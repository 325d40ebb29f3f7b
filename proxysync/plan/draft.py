"""One entry or one managed host on its way to a change: what it has, and what it is to have."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from proxysync.kinds import Kind
from proxysync.kinds.domains import reached
from proxysync.model import Fields, Key, Live
from proxysync.plan.model import Action, FieldChange, Hold, HoldKind

Accepted = Mapping[str, frozenset[str]]
"""The fields that the server knows, per kind; all of them for a kind that is not in it."""

REPORTED = Hold(HoldKind.DRIFT, "settings.drift is report; put it back in NPM, or change the file")
"""Holds what was changed in NPM and is left to a person."""


@dataclass(frozen=True)
class Conflict:
    """Why an entry and NPM cannot be brought together without a person.

    `comparable` is False where there are no fields to set against those of the host. `takes` is
    the one foreign host that the entry could take over.
    """

    reason: str
    comparable: bool = True
    takes: Live | None = None


@dataclass(frozen=True)
class Draft:
    """One entry or one managed host on its way to a change.

    `have` is what NPM has, `want` what the file asks for and `target` what is to be
    written, each in normal form and without fields that the server does not know. `holds`
    are the domains that are the host's now. `resend` means that the host must be written
    even if nothing differs. `stop` says why it is not to be made. `keeps` are domains that
    stay here although they should go to an entry which cannot take them. `notes` is what a
    person should know besides, `undoes` what is put back (see `Change.undoes`). An orphan goes
    by the word of a person, and so waits for no entry. `secrets` and their `digests` are those
    of the entry. `last` is what was last applied, in the form of `have`.
    """

    action: Action
    kind: Kind
    name: str
    live: Live | None
    have: Fields | None
    want: Fields | None
    target: Fields | None
    holds: frozenset[str]
    reason: str = ""
    drift: bool = False
    marker: FieldChange | None = None
    resend: bool = False
    stop: Hold | Conflict | None = None
    keeps: frozenset[str] = frozenset()
    notes: tuple[str, ...] = ()
    undoes: frozenset[str] = frozenset()
    is_orphan: bool = False
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)
    digests: Mapping[str, str] = field(default_factory=dict)
    last: Fields | None = None

    @cached_property
    def key(self) -> Key:
        return Key(self.kind.name, self.name)

    @cached_property
    def writes(self) -> bool:
        """Whether there is anything to write."""
        return (
            self.action != "update"
            or self.target != self.have
            or self.marker is not None
            or self.resend
        )

    @cached_property
    def in_sync(self) -> bool:
        """Whether NPM is as the file asks, so that there is nothing to show."""
        return self.stop is None and not self.writes and self.have == self.want

    @property
    def is_open(self) -> bool:
        """Whether this is to be made, as far as is known by now."""
        return self.stop is None and self.writes

    @cached_property
    def takes(self) -> frozenset[str]:
        """The domains that the host is to have once this is made."""
        return self.wants if self.target is self.want else reached_by(self.kind, self.target)

    @cached_property
    def wants(self) -> frozenset[str]:
        """The domains that the file asks for."""
        return reached_by(self.kind, self.want)

    def with_kept(self, fields: Fields | None) -> Fields | None:
        """`fields` with the domains that stay here for now."""
        if fields is None or not self.keeps:
            return fields
        return self.kind.with_claims(fields, self.kind.claims(fields) | self.keeps)

    def __str__(self) -> str:
        """How another entry's reason calls this one."""
        number = f" ({self.kind.label} #{self.live.npm_id})" if self.live else ""
        return f'"{self.name}"{number}'


def shape(kind: Kind, fields: Fields, accepted: Accepted) -> Fields:
    """A definition as it is compared: in normal form, only with fields that the server knows."""
    known = accepted.get(kind.name)
    normal = kind.normalise(fields)
    if known is None or known.issuperset(kind.defaults):
        return normal
    return {name: normal[name] for name in kind.defaults if name in known}


def reached_by(kind: Kind, fields: Fields | None) -> frozenset[str]:
    """The domains by which a host with these fields is reached; none without a host."""
    return frozenset() if fields is None else reached(kind.claims(fields))
