"""NPM's nginx as a visitor meets it: one request for a site, and whether it is served at all."""

import asyncio
import hashlib
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from urllib.parse import urlsplit

from proxysync.probe.answer import Answer, WantsTlsError, fetch, request
from proxysync.probe.outcome import PeerError, StepError
from proxysync.probe.resolver import Found, Resolver, parse_ip
from proxysync.probe.streams import Dialler, Stream
from proxysync.probe.tls import Tls, open_named
from proxysync.values.pem import fingerprint

TIMEOUT = 5.0
"""Seconds for one answer, and for one name to resolve."""

MOST_COMPARED = 64 * 1024
"""Bytes of a body that are compared."""

REDIRECTS = (301, 302, 307, 308)


@dataclass(frozen=True)
class Edge:
    """Where the sites are: the host of the address, and the ports; None where there is none."""

    host: str
    http: int | None = 80
    https: int | None = 443

    @classmethod
    def at(cls, url: str) -> "Edge":
        """The edge at `http://10.0.0.2`. Where HTTP is at another port, so is HTTPS: unknown."""
        parts = urlsplit(url)
        if parts.scheme == "https":
            return cls(parts.hostname or "", None, parts.port or 443)
        port = parts.port or 80
        return cls(parts.hostname or "", port, 443 if port == 80 else None)

    def port(self, scheme: str) -> int | None:
        return self.https if scheme == "https" else self.http

    @property
    def first(self) -> str:
        """The scheme that every site is asked by."""
        return "https" if self.http is None else "http"

    def can_see(self, *, certificate: bool) -> bool:
        """Whether a host, with a certificate or without, has a site at one of the ports."""
        return self.http is not None or certificate

    def address(self, scheme: str) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{scheme}://{host}:{self.port(scheme)}"

    def __str__(self) -> str:
        return self.address(self.first)


@dataclass(frozen=True)
class Sight:
    """What one request met.

    `status` is None where no HTTP answer came, and `problem` says why. Not `reached` means that
    there was not even a connection, so that it tells nothing of the site. `served_by` is NPM's
    header of that name; two answers with one `digest` are the same but for the name asked for.
    `leaf` is the fingerprint of the certificate that was shown; empty over plain HTTP.
    """

    status: int | None = None
    location: str = ""
    served_by: str = ""
    digest: str = ""
    problem: str = ""
    reached: bool = True
    leaf: str = ""

    def is_like(self, other: "Sight") -> bool:
        """Whether nothing tells the two answers apart."""
        return (self.status, self.location, self.digest, self.problem) == (
            other.status,
            other.location,
            other.digest,
            other.problem,
        )

    def is_of_a_site(self, stranger: "Sight") -> bool:
        """Whether nginx has a site for the name: a `stranger` is what it says to an unknown one.

        NPM adds its header where it forwards, though not to errors, and not everywhere.
        """
        return self.reached and (bool(self.served_by) or not self.is_like(stranger))


def shows_another(leaf: str, sight: Sight) -> bool:
    """Whether a visitor is shown another certificate than the one of this fingerprint.

    Where one of both is not known, nobody can tell.
    """
    return bool(leaf and sight.leaf) and sight.leaf != leaf


def asked(domain: str) -> str:
    """A name that a site with this domain answers to."""
    return domain.replace("*", "proxysync-check").removeprefix(".")


def stranger() -> str:
    """A name that no site can have (RFC 2606)."""
    return f"{secrets.token_hex(4)}.proxysync.invalid"


async def visit(
    edge: Edge,
    name: str,
    names: Resolver,
    *,
    scheme: str,
    path: str = "/",
    port: int | None = None,
    more: Mapping[str, str] = MappingProxyType({}),
) -> Sight:
    """Asks for a site by one of its names, over a new connection. Never raises.

    `more` are further headers.
    """
    port = port or edge.port(scheme)
    if port is None:
        return Sight(problem=f"{scheme} is not asked at {edge}", reached=False)
    dialler: Dialler | None = None
    connected = False
    try:
        async with asyncio.timeout(TIMEOUT):
            found = parse_ip(edge.host) or await names.find(edge.host)
            if not isinstance(found, Found):
                return Sight(problem=f"{edge.host} does not resolve", reached=False)
            dialler = Dialler(found.addresses, port)
            await dialler.connect(asyncio.get_running_loop().time() + TIMEOUT)
            connected = True
            stream = await _stream(dialler, scheme, name)
            answer = await fetch(
                stream, request(path, name, version="1.0", more=more), MOST_COMPARED
            )
            return _seen(answer, name, stream)
    except WantsTlsError:
        return Sight(problem="answers TLS, not plain HTTP")
    except (PeerError, StepError) as error:
        return Sight(problem=error.detail.replace(name, ""), reached=connected)
    except TimeoutError:
        return Sight(problem=f"no answer within {TIMEOUT:g} s", reached=connected)
    except (OSError, ValueError) as error:
        return Sight(problem=str(error).replace(name, ""), reached=connected)
    finally:
        if dialler is not None:
            dialler.close()


async def visit_onward(
    edge: Edge, name: str, names: Resolver, *, path: str = "/"
) -> tuple[Sight, Sight | None]:
    """As `visit`, and what HTTPS says where the site sends its visitors there.

    That is None, too, where no HTTPS is reached: it is published somewhere else.
    """
    first = await visit(edge, name, names, scheme=edge.first, path=path)
    onward = urlsplit(first.location)
    if first.status not in REDIRECTS or (onward.scheme, onward.hostname) != ("https", name.lower()):
        return first, None
    second = await visit(edge, name, names, scheme="https", path=path, port=onward.port)
    return first, second if second.reached else None


async def _stream(dialler: Dialler, scheme: str, name: str) -> Stream:
    async def dial() -> Stream:
        return await dialler.dial(asyncio.get_running_loop().time() + TIMEOUT)

    return await open_named(dial, name) if scheme == "https" else await dial()


def _seen(answer: Answer, name: str, stream: Stream) -> Sight:
    kind = answer.headers.get("content-type", "").encode()
    body = answer.body.replace(name.encode(), b"")
    return Sight(
        status=answer.status,
        location=answer.headers.get("location", ""),
        served_by=answer.headers.get("x-served-by", ""),
        digest=hashlib.blake2b(kind + b"\n" + body, digest_size=12).hexdigest(),
        leaf=fingerprint(stream.leaf) if isinstance(stream, Tls) else "",
    )
