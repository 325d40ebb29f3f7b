"""Ports that are passed on, and where to, from text to values. Pure functions.

All raise InvalidValue with an example of a right value.
"""

import re
from collections.abc import Mapping
from ipaddress import IPv6Address
from types import MappingProxyType

from proxysync.model import Upstream
from proxysync.values.invalid import InvalidValue, suggestion
from proxysync.values.names import host as checked_host
from proxysync.values.names import is_ipv6, white_space
from proxysync.values.scalars import count, one_of

EXAMPLE = "10.0.0.5:25565"
PROTOCOLS = ("tcp", "udp")

NPMS_OWN: Mapping[int, str] = MappingProxyType(
    {
        80: "serves its sites over HTTP",
        81: "has its admin page",
        443: "serves its sites over HTTPS",
        3000: "has its API inside",
    }
)
"""Ports that NPM's machine listens on anyway, and what for."""

_PLACE = re.compile(r"(?:\[(?P<address>[^\[\]]*)\]|(?P<name>[^\[\]:/?#]+)):(?P<port>[0-9]{1,5})")


def listen_port(value: object) -> int:
    """A port on NPM's machine, and none of NPM's own."""
    text = isinstance(value, str) and re.fullmatch("[0-9]{1,5}", value) is not None
    port = count(int(str(value)) if text else value, minimum=1, maximum=65535)
    if port in NPMS_OWN:
        raise InvalidValue(
            f"{{found}} is the port on which NPM {NPMS_OWN[port]}: nginx would load nothing any "
            "more, not even for other hosts",
            value,
            hint="choose another port",
        )
    return port


def stream_upstream(value: object) -> Upstream:
    """Where a port is passed on to: `host:port`, with brackets around an IPv6 address."""
    if isinstance(value, Upstream):
        return value
    if not isinstance(value, str) or not value:
        raise InvalidValue(f"must be host:port such as {EXAMPLE}, not {{found}}", value)
    if "@" in value:
        # The value is not shown: what stands before the @ is likely to be a password.
        raise InvalidValue(f"holds a @: write host and port alone, such as {EXAMPLE}", None)
    if white := white_space(value):
        raise InvalidValue(f"{{found}} holds {white}: write it like {EXAMPLE}", value)
    if "://" in value:
        rest = value.partition("://")[2].rstrip("/")
        raise InvalidValue(
            f"{{found}} has a scheme, and what is passed on as it comes has none: "
            f"write it like {EXAMPLE}",
            value,
            hint=suggestion(rest, stream_upstream),
        )
    address, _, port = value.rpartition(":")
    if is_ipv6(value) or is_ipv6(address):
        raise InvalidValue(
            "{found} has an IPv6 address without brackets: write it like [fd00::5]:25565",
            value,
            hint=suggestion(f"[{address}]:{port}", stream_upstream),
        )
    match = _PLACE.fullmatch(value)
    if match is None or not 1 <= int(match["port"]) <= 65535:
        raise InvalidValue(f"{{found}} is not host:port: write it like {EXAMPLE}", value)
    return Upstream("tcp", _host(match, value), int(match["port"]))


def protocols(value: object) -> tuple[str, ...]:
    """What is passed on: tcp, udp or both, sorted; a text is taken as a list of one."""
    words = (value,) if isinstance(value, str) else value
    if not isinstance(words, list | tuple):
        raise InvalidValue("must be a list such as [tcp, udp], not {found}", value)
    if not words:
        raise InvalidValue(
            "names neither tcp nor udp, so that nothing would be passed on: write [tcp], [udp] "
            "or [tcp, udp]",
            None,
        )
    return tuple(sorted({one_of(PROTOCOLS, word) for word in words}))


def _host(match: re.Match[str], value: str) -> str:
    address = match["address"]
    if address is None:
        return checked_host(match["name"])
    if not is_ipv6(address) or "%" in address:
        raise InvalidValue(
            "{found} has brackets that hold no IPv6 address: write it like [fd00::5]:25565", value
        )
    return f"[{IPv6Address(address).compressed}]"
