"""What the systemd unit gives the daemon, for a command that is given in a shell beside it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from proxysync.config.setting import MAX_SECRET_BYTES, SettingError

FOLDER = Path("/etc/proxysync")
STATE = Path("/var/lib/proxysync")
"""Where the unit has its settings and its state."""

AS_ROOT = "Run it with sudo, or name NPM yourself with PROXYSYNC_NPM_URL."

_LINE = re.compile(r"\S")
_COMMENT = re.compile(r"[#;](?:[^\\\n]|\\.)*", re.DOTALL)
_KEY = re.compile(r"([^=\n]*?)[ \t]*=")
_QUOTED = re.compile(r"""[ \t]*(?:'([^']*)(?:'|\Z)|"((?:[^"\\]|\\.)*)(?:"|\Z))""", re.DOTALL)
_BARE = re.compile(r"[ \t]*((?:[^\\\n]|\\.|\\\Z)*?)[ \t\r]*(?=\n|\Z)", re.DOTALL)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_ESCAPED_IN_QUOTES = re.compile(r'\\(["\\`$\n])')
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@dataclass(frozen=True)
class Service:
    """The settings of the unit, and the file that most of them stand in."""

    source: Path
    environ: Mapping[str, str]


def read_service() -> Service | None:
    """What the daemon of this machine's unit was given; None where there is no such unit.

    Raises SettingError if this user may not read it.
    """
    source, secret = FOLDER / "environment", FOLDER / "npm_secret"
    try:
        with source.open("rb") as file:
            text = file.read(MAX_SECRET_BYTES).decode(errors="replace")
        given = {name: value for name, value in parse(text).items() if value}
        if not given.keys() & {"PROXYSYNC_NPM_SECRET", "PROXYSYNC_NPM_SECRET_FILE"}:
            with secret.open("rb"):
                given["PROXYSYNC_NPM_SECRET_FILE"] = str(secret)
    except (FileNotFoundError, NotADirectoryError) as error:
        if error.filename != str(secret):
            return None
    except OSError as error:
        raise SettingError(
            f"nothing here names NPM, and {error.filename}, which the service reads, cannot be "
            f"read: {error.strerror}",
            hint=AS_ROOT,
        ) from error
    unit = {"PROXYSYNC_FILE": str(FOLDER / "proxies.yaml"), "STATE_DIRECTORY": str(STATE)}
    return Service(source, {**unit, **given})


def parse(text: str) -> dict[str, str]:
    """The assignments of a file as systemd's EnvironmentFile= reads it: nothing is expanded.

    Lines that begin with # or ; are comments; a backslash continues a line; quotes hold line ends
    and blanks. What is no assignment is left out.
    """
    found: dict[str, str] = {}
    at = 0
    while line := _LINE.search(text, at):
        if comment := _COMMENT.match(text, line.start()):
            at = comment.end()
            continue
        key = _KEY.match(text, line.start())
        if key is None:
            at = (text + "\n").index("\n", line.start())
            continue
        value, at = _value(text, key.end())
        if _NAME.fullmatch(key[1]):
            found[key[1]] = value
    return found


def _value(text: str, at: int) -> tuple[str, int]:
    """The value that begins there, and where it ends: quoted parts, then what has no quotes."""
    parts: list[str] = []
    while quoted := _QUOTED.match(text, at):
        single, double = quoted.groups()
        parts.append(single if double is None else _ESCAPED_IN_QUOTES.sub(_unescaped, double))
        at = quoted.end()
    bare = _BARE.match(text, at)
    assert bare is not None
    parts.append(_ESCAPED.sub(_unescaped, bare[1]))
    return "".join(parts), bare.end()


def _unescaped(match: re.Match[str]) -> str:
    return "" if match[1] == "\n" else match[1]
