"""Users, their rights, and the tokens they carry."""

import base64
import hashlib
import hmac
import json
import re
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from proxysync.sandbox.errors import ApiError, Denied, internal_error
from proxysync.sandbox.versions import Behaviour

DAY = 24 * 60 * 60
RESOURCES = (
    "proxy_hosts",
    "redirection_hosts",
    "dead_hosts",
    "streams",
    "access_lists",
    "certificates",
)
SECOND_FACTOR = "123456"
"""The code that every user with a second factor has."""

_UNITS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": DAY, "w": 7 * DAY, "y": 365.25 * DAY}


def now() -> str:
    """The time as NPM on SQLite writes it: local, without a zone, in seconds."""
    return time.strftime("%Y-%m-%d %H:%M:%S")


@dataclass
class User:
    """One account. `permissions` maps a resource to hidden, view or manage."""

    id: int
    identity: str
    secret: str = field(repr=False)
    roles: tuple[str, ...] = ()
    permissions: Mapping[str, str] = field(default_factory=dict)
    visibility: str = "user"
    two_factor: bool = False
    created_on: str = field(default_factory=now)

    def row(self) -> dict[str, Any]:
        """The account as NPM shows it."""
        return {
            "id": self.id,
            "created_on": self.created_on,
            "modified_on": self.created_on,
            "is_disabled": False,
            "email": self.identity,
            "name": self.identity.partition("@")[0].title(),
            "nickname": self.identity.partition("@")[0],
            "avatar": "",
            "roles": list(self.roles),
        }

    def rights(self) -> dict[str, str]:
        """What `expand=permissions` adds."""
        chosen = {name: self.permissions.get(name, "manage") for name in RESOURCES}
        return {"visibility": self.visibility, **chosen}


@dataclass(frozen=True)
class Access:
    """Who is asking.

    `user` is None without a token and when the account of the token has gone; `claimed_id` is
    the id in the token, 0 without one.
    """

    user: User | None
    claimed_id: int = 0

    def need(self, resource: str, level: str = "view") -> None:
        """Raises Denied unless the user may view, or manage, this resource."""
        if self.user is None:
            raise Denied
        if self.is_admin:
            return
        have = self.user.rights().get(resource, "hidden")
        if have not in ("manage", level):
            raise Denied

    def need_admin(self) -> None:
        """Raises Denied unless the user is an administrator."""
        if not self.is_admin:
            raise Denied

    @property
    def is_admin(self) -> bool:
        return self.user is not None and "admin" in self.user.roles

    @property
    def user_id(self) -> int:
        return self.user.id if self.user else 0

    def sees(self, row: Mapping[str, Any]) -> bool:
        """Whether the row is within the user's visibility."""
        everything = self.user is not None and self.user.visibility == "all"
        return everything or row["owner_user_id"] == self.user_id


class Accounts:
    """The users and the tokens issued to them."""

    def __init__(self, behaviour: Behaviour) -> None:
        self._behaviour = behaviour
        self._users: dict[int, User] = {}
        self._key = secrets.token_bytes(32)
        self._issued: set[str] = set()
        self._expired: set[str] = set()

    def add(self, user: User) -> None:
        """Adds or replaces an account."""
        self._users[user.id] = user

    def all(self) -> list[User]:
        """Every account, by id."""
        return [self._users[number] for number in sorted(self._users)]

    def get(self, user_id: int) -> User | None:
        """The account, or None."""
        return self._users.get(user_id)

    def expire_tokens(self) -> None:
        """From now on all tokens issued so far count as expired."""
        self._expired |= self._issued

    def forget_tokens(self) -> None:
        """From now on the signature of all tokens issued so far is wrong."""
        self._key = secrets.token_bytes(32)

    def log_in(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """A token for an identity and its secret, or the challenge for a second factor."""
        identity = body["identity"].strip().lower()
        user = next((one for one in self._users.values() if one.identity == identity), None)
        status, text = self._behaviour.auth_status, "Invalid email or password"
        if user is None:
            raise ApiError(status, text)
        if not hmac.compare_digest(user.secret.encode(), body["secret"].encode()):
            raise ApiError(status, text, "error.invalid-auth")
        if user.two_factor:
            challenge = self._sign(user.id, "2fa-challenge", 5 * 60)
            return {"requires_2fa": True, "challenge_token": challenge}
        return self.issue(user.id, body.get("expiry") or "1d")

    def second_factor(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """A token for a challenge and its code."""
        status = self._behaviour.auth_status
        try:
            claims = self._claims(body["challenge_token"])
        except ApiError:
            raise ApiError(status, "Invalid or expired challenge token") from None
        if claims["scope"] != ["2fa-challenge"]:
            raise ApiError(status, "Invalid challenge token")
        if body["code"] != SECOND_FACTOR:
            raise ApiError(status, "Invalid verification code", "error.invalid-2fa")
        return self.issue(claims["attrs"]["id"], "1d")

    def issue(self, user_id: int, expiry: str) -> dict[str, Any]:
        """A new token that lives as long as `expiry` says (`30d`, say)."""
        found = re.fullmatch(r"(\d+)(y|Q|M|w|d|h|m|s|ms)", expiry)
        if not found:
            raise ApiError(self._behaviour.auth_status, f"Invalid expiry time: {expiry}")
        if found[2] == "Q":
            raise internal_error()
        count = int(found[1])
        # NPM's two clocks disagree about M: `expires` means months, the token itself minutes.
        shown = count * (30 * DAY if found[2] == "M" else _UNITS[found[2]])
        life = count * _UNITS[found[2].lower()]
        expires = datetime.fromtimestamp(time.time() + shown, UTC)
        text = expires.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        return {"token": self._sign(user_id, "user", life), "expires": text}

    def load(self, token: str | None) -> Access:
        """Who carries this token.

        Raises ApiError for a token that is malformed, wrongly signed or expired.
        """
        if token is None:
            return Access(None)
        claims = self._claims(token)
        user_id = int(claims["attrs"]["id"])
        user = self._users.get(user_id) if claims["scope"] == ["user"] else None
        return Access(user, user_id)

    def _sign(self, user_id: int, scope: str, life: float) -> str:
        issued = time.time()
        claims = {
            "iss": "api",
            "attrs": {"id": user_id},
            "scope": [scope],
            "jti": secrets.token_urlsafe(12),
            "iat": int(issued),
            "exp": int(issued + life),
        }
        head = _encoded({"alg": "RS256", "typ": "JWT"})
        self._issued.add(str(claims["jti"]))
        content = f"{head}.{_encoded(claims)}"
        return f"{content}.{self._signature(content)}"

    def _signature(self, content: str) -> str:
        digest = hmac.new(self._key, content.encode(), hashlib.sha256).digest()
        return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()

    def _claims(self, token: str) -> dict[str, Any]:
        content, _, signature = token.rpartition(".")
        if not hmac.compare_digest(self._signature(content).encode(), signature.encode()):
            raise internal_error()
        middle = content.partition(".")[2]
        padded = middle + "=" * (-len(middle) % 4)
        claims: dict[str, Any] = json.loads(base64.urlsafe_b64decode(padded))
        if claims["exp"] <= time.time() or claims["jti"] in self._expired:
            i18n = {"name": "TokenExpiredError", "message": "jwt expired"}
            modern = self._behaviour.denied_status is None
            raise ApiError(
                self._behaviour.auth_status, "Token has expired", i18n if modern else None
            )
        return claims


def _encoded(part: Mapping[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode()
