"""Who may ask: by the address that they call us by, their token, and where they come from."""

import hmac
import socket
from collections.abc import Mapping
from ipaddress import ip_address
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from proxysync.config.api_settings import HOSTS, ApiSettings
from proxysync.web.answers import error

MAX_BODY = 256 * 1024
"""Bytes; an entry is a fraction of that."""

OPEN = frozenset(("/healthz", "/"))
"""Paths that want no token. The page holds nothing by itself: it asks for the token."""

FILES = "/static/"
"""The same for all below it."""

SAFE = frozenset(("GET", "HEAD", "OPTIONS"))

HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}


class Guard:
    """Lets through what may be asked, and adds to each answer what keeps browsers strict."""

    def __init__(self, app: ASGIApp, settings: ApiSettings) -> None:
        self._app = app
        self._settings = settings
        self._names = {"localhost", socket.gethostname().lower(), *settings.hosts}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return

        async def send_strict(message: Message) -> None:
            if message["type"] == "http.response.start":
                own = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    own.setdefault(name, value)
            await send(message)

        refused = self._refusal(scope)
        if refused is not None:
            await refused(scope, receive, send_strict)
            return
        await self._app(scope, receive, send_strict)

    def _refusal(self, scope: Scope) -> Response | None:
        headers = Headers(scope=scope)
        host = headers.get("host", "")
        if not self._is_ours(host):
            return error(
                421,
                "host.unknown",
                f'proxysync does not go by the name "{host[:100]}"',
                f"Add it to {HOSTS} if it is meant.",
            )
        if scope["path"] in OPEN or scope["path"].startswith(FILES):
            return None
        if not self._knows_token(headers):
            return error(
                401,
                "token.missing",
                "this needs the token of the API",
                "Send it as `Authorization: Bearer …`; PROXYSYNC_API_TOKEN says what it is.",
                {"WWW-Authenticate": 'Bearer realm="proxysync"'},
            )
        if scope["method"] not in SAFE and not _is_same_origin(headers, host):
            return error(403, "origin.foreign", "another site's page may not do that", None)
        if _length(headers) > MAX_BODY:
            return error(413, "body.too_large", f"the body is over {MAX_BODY // 1024} KiB", None)
        return None

    def _is_ours(self, host: str) -> bool:
        """An address cannot be made to mean another machine, as a name can be."""
        try:
            name = urlsplit(f"//{host}").hostname or ""
        except ValueError:
            return False
        return name in self._names or _is_address(name)

    def _knows_token(self, headers: Headers) -> bool:
        token = self._settings.token
        if token is None:
            return True
        scheme, _, given = headers.get("authorization", "").partition(" ")
        same = hmac.compare_digest(given.strip().encode(), token.reveal().encode())
        return scheme.lower() == "bearer" and same


def _is_same_origin(headers: Headers, host: str) -> bool:
    """Whether no other site's page asks; programs say nothing of where they come from."""
    if headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        return False
    origin = headers.get("origin")
    return origin is None or origin in (f"http://{host}", f"https://{host}")


def _length(headers: Headers) -> int:
    text = headers.get("content-length", "0")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 16 else MAX_BODY + 1


def _is_address(name: str) -> bool:
    try:
        ip_address(name.partition("%")[0])
    except ValueError:
        return False
    return True
