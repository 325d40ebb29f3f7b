"""The frozen values that the rooms hand to each other. No room's own knowledge is in here."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from proxysync.model.key import Key, Keyed

Fields = Mapping[str, Any]
"""A definition: NPM's field names to JSON values, in normal form (see `kinds`)."""


class Reference(str):
    """Stands among fields for the id of another entry's object as long as NPM has none.

    As a text it is the entry's qualified name, so that it can be stored and shown as it is.
    """

    __slots__ = ()

    @classmethod
    def to(cls, key: Key) -> "Reference":
        return cls(key.qualified)

    @property
    def key(self) -> Key:
        return Key.parse(self)


@dataclass(frozen=True)
class Upstream:
    """Where a proxy or a location forwards to. `host` is a name, an IPv4 or a bracketed IPv6."""

    scheme: str
    host: str
    port: int
    path: str = ""

    def __str__(self) -> str:
        return f"{self.scheme}://{self.host}:{self.port}{self.path}"


@dataclass(frozen=True)
class Marker:
    """Our sign of ownership in a host's `meta`.

    A `canary` is a throwaway host on which a definition is tried; it is never planned or shown.
    `state` is the id of the state folder that wrote it, None where it does not say.
    """

    name: str
    instance: str
    canary: bool = False
    state: str | None = None


@dataclass(frozen=True)
class Desired(Keyed):
    """One object that the file asks for.

    `problem` says why it cannot be expressed on this server (a certificate that is not
    there, say); such an entry is a conflict and its `fields` are not to be written. `unknown`
    are the fields of an entry that is off whose value this server does not tell, or does not take,
    and why: they stay as NPM has them, and without a host there is nothing to make. `secrets` are
    written beside the fields, and stand nowhere else: the password of each user, say. `warnings`
    are what a person should know, though nothing keeps it from being written.
    """

    key: Key
    fields: Fields
    problem: str | None = None
    unknown: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Live:
    """One object as NPM has it, `fields` in normal form.

    `meta` is what NPM stores besides our marker, to be sent back with each write.
    `online` is None where nginx has not judged the host; `created_on` is NPM's own text.
    `overwritten` are the fields that NPM had stored as we sent them, and that somebody else had
    changed by the time the host was read again. `hints` are what NPM tells of each of its secrets.
    What was `given_back` is ours by nothing but a person's word.
    """

    kind: str
    npm_id: int
    fields: Fields
    marker: Marker | None = None
    meta: Mapping[str, Any] = field(default_factory=dict)
    created_on: str | None = None
    online: bool | None = None
    nginx_error: str | None = None
    overwritten: frozenset[str] = frozenset()
    given_back: bool = False
    hints: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def writer(self) -> str | None:
        """The id of the state folder that wrote it last, as its marker says."""
        return self.marker.state if self.marker else None

    @property
    def refusal(self) -> str:
        """The line in which nginx says why it refused the file; old NPMs quote a command before."""
        lines = [line.strip() for line in (self.nginx_error or "").splitlines() if line.strip()]
        telling = [line for line in lines if "[emerg]" in line] or lines
        return telling[0] if telling else "NPM gives no reason"


@dataclass(frozen=True)
class Applied(Keyed):
    """What we last wrote for a key: one row of the state.

    `unconfirmed` means that the last write was answered by a 5xx, so that nginx may not
    run what NPM shows; `fields` are then what worked before, and empty for a new host.
    `writer` is whom the host's marker named when this was recorded (see `Live.writer`), and
    `digests` tell each secret that was written from others (see `plan.secrets`).
    """

    key: Key
    npm_id: int
    fields: Fields
    created_on: str | None = None
    unconfirmed: bool = False
    writer: str | None = None
    digests: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Certificate:
    """A certificate in NPM; its key never leaves the API client. `expires_on` is NPM's own text.

    `leaf` is its fingerprint, empty where NPM does not show it: it shows uploaded ones only.
    """

    npm_id: int
    nice_name: str
    domains: tuple[str, ...]
    expires_on: str | None = None
    leaf: str = ""


@dataclass(frozen=True)
class AccessList:
    """An access list in NPM, as hosts refer to it.

    NPM serves a host whose list `is_empty`, without users and clients, to everybody.
    `clients` are who is let in or kept out (`deny 10.0.0.1`).
    """

    npm_id: int
    name: str
    is_empty: bool = False
    clients: tuple[str, ...] = ()


@dataclass(frozen=True)
class Snapshot:
    """All that matters of one NPM server, read at one moment.

    `objects` are of the kinds we manage; `denied` says of some of these why the account may not
    manage them. `accepted` are the fields that this server knows, per kind. `canaries` are
    throwaway hosts that were left behind. `admin_port` is where NPM itself is reached.
    """

    objects: tuple[Live, ...]
    certificates: tuple[Certificate, ...] = ()
    access_lists: tuple[AccessList, ...] = ()
    accepted: Mapping[str, frozenset[str]] = field(default_factory=dict)
    canaries: tuple[Live, ...] = ()
    denied: Mapping[str, str] = field(default_factory=dict)
    version: tuple[int, int, int] | None = None
    admin_port: int | None = None
