"""Server-sent events: messages of a stream, and the answer that is such a stream."""

import json
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import Any

from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
"""The second keeps an nginx in between from collecting events before it hands them on."""


def message(
    data: Mapping[str, Any], *, kind: str | None = None, number: int | None = None
) -> bytes:
    """One message of a stream; JSON has no line ends of its own."""
    lines = [f"id: {number}"] if number is not None else []
    lines += [f"event: {kind}"] if kind else []
    lines.append(f"data: {json.dumps(data, ensure_ascii=False, separators=(',', ':'))}")
    return "\n".join([*lines, "", ""]).encode(errors="replace")


class EventStream(StreamingResponse):
    """What is sent is closed in the moment that the connection ends, and not some time later."""

    media_type = "text/event-stream"

    def __init__(self, sent: AsyncGenerator[bytes]) -> None:
        super().__init__(sent, headers=HEADERS)
        self._sent = sent

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async with aclosing(self._sent):
            await super().__call__(scope, receive, send)
