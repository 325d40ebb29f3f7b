"""Upstreams and the paths of locations, from text to values. Pure functions.

All raise InvalidValue with an example of a right value.
"""

import re
from collections.abc import Callable
from ipaddress import IPv6Address
from urllib.parse import urlsplit

from proxysync.model import Upstream
from proxysync.values.invalid import InvalidValue, quote, suggestion
from proxysync.values.names import host as checked_host
from proxysync.values.names import is_ipv6, white_space

EXAMPLE = "http://10.0.0.5:8096"
PORTS = {"http": 80, "https": 443}

_UPSTREAM = re.compile(
    r"(?P<scheme>[a-z][a-z0-9+.-]*)://(?P<authority>[^/?#]*)(?P<tail>.*)", re.ASCII | re.IGNORECASE
)
_BRACKETED = re.compile(r"\[(?P<address>[^\[\]]*)\](?P<colon>:?)(?P<port>.*)")
_LOCATION = re.compile(r"(?P<modifier>=|\^~|~\*|~)?[ \t]*(?P<path>.*)", re.DOTALL)
_REFUSED = "\"'`;{}$\\<>|^"


def port_of(url: str) -> int:
    """The port that a good URL leads to, whether it names one or not."""
    parts = urlsplit(url)
    return parts.port or PORTS.get(parts.scheme, 80)


def proxy_upstream(value: object) -> Upstream:
    """Where a proxy forwards to; it has no path."""
    upstream = _parse(value, proxy_upstream)
    if upstream.path == "/":
        return Upstream(upstream.scheme, upstream.host, upstream.port)
    if upstream.path:
        raise InvalidValue(
            "{found} has a path: a proxy forwards every path as it is; to change one, "
            "give it an upstream of its own under `locations`",
            value,
            hint=f"without the path it is {upstream.scheme}://{upstream.host}:{upstream.port}",
        )
    return upstream


def location_upstream(value: object) -> Upstream:
    """Where a location forwards to; a path, even a lone `/`, replaces the location's own."""
    return _parse(value, location_upstream)


def _parse(value: object, check: Callable[[object], object]) -> Upstream:
    """An upstream, with or without a path; what is suggested instead passes `check`."""
    if isinstance(value, Upstream):
        return value
    if not isinstance(value, str) or not value:
        raise InvalidValue(f"must be scheme://host:port such as {EXAMPLE}, not {{found}}", value)
    _refuse_characters(value)
    match = _UPSTREAM.fullmatch(value)
    if match is None:
        raise InvalidValue(
            f"{{found}} has no scheme: write it like {EXAMPLE}",
            value,
            hint=_with_scheme(value, check),
        )
    scheme = match["scheme"].lower()
    if scheme not in PORTS:
        raise InvalidValue(
            f"{{found}} has a scheme other than http and https: write it like {EXAMPLE}", value
        )
    host, port = _host_and_port(match["authority"], value, check)
    return Upstream(scheme, host, PORTS[scheme] if port is None else port, match["tail"])


def location_path(value: object) -> str:
    """The path of a location, after one of nginx's modifiers and a blank if there is one."""
    if not isinstance(value, str) or not value.strip():
        raise InvalidValue("must be a path such as /api, not {found}", value)
    match = _LOCATION.fullmatch(value.strip(" "))
    assert match is not None
    modifier, path = match["modifier"], match["path"]
    if not path.startswith("/") and modifier not in ("~", "~*"):
        raise InvalidValue(
            "{found} does not start with a slash: write /api, = /api, ^~ /api or ~ regex",
            value,
            hint=None if modifier else suggestion(f"/{path}", location_path, shown=quote),
        )
    if not path:
        raise InvalidValue("{found} lacks what follows the modifier, such as ~ ^/api", value)
    if white := white_space(path):
        raise InvalidValue(f"{{found}} holds {white}, which a location's path cannot", value)
    if bad := next((character for character in path if character in ";{}\"'#"), None):
        raise InvalidValue(f"{{found}} holds a {bad} which a location's path cannot", value)
    if path.endswith("\\"):
        raise InvalidValue("{found} ends in a backslash, which a location's path cannot", value)
    if (modifier, path) == ("^~", "/"):
        raise InvalidValue(
            "{found} is to nginx the same as the / that NPM adds itself, so that it is refused",
            value,
            hint='write "/", which stands in the place of NPM\'s own',
        )
    return f"{modifier} {path}" if modifier else path


