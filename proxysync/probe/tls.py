"""TLS to an upstream, as nginx does it: no verification, and no server name (SNI) sent."""

import contextlib
import functools
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from proxysync.probe.outcome import TLS_FAILED, PeerError
from proxysync.probe.resolver import parse_ip
from proxysync.probe.streams import CHUNK, Stream

Dial = Callable[[], Awaitable[Stream]]
T = TypeVar("T")

_RECORD_TYPES = range(0x14, 0x18)
_SHOWN_BYTES = 40
_SHOWN_NAMES = 3


class TlsRefusedError(PeerError):
    """The peer speaks TLS but broke off the handshake."""


class NotTlsError(PeerError):
    """The peer sent something else than TLS, or hung up without a word."""


class Tls:
    """TLS on top of another stream.

    asyncio's own TLS hides the peer's first bytes, and they tell a plain HTTP server from a
    TLS server that refuses.
    """

    def __init__(
        self,
        below: Stream,
        context: ssl.SSLContext,
        server_name: str | None,
        session: ssl.SSLSession | None = None,
    ) -> None:
        self._below = below
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._object = context.wrap_bio(
            self._incoming, self._outgoing, server_hostname=server_name, session=session
        )
        self._first = b""

    @property
    def certificate(self) -> dict[str, Any]:
        """The peer's certificate as the ssl module shows it; empty if it was not verified."""
        return dict(self._object.getpeercert() or {})

    @property
    def leaf(self) -> bytes:
        """The peer's certificate in DER, verified or not; empty before the handshake."""
        return self._object.getpeercert(binary_form=True) or b""

    @property
    def session(self) -> ssl.SSLSession | None:
        """What another connection can go on with; None where the peer gave nothing for that.

        Known once an answer was received, for it comes with that.
        """
        session = self._object.session
        by_id = self._object.version() != "TLSv1.3" and session is not None and session.id
        return session if session is not None and (session.has_ticket or by_id) else None

    @property
    def is_resumed(self) -> bool:
        """Whether the peer has gone on with the session that was given."""
        return bool(self._object.session_reused)

    async def handshake(self) -> None:
        """Its last words go out with what is sent first: one packet less for both sides.

        Raises ssl.SSLCertVerificationError, TlsRefusedError or NotTlsError.
        """
        try:
            await self._drive(self._object.do_handshake, at_once=False)
        except (ssl.SSLCertVerificationError, TimeoutError):
            raise
        except OSError as error:
            raise self._handshake_failure(error) from error

    async def send(self, data: bytes) -> None:
        await self._drive(lambda: self._object.write(data))

    async def receive(self) -> bytes:
        try:
            return await self._drive(lambda: self._object.read(CHUNK))
        except (ssl.SSLEOFError, ssl.SSLZeroReturnError):
            return b""
        except ssl.SSLError as error:
            raise PeerError(f"TLS broke off: {_words(error)}", TLS_FAILED) from error

    async def end_handshake(self) -> None:
        """Says the last words to a peer that is sent nothing."""
        await self._flush()

    async def _drive(self, operation: Callable[[], T], *, at_once: bool = True) -> T:
        """Runs one operation of the TLS engine, moving bytes until it has what it wants."""
        while True:
            try:
                done = operation()
            except ssl.SSLWantReadError:
                await self._flush()
            except ssl.SSLError:
                with contextlib.suppress(OSError):
                    await self._flush()  # the alert that tells the peer why
                raise
            else:
                if at_once:
                    await self._flush()
                return done
            data = await self._below.receive()
            self._first = self._first or data[:_SHOWN_BYTES]
            if data:
                self._incoming.write(data)
            else:
                self._incoming.write_eof()

    async def _flush(self) -> None:
        if self._outgoing.pending:
            await self._below.send(self._outgoing.read())

    def _handshake_failure(self, error: OSError) -> PeerError:
        if not self._first:
            return NotTlsError("hung up during the TLS handshake", TLS_FAILED)
        if self._first[0] not in _RECORD_TYPES:
            return NotTlsError(f"answers something else than TLS: {show(self._first)}", TLS_FAILED)
        return TlsRefusedError(f"the TLS handshake failed: {_words(error)}", TLS_FAILED)


