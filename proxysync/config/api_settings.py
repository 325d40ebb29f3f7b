"""Settings of the HTTP API: where it listens, who may ask it, and whether it may write."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path

from proxysync.config.setting import (
    TOKEN_CREDENTIALS,
    Secret,
    SettingError,
    read_credential,
    read_secret_file,
)

LISTEN, TOKEN, WRITE = "PROXYSYNC_LISTEN", "PROXYSYNC_API_TOKEN", "PROXYSYNC_API_WRITE"
VALIDATE_LOCAL = "PROXYSYNC_API_VALIDATE_LOCAL"
TOKEN_FILE, HOSTS = f"{TOKEN}_FILE", "PROXYSYNC_API_HOSTS"
EXAMPLE = "Write it like 127.0.0.1:8090, [::1]:8090 or 8090 (which is 127.0.0.1:8090)."

SHORTEST_TOKEN = 16
"""Characters; shorter ones can be guessed by whoever may ask often."""

YES, NO = frozenset(("1", "true", "yes", "on")), frozenset(("0", "false", "no", "off"))
_HOST = re.compile(r"[a-z0-9_]([a-z0-9_.-]*[a-z0-9_])?", re.IGNORECASE)


@dataclass(frozen=True)
class ApiSettings:
    """Where to listen; `hosts` are the names by which visitors may call it beside its address.

    `port` 0 takes a free one. Without a `token` everybody who reaches it may ask, so that there
    is always one beyond loopback, and where it may `write`. With `validate_local`, entries are
    checked that lead to this machine itself.
    """

    host: str
    port: int
    token: Secret | None = None
    write: bool = False
    hosts: frozenset[str] = frozenset()
    validate_local: bool = False

    @property
    def is_local(self) -> bool:
        """Whether nobody beyond this machine can reach it."""
        return _is_loopback(self.host)


@dataclass(frozen=True)
class Listening:
    """Where the API is: `url` is how this machine gets there, and `everywhere` whether its other
    addresses lead there, too.
    """

    url: str
    everywhere: bool = False

    def __str__(self) -> str:
        if not self.everywhere:
            return self.url
        return f"{self.url}, and at that port of every other address of this machine"


def read_api_settings(given: Mapping[str, str]) -> ApiSettings | None:
    """The settings, or None where it is not to listen. Raises SettingError."""
    token = _token(given)
    write, local = _flag(given, WRITE), _flag(given, VALIDATE_LOCAL)
    hosts = _hosts(given.get(HOSTS, ""))
    if LISTEN not in given:
        return None
    host, port = _address(given[LISTEN].strip())
    settings = ApiSettings(host, port, token, write, hosts, local)
    if token is None and not settings.is_local:
        raise _needs_token(f"{LISTEN}={given[LISTEN]} lets others than this machine in")
    if token is None and write:
        raise _needs_token(f"{WRITE} lets whoever reaches the API change the file")
    return settings


def _needs_token(why: str) -> SettingError:
    return SettingError(
        f"{why}, and there is no token",
        hint=f"Set {TOKEN_FILE} to a file with a long random word (`openssl rand -hex 32`), or "
        f"{TOKEN} to such a word.",
    )


def _address(text: str) -> tuple[str, int]:
    host, separator, port = text.rpartition(":")
    if not separator:
        host = "127.0.0.1"
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        raise SettingError(f'{LISTEN} "{text}" has an IPv6 address without brackets', hint=EXAMPLE)
    if not (port.isascii() and port.isdigit() and int(port[:6]) <= 65535):
        raise SettingError(f'{LISTEN} "{text}" has no port from 0 to 65535', hint=EXAMPLE)
    host = host or "0.0.0.0"  # noqa: S104 - `:8090` means all, as everywhere
    if host != "localhost" and not _is_address(host):
        raise SettingError(f'{LISTEN} "{text}" names no address of this machine', hint=EXAMPLE)
    return host, int(port)


def _token(given: Mapping[str, str]) -> Secret | None:
    if TOKEN in given and TOKEN_FILE in given:
        raise SettingError(
            f"both {TOKEN} and {TOKEN_FILE} are set, and they may differ", hint="Unset one of them."
        )
    hint = "Put a long random word into it, and nothing else."
    text = given.get(TOKEN)
    if TOKEN_FILE in given:
        text = read_secret_file(Path(given[TOKEN_FILE]), TOKEN_FILE, hint)
    elif text is None:
        text = read_credential(given, TOKEN_CREDENTIALS, hint)
    if text is None:
        return None
    if len(text) < SHORTEST_TOKEN or not text.isascii() or not text.isprintable() or " " in text:
        raise SettingError(
            f"{TOKEN}, or what stands in for it, is no word of at least {SHORTEST_TOKEN} ASCII "
            "characters",
            hint="`openssl rand -hex 32` makes one.",
        )
    return Secret(text)


def _flag(given: Mapping[str, str], name: str) -> bool:
    text = given.get(name, "")
    word = text.strip().lower()
    if word in YES or not word or word in NO:
        return word in YES
    raise SettingError(f'{name} "{text}" is neither 1 nor 0', hint=f"Set {name}=1 or unset it.")


def _hosts(text: str) -> frozenset[str]:
    names = frozenset(name.strip().lower() for name in text.split(",") if name.strip())
    for name in names:
        if not _HOST.fullmatch(name):
            raise SettingError(
                f'{HOSTS} "{name}" is no host name',
                hint="Write names without a port, with commas: proxysync.example.com,proxysync",
            )
    return names


def _is_loopback(host: str) -> bool:
    return host == "localhost" or ip_address(host).is_loopback


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
