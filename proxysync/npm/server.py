"""What is known of a server for as long as it runs: version, fields that it knows, rights."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from proxysync.kinds import KINDS, Kind
from proxysync.npm.errors import NpmAddressError, NpmError, NpmRightsError, address_hint
from proxysync.npm.session import Session


@dataclass(frozen=True)
class Server:
    """One server and what the account may do there.

    `version` is None where NPM does not know its own (a source checkout says 2.0.0).
    `accepted` are the fields that it knows, per kind; `denied` says of some kinds why the account
    may not manage them. `unseen` says of an account that sees only its own objects what
    follows, and is None for one that sees all. With `serves_disabled` NPM serves a host that is
    disabled from the start.
    """

    version: tuple[int, int, int] | None
    accepted: Mapping[str, frozenset[str]]
    denied: Mapping[str, NpmRightsError]
    unseen: str | None
    serves_disabled: bool

    @property
    def lacks_rights(self) -> bool:
        """Whether the account does not see, or may not manage, all that there is."""
        return bool(self.denied or self.unseen)

    def told(self) -> Mapping[str, str]:
        """Why the account may not manage some kinds, and what to do about it."""
        return {name: f"{error.message}. {error.hint}" for name, error in self.denied.items()}

    def require_write(self) -> None:
        """Raises NpmRightsError if the account may look but not write."""
        for kind in KINDS.values():
            if kind.is_essential and (error := self.denied.get(kind.name)):
                raise error


def read_server(session: Session) -> Server:
    """Reads all of it. Raises NpmError."""
    version = read_version(session)
    rights = read_rights(session)
    denied = {
        kind.name: missing_right(session.url, kind, sees=level == "view")
        for kind in KINDS.values()
        if (level := rights.get(kind.right)) != "manage"
    }
    for kind in KINDS.values():
        if kind.is_essential and rights.get(kind.right) not in ("view", "manage"):
            raise denied[kind.name]
    schema = session.get("/schema", public=True)
    return Server(
        version=version,
        accepted={kind.name: _accepted(kind, schema, version) for kind in KINDS.values()},
        denied=denied,
        unseen=None if rights.get("visibility") == "all" else str(sees_own_only(session.url)),
        serves_disabled=version is None or version < (2, 12, 0),
    )


def sees_own_only(url: str) -> NpmRightsError:
    """What follows for an account that does not see all items."""
    return NpmRightsError(
        f"the account at {url} sees only hosts of its own: that a domain is held by another user's "
        'host shows only when NPM says "already in use"',
        hint="In NPM, open Users, Edit Permissions, and set Item Visibility to All Items.",
    )


def read_rights(session: Session) -> Mapping[str, str]:
    """What the account may do (`hidden`, `view` or `manage`), and its visibility.

    Raises NpmError.
    """
    return _rights(session.get("/users/me?expand=permissions"))


def lost_right(session: Session, kind: Kind) -> NpmRightsError | None:
    """Why the account may not write such objects any more, for NPM also answers a creation with
    500 then; None where it may, or where that cannot be asked now.
    """
    try:
        return read_server(session).denied.get(kind.name)
    except NpmRightsError as error:
        return error
    except NpmError:
        return None


def missing_right(url: str, kind: Kind, *, sees: bool) -> NpmRightsError:
    hosts = f"{kind.label}s"
    may = f"see {hosts} but not change them" if sees else f"not see {hosts}"
    return NpmRightsError(
        f"the account at {url} may {may}",
        hint=f"In NPM, open Users, Edit Permissions, and set {kind.right_label} to Manage.",
    )


def read_version(session: Session) -> tuple[int, int, int] | None:
    """The server's version as it is now. Raises NpmError."""
    health = session.get("/", public=True)
    version = health.get("version") if isinstance(health, dict) else None
    if not isinstance(version, dict):
        raise NpmAddressError(
            f"{session.url} does not answer as NPM's API does",
            hint=address_hint(session.url),
        )
    if health.get("setup") is False:
        raise NpmRightsError(
            f"NPM at {session.url} has no user yet",
            hint="Open that address in a browser and make the first user.",
        )
    numbers = [version.get(key) or 0 for key in ("major", "minor", "revision")]
    if not all(type(number) is int for number in numbers):
        return None
    known = (numbers[0], numbers[1], numbers[2])
    return None if known == (2, 0, 0) else known


def _accepted(kind: Kind, schema: Any, version: tuple[int, int, int] | None) -> frozenset[str]:
    try:
        body = schema["paths"][f"/{kind.collection}"]["post"]["requestBody"]
        names = body["content"]["application/json"]["schema"]["properties"]
        return frozenset(kind.defaults) & {*names, kind.switch, *kind.derived}
    except (KeyError, TypeError):
        newer = {
            name
            for name, since in kind.optional.items()
            if version is None or version < tuple(int(part) for part in since.split("."))
        }
        return frozenset(kind.defaults) - newer


def _rights(user: Any) -> Mapping[str, str]:
    """The account's rights; an administrator may do everything, whatever the list says."""
    if not isinstance(user, dict):
        return {}
    rights = user.get("permissions")
    listed = rights if isinstance(rights, dict) else {}
    roles = user.get("roles")
    if isinstance(roles, list) and "admin" in roles:
        everything = {kind.right: "manage" for kind in KINDS.values()}
        return {"visibility": "all", **listed, **everything}
    return listed
