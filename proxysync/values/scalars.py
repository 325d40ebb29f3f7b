"""The kinds of values in the file: switches, texts, durations, statuses, limits. Pure functions.

Each takes what YAML made of the text and returns our value, or raises InvalidValue with an
example of a right one.
"""

import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from difflib import get_close_matches
from ipaddress import IPv4Address, IPv6Address, ip_address

from proxysync.values.invalid import InvalidValue
from proxysync.values.limits import DeleteLimit
from proxysync.values.names import white_space

UNITS = {"w": 604800.0, "d": 86400.0, "h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
NONE = "none"
"""Written for a certificate or an access list: the entry has none, whatever the defaults say."""

AUTO = "auto"
"""Written for a certificate: the one that is for all of the entry's domains."""

LONGEST_DURATION = 365 * UNITS["d"]
_NUMBER = r"([0-9]{1,12}(?:\.[0-9]{1,9})?)"
_DURATION = re.compile("".join(f"(?:{_NUMBER}{unit})?" for unit in UNITS), re.ASCII)
_SWITCHES = ("true", "false", "yes", "no", "on", "off")
_STATUSES = re.compile(r"([1-5][0-9]{2})(?:-([1-5][0-9]{2}))?", re.ASCII)
_RESOLVER = re.compile(r"(?P<host>\[[0-9A-Fa-f:.]+\]|[0-9.]+)(?::(?P<port>[0-9]{1,5}))?", re.ASCII)


LONGEST_NOTE = 2000
"""Characters; what is longer is a document, and belongs into one."""


@dataclass(frozen=True)
class ExpectStatus:
    """HTTP status codes that count as healthy: inclusive ranges, sorted, none touching another."""

    ranges: tuple[tuple[int, int], ...]

    def matches(self, status: int) -> bool:
        return any(first <= status <= last for first, last in self.ranges)

    def __str__(self) -> str:
        return ", ".join(f"{a}" if a == b else f"{a}-{b}" for a, b in self.ranges)


def boolean(value: object) -> bool:
    if not isinstance(value, bool):
        quoted = isinstance(value, str) and value.lower() in _SWITCHES
        hint = "write it without quotes" if quoted else None
        raise InvalidValue("must be true or false, not {found}", value, hint=hint)
    return value


def text(value: object) -> str:
    """Any text; what YAML reads as a number or a switch must be quoted."""
    if not isinstance(value, str):
        hint = "quote it if a text is meant" if isinstance(value, bool | int | float) else None
        raise InvalidValue("must be a text, not {found}", value, hint=hint)
    return value


def note(value: object) -> str:
    """A text for people, of one line or several."""
    if len(text(value)) > LONGEST_NOTE:
        raise InvalidValue(f"has more than {LONGEST_NOTE:,} characters", value)
    return text(value)


def reference(value: object, *, what: str) -> str | None:
    """The name of something in NPM, such as a certificate; None for the word `none`."""
    if value is None:
        return None
    if isinstance(value, int) and not isinstance(value, bool):
        raise InvalidValue(
            f"is {{found}}: NPM's ids never appear in the file, give the name of the {what}", value
        )
    if not isinstance(value, str) or not value.strip():
        raise InvalidValue(f"must be the name of the {what} in NPM, or none, not {{found}}", value)
    return None if value.casefold() == NONE else value


def certificate(value: object) -> str | None:
    """The same for a certificate, or AUTO."""
    name = reference(value, what="certificate")
    return AUTO if name is not None and name.casefold() == AUTO else name


def file_name(value: object) -> str:
    """The path of a file."""
    if not isinstance(value, str) or not value.strip():
        raise InvalidValue(
            "must be the path of a file such as tls/fullchain.pem, not {found}", value
        )
    if "\0" in value:
        raise InvalidValue("holds a NUL character, which no path has", value)
    return value


def advanced_config(value: object) -> str:
    """nginx configuration: any text; whether the entry fits into a request is seen as a whole."""
    if not isinstance(value, str):
        raise InvalidValue("must be nginx configuration as a text, not {found}", value)
    if "\0" in value:
        raise InvalidValue("holds a NUL character, which nginx cannot read", value)
    return value


def one_of(choices: Sequence[str], value: object) -> str:
    """One of several words; `off` may stand without quotes, though YAML reads it as false."""
    if value is False and "off" in choices:
        return "off"
    if value not in choices:
        near = get_close_matches(value, choices, 1) if isinstance(value, str) else []
        raise InvalidValue(
            f"must be one of {', '.join(choices)}, not {{found}}",
            value,
            hint=f"did you mean {near[0]}?" if near else None,
        )
    return str(value)


def set_of(choices: Sequence[str], value: object) -> frozenset[str]:
    """A list of some of these words."""
    if not isinstance(value, list | tuple | frozenset):
        raise InvalidValue(f"must be a list such as [{choices[-1]}], not {{found}}", value)
    return frozenset(one_of(choices, item) for item in value)


def parse_duration(text: str) -> float | None:
    """Seconds of a text such as `1h30m`; None for what is none."""
    match = _DURATION.fullmatch(text)
    if not text or match is None:
        return None
    parts = zip(match.groups(), UNITS.values(), strict=True)
    return sum(float(number) * unit for number, unit in parts if number)


def duration_text(seconds: float) -> str:
    """The shortest text that means so many seconds: `1h30m`."""
    text, rest = "", round(seconds * 1000)
    for unit, size in UNITS.items():
        number, rest = divmod(rest, round(size * 1000))
        text += f"{number}{unit}" if number else ""
    return text or "0s"


def duration(value: object, *, minimum: float) -> float:
    """Seconds, from a number of them or a text such as `1h30m`; a year at most."""
    seconds = parse_duration(value) if isinstance(value, str) else None
    if isinstance(value, int | float) and not isinstance(value, bool):
        seconds = float(value)
    if seconds is None:
        raise InvalidValue("must be a duration such as 30s, 5m or 1h, not {found}", value)
    if not minimum <= seconds <= LONGEST_DURATION:
        raise InvalidValue(f"must be from {minimum:g}s to 365d, not {{found}}", value)
    return seconds


def count(value: object, *, minimum: int, maximum: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not minimum <= value <= maximum:
        raise InvalidValue(
            f"must be a whole number from {minimum} to {maximum}, not {{found}}", value
        )
    return value


def days(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= 3650:
        raise InvalidValue("must be a number of days such as 7, not {found}", value)
    return float(value)


def expect_status(value: object) -> ExpectStatus:
    """From `200`, `"200-399"` or a list of such."""
    if isinstance(value, ExpectStatus):
        return value
    items = value if isinstance(value, list | tuple) else [value]
    if not items:
        raise InvalidValue(_STATUS_EXAMPLE, value)
    merged: list[tuple[int, int]] = []
    for first, last in sorted(_status_range(item) for item in items):
        if merged and first <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(last, merged[-1][1]))
        else:
            merged.append((first, last))
    return ExpectStatus(tuple(merged))


_STATUS_EXAMPLE = "must be HTTP statuses such as 200, 200-399 or [200, 204], not {found}"


def _status_range(item: object) -> tuple[int, int]:
    is_number = isinstance(item, int) and not isinstance(item, bool)
    match = _STATUSES.fullmatch(str(item)) if is_number or isinstance(item, str) else None
    if match is None:
        raise InvalidValue(_STATUS_EXAMPLE, item)
    first, last = int(match[1]), int(match[2] or match[1])
    if first > last:
        raise InvalidValue("{found} runs backwards: write it like 200-399", item)
    return first, last


def max_delete(value: object) -> DeleteLimit:
    """From `30%` or a count."""
    if isinstance(value, DeleteLimit):
        return value
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= 1_000_000:
        return DeleteLimit(count=value)
    if isinstance(value, str) and value.endswith("%"):
        with suppress(ValueError):
            return DeleteLimit.parse(value)
    raise InvalidValue("must be a share such as 30% or a count such as 5, not {found}", value)


def resolver(value: object) -> str:
    """The address of a name server, with a port if one is given."""
    example = "must be the address of a name server such as 10.0.0.1 or 10.0.0.1:5353, not {found}"
    if not isinstance(value, str):
        raise InvalidValue(example, value)
    try:
        return str(ip_address(value))
    except ValueError:
        match = _RESOLVER.fullmatch(value)
    if match is None or not 1 <= int(match["port"] or 53) <= 65535:
        raise InvalidValue(example, value)
    host = match["host"]
    try:
        address = f"[{IPv6Address(host[1:-1])}]" if host.startswith("[") else f"{IPv4Address(host)}"
    except ValueError as error:
        raise InvalidValue(example, value) from error
    return f"{address}:{match['port']}" if match["port"] else address.strip("[]")


def health_path(value: object) -> str:
    """The path that health checks and validation ask for."""
    if not isinstance(value, str) or not value.startswith("/"):
        raise InvalidValue("must be a path such as /health, not {found}", value)
    if white := white_space(value):
        raise InvalidValue(f"{{found}} holds {white}: write it like /health", value)
    if not value.isascii() or "#" in value:
        raise InvalidValue("{found} must be percent-encoded, such as /caf%C3%A9", value)
    return value
