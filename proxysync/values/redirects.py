"""Where a redirection sends visitors, from text to values. Pure functions.

All raise InvalidValue with an example of a right value.
"""

import re
from dataclasses import dataclass

from proxysync.values.invalid import InvalidValue
from proxysync.values.names import host, is_ipv6, white_space

EXAMPLE = "https://blog.example.com/new"
CODES = (301, 302, 303, 307, 308)
"""Those with which nginx redirects; NPM takes 300 and 305, too, and visitors then see a page."""

_PARTS = re.compile(r"(?:(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://)?(?P<host>[^/?#:]*)(?P<tail>.*)")
_REFUSED = "\"'`;{}\\<>|^*"


@dataclass(frozen=True)
class RedirectTarget:
    """`scheme` is http, https or None for the one that the visitor came by.

    `rest` is the host, and whatever follows it.
    """

    scheme: str | None
    rest: str

    def __str__(self) -> str:
        return f"{self.scheme}://{self.rest}" if self.scheme else self.rest


def redirect_target(value: object) -> RedirectTarget:
    """A host, with a scheme before it or not, and a port, path and query behind it or not.

    NPM's own check of it takes twice the time for each further letter of a value that it is to
    refuse (26 s for 30 letters and a dot on 2.15.1), so none of those may reach it: those with
    two dots in a row, or one at an end.
    """
    if isinstance(value, RedirectTarget):
        return value
    if not isinstance(value, str) or not value:
        raise InvalidValue(f"must be an address such as {EXAMPLE}, not {{found}}", value)
    if white := white_space(value):
        raise InvalidValue(f"{{found}} holds {white}: write it like {EXAMPLE}", value)
    if bad := next((character for character in value if character in _REFUSED), None):
        raise InvalidValue(f"{{found}} holds a {bad} which cannot stand here", value)
    match = _PARTS.fullmatch(value)
    assert match is not None
    scheme = match["scheme"].lower() if match["scheme"] else None
    if scheme not in ("http", "https", None):
        raise InvalidValue(
            f"{{found}} has a scheme other than http and https: write it like {EXAMPLE}", value
        )
    if not match["host"] or is_ipv6(match["host"] + match["tail"]):
        raise InvalidValue(f"{{found}} has no host name: write it like {EXAMPLE}", value)
    tail = match["tail"].removesuffix(".") if match["tail"] == "." else match["tail"]
    rest = host(match["host"]) + tail
    if ".." in rest or rest.endswith(".") or len(rest) < 2:
        raise InvalidValue(
            "{found} has two dots in a row, ends in one, or is too short for NPM: write it like "
            f"{EXAMPLE}",
            value,
        )
    return RedirectTarget(scheme, rest)


def redirect_code(value: object) -> int:
    """One of CODES."""
    if isinstance(value, int) and value in CODES and not isinstance(value, bool):
        return value
    raise InvalidValue("must be 301, 302, 303, 307 or 308, not {found}", value)
