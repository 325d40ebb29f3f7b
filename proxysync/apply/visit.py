"""Asks NPM's nginx for a site as a visitor would; see `settings.verify`."""

import http.client
import socket
import ssl
import time
from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from urllib.parse import urlsplit

TIMEOUT = 5.0
"""Seconds for one answer."""

RELOADED = 1.5
"""Seconds after a write before which nginx may still serve what was there before it: with
400 hosts a slow machine took 0.8 s to reload."""

PATIENCE = 3.0
"""Seconds after a write after which a site that does not answer will not do so."""

PAUSE = 0.2
"""Seconds between two looks while a reload is under way."""

Names = frozenset[str]
REDIRECTS = (301, 302, 307, 308)


@dataclass(frozen=True)
class Visitor:
    """Visits sites at `url`, the address of NPM's nginx; without one it sees nothing wrong.

    A site that sends its visitors on to HTTPS is asked there, at the same address.
    """

    url: str | None = None

    def answering(self, names: Iterable[str]) -> Names:
        """Those of these names of sites that answer now with anything but a server error."""
        if self.url is None:
            return frozenset()
        statuses = {name: _status(self.url, name) for name in names}
        return frozenset(n for n, status in statuses.items() if status and status < 500)

    def trouble(self, names: Names, *, answered: Names, protected: bool) -> str | None:
        """What is wrong with a site that was just written, once nginx has had time to reload.

        `names` are the site's, `answered` those of them that did before the write, and
        `protected` tells whether nobody may get in without a password.
        """
        visited = sorted(names if protected else names & answered)
        if self.url is None or not visited:
            return None
        start = time.monotonic()
        while True:
            troubles = (_look(self.url, n, n in answered, protected) for n in visited)
            trouble = next(filter(None, troubles), None)
            if time.monotonic() > start + (PATIENCE if trouble else RELOADED):
                return trouble
            time.sleep(PAUSE)


def is_served(name: str, in_use: AbstractSet[str]) -> bool:
    """Whether a host with one of the names `in_use` answers to this one."""
    above = {f"*{name[at:]}" for at, letter in enumerate(name) if letter == "."}
    return bool(({name, f".{name}"} | above) & in_use)


def _look(url: str, name: str, answered: bool, protected: bool) -> str | None:  # noqa: FBT001
    status = _status(url, name)
    site = _asked(name)
    if protected and status is not None and 200 <= status < 300:
        return f"{site} is behind an access list, but answers a stranger with HTTP {status}"
    if answered and status is None:
        return f"{site} answered before, and now there is no answer at {url}"
    if answered and status is not None and status >= 500:
        return f"{site} answered before, and now it answers HTTP {status}"
    return None


def _asked(name: str) -> str:
    """A name that the site answers to."""
    return name.replace("*", "proxysync-check").removeprefix(".")


def _status(url: str, domain: str) -> int | None:
    """The status of the answer; None for no answer."""
    parts, name = urlsplit(url), _asked(domain)
    host = parts.hostname or ""
    try:
        if parts.scheme == "https":
            return _ask_tls(host, parts.port or 443, name)[0]
        status, location = _ask(http.client.HTTPConnection(host, parts.port, timeout=TIMEOUT), name)
        onward = urlsplit(location)
        if status not in REDIRECTS or (onward.scheme, onward.hostname) != ("https", name.lower()):
            return status
        try:
            return _ask_tls(host, onward.port or 443, name)[0]
        except ConnectionRefusedError:
            return status  # its HTTPS is published somewhere else
    except (OSError, http.client.HTTPException, ValueError):
        return None


def _ask_tls(host: str, port: int, name: str) -> tuple[int, str]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    connection = http.client.HTTPSConnection(host, port, timeout=TIMEOUT)
    plain = socket.create_connection((host, port), timeout=TIMEOUT)
    try:
        # The site is chosen by the name in the handshake, which is not the address.
        connection.sock = context.wrap_socket(plain, server_hostname=name)
    except (OSError, ValueError):
        plain.close()
        raise
    return _ask(connection, name)


def _ask(connection: http.client.HTTPConnection, name: str) -> tuple[int, str]:
    """The status, and where it sends its visitors."""
    try:
        connection.request("GET", "/", headers={"Host": name, "Connection": "close"})
        answer = connection.getresponse()
        return answer.status, answer.getheader("Location") or ""
    finally:
        connection.close()
