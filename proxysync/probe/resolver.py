"""From a host name to its addresses: as this machine resolves it, or as one name server does."""

import asyncio
import contextlib
import socket
import threading
from collections.abc import Callable, Coroutine, Hashable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    import dns.asyncresolver

LOOKUP_TIMEOUT = 5.0
EXPLAIN_TIMEOUT = 2.0
SECOND_FAMILY_TIMEOUT = 1.0
DNS_PORT = 53

_SURE = frozenset({socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME)})
"""What the system says where a name server has told it that there is no such name, or address."""

Key = TypeVar("Key", bound=Hashable)
Answer = TypeVar("Answer")


@dataclass(frozen=True)
class Address:
    """One address of a host: `family` and `sockaddr` are as the socket module has them."""

    family: int
    sockaddr: tuple[Any, ...]

    def with_port(self, port: int) -> tuple[Any, ...]:
        return (self.sockaddr[0], port, *self.sockaddr[2:])

    def __str__(self) -> str:
        ip = str(self.sockaddr[0])
        return f"[{ip}]" if self.family == socket.AF_INET6 else ip


@dataclass(frozen=True)
class Found:
    """The addresses of a host, in the order in which they are to be tried."""

    addresses: tuple[Address, ...]


@dataclass(frozen=True)
class Unresolved:
    """Why a host has no addresses.

    With `any_name` it is not the host's fault: no other name would be found either.
    """

    reason: str
    any_name: bool = False


@dataclass(frozen=True)
class _Unanswered(Unresolved):
    """No name server has said anything about the host: it may be there or not."""


def parse_ip(host: str) -> Found | None:
    """The address that `host` itself is (IPv6 in brackets or not); None for a name."""
    bare = host.removeprefix("[").removesuffix("]")
    for family, rest in ((socket.AF_INET, ()), (socket.AF_INET6, (0, 0))):
        # Strict as nginx is: no 127.1, no zone.
        with contextlib.suppress(OSError, ValueError):
            ip = socket.inet_ntop(family, socket.inet_pton(family, bare))
            return Found((Address(family, (ip, 0, *rest)),))
    return None


class Resolver:
    """Looks names up, each one once; make one for each round of checks.

    With `remember` off, only callers that wait at the same time share an answer.

    The system's own resolver can block for long, so each of its lookups runs in a daemon
    thread, which is left behind after LOOKUP_TIMEOUT seconds and never holds up the
    interpreter's exit. At most `at_once` lookups (one file descriptor each) are under way,
    those left behind included; one that finds no place for LOOKUP_TIMEOUT seconds fails.
    """

    def __init__(self, at_once: int = 256, *, remember: bool = True) -> None:
        self._at_once = at_once
        self._remember = remember
        self._places = asyncio.Semaphore(at_once)
        self._lookups: dict[tuple[str, str | None], asyncio.Task[Found | Unresolved]] = {}
        self._answering: dict[str | None, asyncio.Task[bool]] = {}

    async def find(self, host: str, resolver: str | None = None) -> Found | Unresolved:
        """Resolves `host`; with `resolver` (`IP` or `IP:port`) that name server alone decides."""
        return await self._shared(self._lookups, (host, resolver), self._look_up, host, resolver)

    async def _shared(
        self,
        tasks: "dict[Key, asyncio.Task[Answer]]",
        key: Key,
        ask: Callable[..., Coroutine[Any, Any, Answer]],
        *about: str | None,
    ) -> Answer:
        """What `ask` says, asked once for all that want it."""
        if key not in tasks:
            tasks[key] = asyncio.create_task(ask(*about))
            if not self._remember:
                tasks[key].add_done_callback(lambda _: tasks.pop(key))
        # A caller that is cancelled must not take the answer from the others.
        return await asyncio.shield(tasks[key])

    async def _look_up(self, host: str, resolver: str | None) -> Found | Unresolved:
        outcome = await self._ask_for(host, resolver)
        if not isinstance(outcome, _Unanswered):
            return outcome
        # Nobody needs to be asked whether such a name is there (RFC 6761).
        blameless = not host.removesuffix(".").endswith(".invalid") and not await self._shared(
            self._answering, resolver, answers, resolver
        )
        return replace(outcome, any_name=blameless)

    async def _ask_for(self, host: str, resolver: str | None) -> Found | Unresolved:
        try:
            await asyncio.wait_for(self._places.acquire(), LOOKUP_TIMEOUT)
        except TimeoutError:
            return Unresolved(f"{self._at_once} other names still wait for their name servers")
        if resolver is None:
            return await self._ask_system(host)
        try:
            return await _ask_server(host, resolver)
        finally:
            self._places.release()

    async def _ask_system(self, host: str) -> Found | Unresolved:
        answer = self._start_thread(host)
        try:
            outcome = await asyncio.wait_for(answer, LOOKUP_TIMEOUT)
        except TimeoutError:
            return _Unanswered(f"the system's resolver did not answer within {LOOKUP_TIMEOUT:g} s")
        if isinstance(outcome, Found):
            return outcome
        return await _explain(host, outcome)

    def _start_thread(self, host: str) -> "asyncio.Future[Found | Exception]":
        """Gives the place back when the thread has really ended, however late."""
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Found | Exception] = loop.create_future()

        def settle(outcome: Found | Exception) -> None:
            self._places.release()
            if not answer.done():
                answer.set_result(outcome)

        def run() -> None:
            outcome = _getaddrinfo(host)
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
                loop.call_soon_threadsafe(settle, outcome)

        try:
            threading.Thread(target=run, name=f"look up {host}", daemon=True).start()
        except RuntimeError as error:
            settle(error)
        return answer


