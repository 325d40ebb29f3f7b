"""How a step ends: what was found, and the hint that says what to do next."""

import errno
from dataclasses import dataclass

UNRESOLVED = "Domain cannot be resolved. Check DNS settings or use an IP address."
REFUSED = (
    "Port {port} is not accepting connections. "
    "Check if the service is running and the port is correct."
)
TIMED_OUT = "Connection timed out. Possible firewall blocking. Check network/firewall rules."
NO_NAME_SERVER = "No name server answers this machine. Check its network and /etc/resolv.conf."
NO_RESOLVER = "The name server of settings.validation.resolver does not answer. Check its address."
NO_ROUTE = "Host is not reachable. Verify the IP address and network connectivity."
BAD_STATUS = "Service responded with HTTP {status}. The service may not be healthy."

SYNTAX = "Write the upstream as scheme://host:port (e.g. http://10.0.0.5:8096)."
FORBIDDEN = "This machine does not let the connection out. Check its own firewall rules."
TOO_MANY_FILES = "This process has too many files open. Raise its limit (LimitNOFILE, ulimit -n)."
USE_HTTP = "Service speaks plain HTTP. Use http:// in the upstream, not https://."
USE_HTTPS = "Service speaks TLS. Use https:// in the upstream, not http://."
NOT_TLS = "Service on port {port} does not speak TLS. Check if the scheme and the port are correct."
TLS_FAILED = "TLS handshake failed. Check the TLS settings of the service."
NOT_HTTP = "Service on port {port} does not speak HTTP. Check if the port is correct."
NO_ANSWER = "Service closed the connection without an answer. Check its log and the port."
HEADERS_TOO_BIG = "Service sends more headers than nginx takes. Check what it answers."
NEEDS_SNI = "Add `proxy_ssl_server_name on;` to advanced_config, or nginx cannot connect."
LOCAL = (
    "Name an address in the network. With PROXYSYNC_API_VALIDATE_LOCAL=1 the API connects to local "
    "ones, too."
)
STOPPED = "Nothing is known about this upstream yet. Run the check again."
INTERNAL = "This is a fault of proxysync, not of the upstream. Please report it."


@dataclass(frozen=True)
class Good:
    """What a step that did not fail found; a `hint` makes it a warning."""

    detail: str
    hint: str | None = None


class StepError(Exception):
    """A step's failure: `detail` says what was found, `hint` what to do next.

    `{port}` in a hint is filled in where the step ends.
    """

    def __init__(self, detail: str, hint: str) -> None:
        super().__init__(detail)
        self.detail = detail
        self.hint = hint


class PeerError(StepError):
    """What a connected peer did wrong; `detail` is the sentence that its address begins."""


_BY_ERRNO = {
    errno.ECONNREFUSED: ("refused", REFUSED),
    errno.EACCES: ("not permitted", FORBIDDEN),
    errno.EPERM: ("not permitted", FORBIDDEN),
    errno.EMFILE: ("too many open files", TOO_MANY_FILES),
    errno.ENFILE: ("too many open files", TOO_MANY_FILES),
}
_MOST_TELLING = (REFUSED, TIMED_OUT, FORBIDDEN, TOO_MANY_FILES, NO_ROUTE)


def explain_connect_error(error: OSError) -> tuple[str, str]:
    """What happened, in few words, and the hint for it."""
    if isinstance(error, TimeoutError):
        return "timed out", TIMED_OUT
    unknown = (f"no route ({error.strerror or error})", NO_ROUTE)
    return _BY_ERRNO.get(error.errno or 0, unknown)


def most_telling(hints: list[str]) -> str:
    """The hint for a host whose addresses fail in different ways.

    Refused comes first, for something did answer there. "No route" comes last: most often it
    is only about an address of the family that this machine does not have.
    """
    return min(hints, key=_MOST_TELLING.index)
