"""One connection: what it may cost at most, however slow the other side is."""

import asyncio

from uvicorn.protocols.http.h11_impl import H11Protocol

MOST_UNSENT = 16 * 1024
"""Bytes that wait for a visitor who does not take them, before what makes more has to wait."""

FIRST_WORD = 30.0
"""Seconds that the first request may take to come."""


class Visitor(H11Protocol):
    """As uvicorn has it, with bounds of ours."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        transport.set_write_buffer_limits(high=MOST_UNSENT)
        self.loop.call_later(FIRST_WORD, self._require_request)

    def _require_request(self) -> None:
        has_said_nothing: bool = self.cycle is None
        if has_said_nothing and not self.transport.is_closing():
            self.transport.abort()