def _getaddrinfo(host: str) -> Found | Exception:
    try:
        infos = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, ValueError) as error:
        return error
    return Found(tuple(dict.fromkeys(Address(info[0], info[4]) for info in infos)))


async def _explain(host: str, error: Exception) -> Unresolved:
    """Why the system's resolver failed; the system itself tells too little."""
    if not isinstance(error, socket.gaierror):
        return Unresolved(f"the name cannot be looked up ({error})")
    server = _server(None)
    if server is None:
        return _Unanswered("no name server is configured on this machine")
    outcome = await _ask(server, host, EXPLAIN_TIMEOUT, search=True)
    if isinstance(outcome, Found):
        return Unresolved(
            f"the system says “{error.strerror}”, though the name server knows the name; "
            "see /etc/nsswitch.conf and /etc/hosts"
        )
    # Whatever dnspython hears, the system itself may have been told that there is no such name.
    return Unresolved(outcome.reason) if error.errno in _SURE else outcome


def _server(resolver: str | None) -> "dns.asyncresolver.Resolver | None":
    """The name server at this address, or the system's; None where it has none, or a bad one."""
    import dns.asyncresolver
    import dns.nameserver
    import dns.resolver

    if resolver is None:
        with contextlib.suppress(dns.resolver.NoResolverConfiguration):
            return dns.asyncresolver.Resolver()
        return None
    ip, port = _split(resolver)
    if parse_ip(ip) is None or not 0 < port < 65536:
        return None
    server = dns.asyncresolver.Resolver(configure=False)
    server.nameservers = [dns.nameserver.Do53Nameserver(ip, port)]
    return server


async def answers(resolver: str | None) -> bool:
    """Whether that name server answers at all: it is asked for the root, which is always there."""
    server = _server(resolver)
    if server is None:
        return False
    outcome = await _ask(server, ".", EXPLAIN_TIMEOUT, search=False)
    return not isinstance(outcome, _Unanswered)


async def _ask_server(host: str, resolver: str) -> Found | Unresolved:
    server = _server(resolver)
    if server is None:
        return Unresolved(
            f"the resolver “{resolver}” is not an address (e.g. 10.0.0.1 or 127.0.0.1:5353)"
        )
    return await _ask(server, host, LOOKUP_TIMEOUT, search=False)


def _split(resolver: str) -> tuple[str, int]:
    """`10.0.0.1`, `10.0.0.1:53`, `::1` or `[::1]:53` as address and port (0 for a bad one)."""
    ip, colon, port = resolver.rpartition(":")
    if not colon or (":" in ip and not ip.endswith("]")):
        ip, port = resolver, str(DNS_PORT)
    return ip.removeprefix("[").removesuffix("]"), int(port) if port.isdecimal() else 0


async def _ask(
    server: "dns.asyncresolver.Resolver", host: str, timeout: float, *, search: bool
) -> Found | Unresolved:
    """Asks for IPv4 and then for IPv6 addresses, within `timeout` seconds."""
    import dns.exception
    import dns.resolver

    loop = asyncio.get_running_loop()
    deadline = loop.time() + timeout
    addresses: list[Address] = []
    failures: list[dns.exception.DNSException] = []
    for record in ("A", "AAAA"):
        # A server that ignores AAAA must not make a good IPv4 answer slow.
        left = SECOND_FAMILY_TIMEOUT if addresses else deadline - loop.time()
        try:
            answer = await server.resolve(host, record, lifetime=max(left, 0.1), search=search)
        except dns.resolver.NXDOMAIN as failure:
            failures.append(failure)
            break
        except dns.exception.DNSException as failure:
            failures.append(failure)
            continue
        for entry in answer:
            found = parse_ip(entry.to_text())
            addresses += found.addresses if found else ()
    if addresses:
        return Found(tuple(addresses))
    return _why(failures)


def _why(failures: "list[dns.exception.DNSException]") -> Unresolved:
    import dns.exception
    import dns.resolver

    telling = [f for f in failures if not isinstance(f, dns.resolver.NoAnswer)]
    if not telling:
        return Unresolved("the name exists but has no address (no A or AAAA record)")
    failure = telling[0]
    if isinstance(failure, dns.resolver.NXDOMAIN):
        return Unresolved("there is no such name (NXDOMAIN)")
    errors: list[tuple[Any, ...]] = failure.kwargs.get("errors") or []
    asked = dict.fromkeys(str(error[0]) for error in errors)
    servers = ", ".join(asked).replace("Do53:", "").replace("@", " port ") or "the name server"
    if isinstance(failure, dns.exception.Timeout):
        return _Unanswered(f"no answer from {servers}")
    if isinstance(failure, dns.resolver.NoNameservers):
        said = dict.fromkeys(str(error[3]) for error in errors)
        # A server that refuses works: it does not want to be asked for this.
        kind = Unresolved if "REFUSED" in said else _Unanswered
        return kind(f"{servers} cannot answer ({', '.join(said)})")
    return Unresolved(str(failure))
