"""One connection: what it may cost at most, however slow the other side is."""

import asyncio

from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle

MOST_UNSENT = 16 * 1024
"""Bytes that wait for a visitor who does not take them, before what makes more has to wait."""

NEXT_REQUEST = 30.0
"""Seconds that a request may take to come, after the connection was made or the last answer."""


class Visitor(H11Protocol):
    """As uvicorn has it, with bounds of ours."""

    _timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        transport.set_write_buffer_limits(high=MOST_UNSENT)
        self._await_request()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._forget_timer()

    def on_response_complete(self) -> None:
        """Called once an answer is sent; the next request may have come already."""
        self._await_request()
        super().on_response_complete()

    def _await_request(self) -> None:
        self._forget_timer()
        self._timer = self.loop.call_later(NEXT_REQUEST, self._require_request, self.cycle)

    def _require_request(self, last: RequestResponseCycle | None) -> None:
        """uvicorn's own bound is only on silence: it begins anew with each byte."""
        if self.cycle is last and not self.transport.is_closing():
            self.transport.abort()

    def _forget_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
