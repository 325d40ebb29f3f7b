"""A logged-in session: tokens renewed in time, a rejected one told from other trouble."""

import base64
import json
import random
import time
from collections.abc import Callable
from typing import Any, NoReturn, Protocol

from proxysync.model.backoff import Backoff
from proxysync.npm.errors import (
    Fate,
    NpmAddressError,
    NpmAnswerError,
    NpmError,
    NpmLoginError,
    NpmNotFoundError,
    NpmRejectedError,
    NpmRightsError,
    NpmSilentError,
    NpmStoppedError,
    NpmUnavailableError,
    NpmUnconfirmedError,
    address_hint,
)
from proxysync.npm.form import Payload
from proxysync.npm.transport import Reply, Transport

READ_TRIES = 3
RETRY = Backoff(first=0.2, longest=2.0, factor=3.0)
"""Between two tries of a read."""

RENEW_SHARE = 0.1
"""A token is renewed when this share of its life is left."""

SURE_FOR = 60.0
"""Seconds after which a daemon asks again whose its token is."""


class KeptToken(Protocol):
    """Where the token of an earlier run may be found, and where the next one finds ours."""

    def load(self) -> tuple[str, float] | None: ...
    def keep(self, token: str, seconds: float) -> None: ...
    def forget(self, token: str) -> None: ...


class Session:
    """Requests to one NPM server with a valid token, answers as JSON, failures as NpmError.

    `pause` waits some seconds between tries; a daemon gives one that its stop interrupts. Without
    `kept`, there is a login in each run.
    """

    def __init__(
        self,
        transport: Transport,
        identity: str,
        secret: str,
        *,
        pause: Callable[[float], object] = time.sleep,
        kept: KeptToken | None = None,
    ) -> None:
        self._transport = transport
        self._identity = identity
        self._secret = secret
        self._pause = pause
        self._kept = kept
        self._kept_to_try = kept
        self._token: str | None = None
        self._renew_at = 0.0
        self._sure_until = 0.0

    @property
    def url(self) -> str:
        return self._transport.url

    def get(self, path: str, *, public: bool = False) -> Any:
        """The JSON of a GET, tried again if NPM was away for a moment.

        Raises a subclass of NpmError.
        """
        for attempt in range(1, READ_TRIES + 1):
            try:
                return self._request("GET", path, public=public)
            except NpmUnavailableError as error:
                if attempt == READ_TRIES or isinstance(error, NpmSilentError):
                    raise
                self._pause(RETRY.pause(attempt - 1) * random.uniform(0.5, 1.5))  # noqa: S311
        raise AssertionError("unreachable")

    def write(self, method: str, path: str, payload: Payload | None = None) -> Any:
        """The JSON of a write, which is sent once.

        Raises NpmUnconfirmedError where its effect is unknown, other subclasses of NpmError
        where it had none.
        """
        self._ensure_token()
        try:
            return self._request(method, path, payload)
        except (NpmUnavailableError, NpmStoppedError, NpmAnswerError) as error:
            raise NpmUnconfirmedError(
                f"{error.message}; {method} {path} may have been carried out or not",
                hint="It will be written again when NPM answers.",
                fate=_fate(error),
            ) from error

    def _request(
        self,
        method: str,
        path: str,
        payload: Payload | None = None,
        *,
        public: bool = False,
    ) -> Any:
        if not public:
            self._ensure_token()
        reply = self._send(method, path, payload)
        if not public and _may_be_token(reply) and not self._token_is_good():
            # NPM checks the token before it acts, so a rejected write had no effect.
            self._login()
            reply = self._send(method, path, payload)
        return self._body_of(reply, method, path, public=public)

    def _send(self, method: str, path: str, payload: Payload | None) -> Reply:
        return self._transport.exchange(method, path, payload=payload, token=self._token)

    def _body_of(self, reply: Reply, method: str, path: str, *, public: bool = False) -> Any:
        """What a good answer of NPM's API holds; raises a subclass of NpmError for any other."""
        self._raise_unless_api(reply, method, path)
        if reply.status >= 300:
            self._raise_for_status(reply, method, path, public=public)
        return reply.body

    def _raise_unless_api(self, reply: Reply, method: str, path: str) -> None:
        """Raises where the answer is not one of NPM's backend."""
        request = f"{method} {path} at {self.url}"
        if reply.status in (502, 503, 504):
            raise NpmUnavailableError(
                f"{request} was answered by HTTP {reply.status}: NPM's backend is not running",
                hint="It may still be starting; otherwise read its log (`docker logs`).",
                # A 504 says only that somebody has lost patience.
                fate=Fate.UNKNOWN if reply.status == 504 else Fate.GIVEN_UP,
            )
        if 300 <= reply.status < 400:
            raise NpmAddressError(
                f"{self.url} redirects to {reply.location or 'another place'}",
                hint="Set PROXYSYNC_NPM_URL to the address it redirects to.",
            )
        if reply.status == 413:
            # A proxy in front of NPM says so with a page of its own.
            raise NpmRejectedError(
                f"{request}: the definition is larger than NPM takes (HTTP 413)",
                hint="NPM takes 100 KiB for one host, all together: shorten its advanced_config "
                "or its locations.",
            )
        if not reply.is_json and reply.status < 300 and method != "GET" and path != "/tokens":
            raise NpmAnswerError(f"{request} was answered by HTTP {reply.status} without JSON")
        if not reply.is_json:
            raise NpmAddressError(
                f"{self.url} answers {method} {path} with a web page (HTTP {reply.status}), "
                "not with NPM's API",
                hint=address_hint(self.url),
            )

    def _raise_for_status(
        self, reply: Reply, method: str, path: str, *, public: bool = False
    ) -> NoReturn:
        """Raises what NPM's backend means by a status that is no success."""
        if public and reply.status < 500:
            # Everybody may ask this, so that no right or login can be missing.
            raise NpmAddressError(
                f"{self.url} is not NPM's address: {method} {self.url}/api{path} is answered by "
                f"HTTP {reply.status}",
                hint=address_hint(self.url),
            )
        detail = f"{method} {path} at {self.url}: {reply.message}"
        if reply.status == 404 and not _is_about_path(reply):
            raise NpmNotFoundError(detail)
        if reply.status in (401, 403, 404):
            raise NpmRightsError(
                f"the account {self._identity} may not {method} {path} at {self.url}",
                hint="Give it the permission in NPM (Users, Edit Permissions: Manage).",
            )
        if reply.status < 500:
            raise NpmRejectedError(detail)
        if method == "GET":
            raise NpmError(detail, hint="Read NPM's log: something inside of it failed.")
        raise NpmUnconfirmedError(
            f"{detail} (HTTP {reply.status})",
            hint="NPM itself is broken, often by a bad file or host that proxysync does not "
            "manage: run `nginx -t` in its container.",
        )

    def _ensure_token(self) -> None:
        if self._kept_to_try is not None:
            self._take(self._kept_to_try)
            self._kept_to_try = None
        now = time.monotonic()
        is_sure = self._token is None or now < self._sure_until or self._is_ours(self._token)
        if self._token is None or now >= self._renew_at or not is_sure:
            self._login()

    def _take(self, kept: KeptToken) -> None:
        """Takes the token of an earlier run if it is still that of this account."""
        found = kept.load()
        if found is None:
            return
        token, seconds = found
        if self._is_ours(token):
            self._token, self._renew_at = token, time.monotonic() + seconds
        else:
            kept.forget(token)

    def _is_ours(self, token: str) -> bool:
        """Whether the token is good, and still that of this account.

        NPM may have been restored since, and the number in the token be another user's by now.
        """
        reply = self._transport.exchange("GET", "/users/me", token=token)
        if reply.status == 200:
            self._sure_until = time.monotonic() + SURE_FOR
            return _is_of(reply, self._identity)
        if not _may_be_token(reply):
            self._body_of(reply, "GET", "/users/me")
        return False

    def _token_is_good(self) -> bool:
        return self._send("GET", "/users/me", None).status == 200

    def _login(self) -> None:
        if self._kept is not None and self._token is not None:
            self._kept.forget(self._token)
        self._token = None
        reply = self._transport.exchange(
            "POST", "/tokens", payload={"identity": self._identity, "secret": self._secret}
        )
        if reply.status in (400, 401, 403) and reply.is_json:
            raise NpmLoginError(
                f"NPM at {self.url} does not accept {self._identity} with this secret: "
                f"{reply.message}",
                hint="Check PROXYSYNC_NPM_IDENTITY (an e-mail address) and PROXYSYNC_NPM_SECRET, "
                "and that the account is not disabled.",
            )
        body = self._body_of(reply, "POST", "/tokens")
        if isinstance(body, dict) and body.get("requires_2fa"):
            raise NpmLoginError(
                f"the account {self._identity} at {self.url} uses two-factor authentication, "
                "which a daemon cannot answer",
                hint="Make an NPM user for proxysync alone, without two-factor authentication, "
                "that may manage proxy hosts and see all items.",
            )
        token = body.get("token") if isinstance(body, dict) else None
        if not isinstance(token, str) or not (token.isascii() and token.isprintable()):
            raise NpmAddressError(
                f"{self.url} answered the login without a token: this is not NPM's API",
                hint=address_hint(self.url),
            )
        lifetime = _lifetime(token)
        self._token = token
        self._sure_until = time.monotonic() + SURE_FOR
        self._renew_at = time.monotonic() + lifetime * (1 - RENEW_SHARE)
        if self._kept is not None:
            self._kept.keep(token, lifetime)