def prefix_of(path: str) -> str:
    """What nginx goes by in telling locations apart: `^~ /x` and `/x` are one, `= /x` another."""
    return path.removeprefix("^~ ")


def is_regex(path: str) -> bool:
    """Whether a location's path is a regular expression; nginx wants no path upstream then."""
    return path.startswith("~")


def _refuse_characters(text: str) -> None:
    if "@" in text:
        # The value is not shown: what stands before the @ is likely to be a password.
        raise InvalidValue(
            f"has a user name or password in it, which NPM cannot send: write it like {EXAMPLE}",
            None,
        )
    if white := white_space(text):
        raise InvalidValue(f"{{found}} holds {white}: write it like {EXAMPLE}", text)
    for character, what in (("?", "a query"), ("#", "a fragment")):
        if character in text:
            raise InvalidValue(f"{{found}} has {what}: write it like {EXAMPLE}", text)
    if "$" in text:
        raise InvalidValue(
            f"{{found}} holds a $: nginx variables cannot stand here, write it like {EXAMPLE}",
            text,
        )
    if bad := next((character for character in text if character in _REFUSED), None):
        raise InvalidValue(f"{{found}} holds a {bad} which cannot stand here", text)


def _host_and_port(
    authority: str, value: str, check: Callable[[object], object]
) -> tuple[str, int | None]:
    if bracketed := _bracket(authority):
        raise InvalidValue(
            "{found} has an IPv6 address without brackets: write it like http://[fd00::5]:8096",
            value,
            hint=suggestion(value.replace(authority, bracketed, 1), check),
        )
    if authority.startswith("["):
        match = _BRACKETED.fullmatch(authority)
        if match is None or bool(match["colon"]) < bool(match["port"]):
            raise InvalidValue(
                "{found} has brackets that hold no address: write it like http://[fd00::5]:8096",
                value,
            )
        colon, host, port = match["colon"], _bracketed(match["address"], value), match["port"]
    else:
        name, colon, port = authority.partition(":")
        if not name:
            raise InvalidValue(f"{{found}} has no host: write it like {EXAMPLE}", value)
        host = checked_host(name)
    return host, _port(port, value) if colon else None


def _bracketed(address: str, value: str) -> str:
    if "%" in address:
        raise InvalidValue(
            "{found} has a zone (the part after %), which nginx cannot use: give an address "
            "that needs none",
            value,
        )
    if not is_ipv6(address):
        raise InvalidValue(
            "{found} has brackets that hold no IPv6 address: write it like http://[fd00::5]:8096",
            value,
        )
    return f"[{IPv6Address(address).compressed}]"


def _port(text: str, value: str) -> int:
    if _is_port(text):
        return int(text)
    raise InvalidValue(f"{{found}} has no port from 1 to 65535: write it like {EXAMPLE}", value)


def _is_port(text: str) -> bool:
    return re.fullmatch("[0-9]{1,5}", text) is not None and 1 <= int(text) <= 65535


def _bracket(authority: str) -> str | None:
    """The authority with brackets around its IPv6 address; None where it begins with none.

    What may be a port at its end is taken for one, for upstreams mostly have a port.
    """
    address, _, port = authority.rpartition(":")
    if is_ipv6(address) and _is_port(port):
        return f"[{address}]:{port}"
    return f"[{authority}]" if is_ipv6(authority) else None


def _with_scheme(text: str, check: Callable[[object], object]) -> str | None:
    rest = re.sub("^(https?:)?/*", "", text, count=1)
    authority = re.split("[/?#]", rest, maxsplit=1)[0]
    if bracketed := _bracket(authority):
        rest = rest.replace(authority, bracketed, 1)
    scheme = "https" if rest.endswith(":443") else "http"
    return suggestion(f"{scheme}://{rest}", check)
