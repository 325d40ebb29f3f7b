"""Whether a probe can be carried out at all, before anything touches the network."""

import re

from proxysync.probe.model import Probe
from proxysync.probe.outcome import SYNTAX, StepError
from proxysync.probe.resolver import parse_ip

_NAME = re.compile(r"[\w-]{1,63}(\.[\w-]{1,63})*\.?")
_NUMBERS = re.compile(r"[\d.]+")
_UNPRINTABLE = re.compile(r"[\x00-\x20\x7f]")


def check_syntax(probe: Probe) -> str:
    """Raises StepError if the upstream's scheme, host or port cannot be one.

    The values were checked where they come from; this is for whoever calls with others.
    """
    upstream = probe.upstream
    if upstream.scheme not in {"http", "https"} and "http" not in probe.skip:
        raise StepError(f"the scheme “{upstream.scheme}” is neither http nor https", SYNTAX)
    if not 1 <= upstream.port <= 65535:
        raise StepError(f"the port {upstream.port} is not between 1 and 65535", SYNTAX)
    if problem := _host_problem(upstream.host):
        raise StepError(problem, SYNTAX)
    if probe.host_header and _UNPRINTABLE.search(probe.host_header):
        raise StepError(f"the Host header {probe.host_header!r} holds a blank", SYNTAX)
    return f"{upstream} is well-formed"


def _host_problem(host: str) -> str | None:
    if host.startswith("[") and host.endswith("]"):
        return None if ":" in host and parse_ip(host) else f"“{host}” is not an IPv6 address"
    if ":" in host:
        if parse_ip(host):
            return f"an IPv6 address stands in brackets: [{host}]"
        return f"the host “{host}” holds a colon; the port stands by itself"
    if _NUMBERS.fullmatch(host) and not parse_ip(host):
        return f"“{host}” is not an IPv4 address"
    if len(host) > 253 or not _NAME.fullmatch(host):
        return f"“{host}” is neither a host name nor an address"
    return None
