"""The http step: TLS where it is wanted, one request, and the verdict on the answer."""

import asyncio
from collections.abc import Awaitable

from proxysync.probe.answer import NoAnswerError, WantsTlsError, ask, request
from proxysync.probe.model import Probe
from proxysync.probe.outcome import (
    BAD_STATUS,
    NEEDS_SNI,
    TIMED_OUT,
    USE_HTTP,
    USE_HTTPS,
    Good,
    PeerError,
    StepError,
    explain_connect_error,
)
from proxysync.probe.sessions import Kept, Sessions
from proxysync.probe.streams import Dialler, Plain
from proxysync.probe.tls import NotTlsError, open_tls, open_unverified, speaks_tls

SECOND_LOOK_TIMEOUT = 2.0
_DEFAULT_PORTS = {"http": 80, "https": 443}


class Exchange:
    """One request to an upstream over `dialler`, to be over by `deadline` (the loop's time).

    Redirects are not followed: a 3xx is an answer. TLS is not verified, for nginx does not
    verify either, but the detail says if the certificate would have failed. As nginx does, the
    handshake leaves out the server's name (SNI); an upstream that insists on it is a warning.

    With `sessions`, as nginx does, too, it goes on with the TLS session of the last time, and
    nothing is said of the certificate or the name. No verdict but a good one comes of such a
    session: anything else is asked once more, with a full handshake.
    """

    def __init__(
        self, probe: Probe, dialler: Dialler, deadline: float, sessions: Sessions | None = None
    ) -> None:
        self._probe = probe
        self._dialler = dialler
        self._deadline = deadline
        self._sessions = sessions
        self._missing = "give a full answer"

    async def run(self) -> Good:
        """Raises StepError."""
        try:
            return await self._judged()
        except PeerError as failure:
            raise StepError(f"{self._where()} {failure.detail}", failure.hint) from failure
        except TimeoutError as error:
            timeout = f"{self._probe.http_timeout:g} s"
            detail = f"{self._where()} did not {self._missing} within {timeout}"
            raise StepError(detail, TIMED_OUT) from error
        except OSError as error:
            what, hint = explain_connect_error(error)
            raise StepError(f"{self._dialler.peer}: {what}", hint) from error

    async def _judged(self) -> Good:
        try:
            async with asyncio.timeout_at(self._deadline):
                return await self._asked()
        except NotTlsError as failure:
            if not await self._second_look(self._speaks_http()):
                raise
            detail = f"answers plain HTTP, not TLS; use http://{self._authority()}"
            raise PeerError(detail, USE_HTTP) from failure
        except NoAnswerError as failure:
            if not await self._second_look(speaks_tls(self._dial)):
                raise
            raise self._wants_tls() from failure
        except WantsTlsError as failure:
            raise self._wants_tls() from failure

    async def _asked(self) -> Good:
        """Asks for the path and judges the answer."""
        if self._probe.upstream.scheme == "http":
            return self._verdict(await ask(await self._dial(), self._request()))
        if self._sessions is not None:
            return await self._asked_again(self._sessions)
        self._missing = "finish the TLS handshake"
        tls = await open_tls(self._dial, self._probe.upstream.host)
        self._missing = "give a full answer"
        good = self._verdict(await ask(tls.stream, self._request(), in_clear=False))
        if tls.needs_name:
            insists = f"{good.detail}, but only if the TLS handshake names the server (SNI)"
            return Good(f"{insists}, which nginx leaves out", NEEDS_SNI)
        if tls.flaw:
            return Good(f"{good.detail}; nginx does not check its certificate, but: {tls.flaw}")
        return good

    async def _asked_again(self, sessions: Sessions) -> Good:
        """The same where the certificate is of no interest, and the peer was asked before."""
        found = sessions.find(self._dialler.peer)
        if found is not None and found.session is not None:
            try:
                return await self._asked_over(sessions, found)
            except (StepError, WantsTlsError, OSError, asyncio.CancelledError) as failure:
                sessions.drop(self._dialler.peer)
                found = None
                if isinstance(failure, asyncio.CancelledError):
                    raise  # the time is over
        return await self._asked_over(sessions, found)

    async def _asked_over(self, sessions: Sessions, found: Kept | None) -> Good:
        self._missing = "finish the TLS handshake"
        session = found.session if found is not None else None
        tls = await open_unverified(self._dial, self._probe.upstream.host, session)
        self._missing = "give a full answer"
        good = self._verdict(await ask(tls, self._request(), in_clear=False))
        sessions.learn(self._dialler.peer, found, tls)
        return good

    def _verdict(self, status: int) -> Good:
        expect = self._probe.expect or (lambda code: code < 500)
        answered = f"{self._where()} answered HTTP {status}"
        if expect(status):
            return Good(answered)
        wanted = self._probe.expect_text or ("less than 500" if not self._probe.expect else "other")
        raise StepError(f"{answered}, expected {wanted}", BAD_STATUS.format(status=status))

    async def _second_look(self, question: Awaitable[bool]) -> bool:
        """Asks a failed peer whether it speaks the other protocol; no answer is a no."""
        now = asyncio.get_running_loop().time()
        try:
            async with asyncio.timeout_at(min(self._deadline, now + SECOND_LOOK_TIMEOUT)):
                return await question
        except (OSError, StepError, WantsTlsError):
            return False

    async def _speaks_http(self) -> bool:
        await ask(await self._dial(), self._request())
        return True

    async def _dial(self) -> Plain:
        return await self._dialler.dial(self._deadline)

    def _wants_tls(self) -> PeerError:
        return PeerError(f"answers TLS, not plain HTTP; use https://{self._authority()}", USE_HTTPS)

    def _request(self) -> bytes:
        return request(self._probe.path, self._probe.host_header or self._authority(short=True))

    def _authority(self, *, short: bool = False) -> str:
        """`host:port`; the short form leaves out the scheme's default port."""
        upstream = self._probe.upstream
        if short and upstream.port == _DEFAULT_PORTS[upstream.scheme]:
            return upstream.host
        return f"{upstream.host}:{upstream.port}"

    def _where(self) -> str:
        """The URL for a person, without the query: that may hold a token."""
        path = self._probe.path.partition("?")[0].lstrip("/")
        return f"{self._probe.upstream.scheme}://{self._authority()}/{path}"