@dataclass(frozen=True)
class Opened:
    """TLS to an upstream.

    `flaw` is why its certificate would not pass verification, if it would not; `needs_name`
    says that the handshake works only with the server's name (SNI) in it.
    """

    stream: Tls
    flaw: str | None = None
    needs_name: bool = False


async def open_tls(dial: Dial, host: str) -> Opened:
    """TLS to `host`; `dial` is asked for a new connection for each of up to two handshakes.

    Raises TlsRefusedError, NotTlsError, and what `dial` raises.
    """
    try:
        verified = Tls(await dial(), _verifying(), None)
        await verified.handshake()
    except ssl.SSLCertVerificationError as error:
        return Opened(await _unverified(dial, None), flaw=error.verify_message)
    except (TlsRefusedError, NotTlsError) as failure:
        return Opened(await _by_name(dial, host, failure), needs_name=True)
    return Opened(verified, flaw=_other_name(verified.certificate, host))


async def open_unverified(dial: Dial, host: str, session: ssl.SSLSession | None = None) -> Tls:
    """As `open_tls` where nobody wants to know of the certificate: one handshake does.

    Raises the same.
    """
    try:
        return await _unverified(dial, None, session)
    except (TlsRefusedError, NotTlsError) as failure:
        return await _by_name(dial, host, failure)


async def _by_name(dial: Dial, host: str, failure: PeerError) -> Tls:
    """A second try after a `failure`, with the name that was left out. Raises that failure."""
    if parse_ip(host):
        raise failure
    try:
        return await _unverified(dial, host.removesuffix("."))
    except (TlsRefusedError, NotTlsError):
        raise failure from None


async def open_named(dial: Dial, name: str) -> Tls:
    """TLS as a visitor of `name` opens it, by that name, but for the certificate: any will do."""
    return await _unverified(dial, name)


async def speaks_tls(dial: Dial) -> bool:
    """Whether the peer goes through a handshake, or breaks it off in TLS's own words."""
    try:
        await (await _unverified(dial, None)).end_handshake()
    except TlsRefusedError:
        return True
    except NotTlsError:
        return False
    return True


async def _unverified(
    dial: Dial, server_name: str | None, session: ssl.SSLSession | None = None
) -> Tls:
    stream = Tls(await dial(), _trusting(), server_name, session)
    await stream.handshake()
    return stream


@functools.cache
def _trusting() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    # Python's own list is shorter than nginx's: an old device that nginx can talk to must pass.
    context.set_ciphers("DEFAULT:@SECLEVEL=1")
    return context


@functools.cache
def _verifying() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    # The ssl module checks a name only where it sends one; see _other_name.
    context.check_hostname = False
    context.load_default_certs()
    context.set_ciphers("DEFAULT:@SECLEVEL=1")
    return context


def _other_name(certificate: dict[str, Any], host: str) -> str | None:
    """Says so if a certificate is not for `host`; None if it is."""
    issued = certificate.get("subjectAltName", ())
    names = [str(value).lower() for kind, value in issued if kind == "DNS"]
    ips = [str(value).strip() for kind, value in issued if kind == "IP Address"]
    wanted = host.removesuffix(".").lower()
    if address := parse_ip(host):
        matches = address in map(parse_ip, ips)
    else:
        matches = wanted in names or f"*.{wanted.partition('.')[2]}" in names
    others = ", ".join((names + ips)[:_SHOWN_NAMES]) or "no name"
    return None if matches else f"it is for {others}, not for {host}"


def show(data: bytes) -> str:
    """The first bytes of an answer, for a person: printable, and not many."""
    text = data[:_SHOWN_BYTES].decode("ascii", "replace").strip()
    return "“" + "".join(c if c.isprintable() else "·" for c in text) + "”"


def _words(error: OSError) -> str:
    """OpenSSL's reason in plain letters: `tlsv1 alert unrecognized name`, say."""
    reason = getattr(error, "reason", None)
    return str(reason).replace("_", " ").lower() if reason else error.strerror or str(error)
