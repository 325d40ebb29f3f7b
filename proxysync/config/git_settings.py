"""PROXYSYNC_GIT_…: the repository that the file comes from, if it comes from one."""

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit

from proxysync.config.setting import SettingError, read_secret_file
from proxysync.git.remote import Remote
from proxysync.model.text import one_line
from proxysync.values.invalid import InvalidValue
from proxysync.values.scalars import duration

URL = "PROXYSYNC_GIT_URL"
PROTOCOLS = ("https", "ssh", "http", "file")
SHORTEST_INTERVAL = 1.0

_EXAMPLE = "Write it like https://github.com/me/infra.git or git@github.com:me/infra.git."
_TOKEN = "Put the token into it, or user:token, and nothing else."  # noqa: S105
_SCP = re.compile(r"(?:[\w.-]+@)?[\w.-]+:(?!//)[^:]*", re.ASCII)
_NO_BRANCH = re.compile(r"^[-/.]|[\s~^:?*\[\\\x00-\x1f\x7f]|\.\.|@\{|//|/\.|\.lock(/|$)|[/.]$")


def read_remote(given: Mapping[str, str]) -> Remote | None:
    """The repository; None if none is named. Raises SettingError for what cannot be meant.

    The files that it names are not looked at: commands beside the daemon may not read them.
    """
    url = given.get(URL)
    if url is None:
        lost = sorted(name for name in given if name.startswith("PROXYSYNC_GIT_"))
        if lost:
            raise SettingError(f"{lost[0]} is set, and {URL} is not", hint=f"Set {URL}, too.")
        return None
    protocol = _protocol(url.strip())
    return Remote(
        url=url.strip(),
        protocol=protocol,
        path=_path(given.get("PROXYSYNC_GIT_PATH", "proxies.yaml")),
        branch=_branch(given.get("PROXYSYNC_GIT_BRANCH")),
        interval=_interval(given.get("PROXYSYNC_GIT_INTERVAL", "1m")),
        key_file=_key_file(given, protocol),
        token_file=_token_file(given, protocol),
        allowed_signers=_file(given, "PROXYSYNC_GIT_ALLOWED_SIGNERS"),
    )


def to_fetch(remote: Remote) -> Remote:
    """The same with the token, once all files that it names can be read. Raises SettingError."""
    for path, name, hint in (
        (remote.key_file, "PROXYSYNC_GIT_KEY_FILE", "Put a private key without a passphrase in."),
        (
            remote.allowed_signers,
            "PROXYSYNC_GIT_ALLOWED_SIGNERS",
            "See ALLOWED SIGNERS in ssh-keygen(1).",
        ),
    ):
        if path is not None:
            read_secret_file(path, name, hint)
    if remote.token_file is None:
        return remote
    token = read_secret_file(remote.token_file, "PROXYSYNC_GIT_TOKEN_FILE", _TOKEN)
    if not (token.isprintable() and " " not in token):
        raise SettingError(
            f"PROXYSYNC_GIT_TOKEN_FILE {remote.token_file} holds more than a token", hint=_TOKEN
        )
    return replace(remote, token=token)


def _protocol(url: str) -> str:
    """How the repository is spoken to. A URL with a password in it is refused and never shown."""
    scheme, separator, rest = url.partition("://")
    if not separator:
        if "@" in url and ":" in url.partition("@")[0]:
            raise _url_error("holds a password", "Leave it out; ssh takes a key: see below.")
        if _SCP.fullmatch(url) and url[0] != "-":
            return "ssh"
        raise _url_error(f'"{one_line(url)}" is no URL', _local(url) or _EXAMPLE)
    if scheme not in PROTOCOLS:
        what = f"is none of {', '.join(f'{each}://' for each in PROTOCOLS)}"
        raise _url_error(what, _EXAMPLE)
    user, at, _ = rest.partition("/")[0].rpartition("@")
    if at and (scheme != "ssh" or ":" in user):
        raise _url_error(
            "holds a user name or password",
            "Put the token (or user:token) into a file and name it by PROXYSYNC_GIT_TOKEN_FILE, "
            "or take an ssh:// URL and a key (PROXYSYNC_GIT_KEY_FILE); leave what stands before "
            "the @ out of the URL.",
        )
    if not url.isprintable() or " " in url or "?" in rest or "#" in rest:
        raise _url_error("has a blank, a query or a fragment", _EXAMPLE)
    try:
        parts = urlsplit(url)
        wrong = parts.port == 0 or (scheme != "file" and not parts.hostname)
    except ValueError:
        wrong = True
    if wrong or rest.startswith("-"):
        raise _url_error("has no valid host and port", _EXAMPLE)
    return scheme


def _local(url: str) -> str | None:
    return f"Did you mean file://{one_line(url)}?" if url.startswith("/") else None


def _url_error(problem: str, hint: str) -> SettingError:
    return SettingError(f"{URL} {problem}", hint=hint)


def _path(text: str) -> PurePosixPath:
    path = PurePosixPath(text)
    if path.is_absolute() or ".." in path.parts or not text.isprintable():
        raise SettingError(
            f'PROXYSYNC_GIT_PATH "{one_line(text)}" is no path inside the repository',
            hint="Write it like npm/proxies.yaml, from the top of the repository.",
        )
    return path


def _branch(text: str | None) -> str | None:
    if text is not None and _NO_BRANCH.search(text):
        raise SettingError(
            f'PROXYSYNC_GIT_BRANCH "{one_line(text)}" is no name of a branch',
            hint="Write it like main.",
        )
    return text


def _interval(text: str) -> float:
    try:
        return duration(text, minimum=SHORTEST_INTERVAL)
    except InvalidValue as error:
        raise SettingError(
            f"PROXYSYNC_GIT_INTERVAL {error.message}", hint="Write it like 1m or 30s."
        ) from error


def _key_file(given: Mapping[str, str], protocol: str) -> Path | None:
    name = "PROXYSYNC_GIT_KEY_FILE"
    path = _file(given, name)
    if path is not None and protocol != "ssh":
        raise SettingError(
            f"{name} is set, and {URL} is no ssh URL",
            hint="Write the URL like git@github.com:me/infra.git, or unset the key.",
        )
    return path


def _token_file(given: Mapping[str, str], protocol: str) -> Path | None:
    name = "PROXYSYNC_GIT_TOKEN_FILE"
    path = _file(given, name)
    if path is not None and protocol != "https":
        raise SettingError(
            f"{name} is set, and {URL} is no https URL: the token would be sent in the open, or "
            "to nobody",
            hint="Write the URL like https://github.com/me/infra.git, or unset the token.",
        )
    return path


def _file(given: Mapping[str, str], name: str) -> Path | None:
    return Path(given[name]).absolute() if name in given else None