def _fate(error: NpmError) -> Fate:
    if isinstance(error, NpmUnavailableError):
        return error.fate
    return Fate.ENDED if isinstance(error, NpmAnswerError) else Fate.UNKNOWN


def _may_be_token(reply: Reply) -> bool:
    """Whether this answer could mean a rejected token: NPM has no status of its own for that."""
    if reply.status in (401, 403, 500):
        return True
    if reply.status == 404:
        return reply.is_json and _is_about_path(reply)
    return reply.status == 400 and "token" in reply.message.lower()


def _is_of(reply: Reply, identity: str) -> bool:
    """Whether the user in this answer is the one who logs in as `identity`, as NPM compares it."""
    email = reply.body.get("email") if isinstance(reply.body, dict) else None
    return str(email).strip().lower() == identity.strip().lower()


def _is_about_path(reply: Reply) -> bool:
    """`Not Found - /nginx/…` is NPM's word for "not allowed"; with an id it means "not there"."""
    return reply.message.startswith("Not Found - /")


def _lifetime(token: str) -> float:
    """Seconds that a JWT lives, by its own claims, so that a wrong clock does not matter."""
    try:
        claims = token.split(".")[1]
        values = json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))
        return max(0.0, float(values["exp"]) - float(values["iat"]))
    except (IndexError, KeyError, TypeError, ValueError, OverflowError, RecursionError):
        return 3600.0
