"""A connection costs little, however slow its other side is."""

import asyncio
import time
from contextlib import closing, suppress

import pytest
import uvicorn
from starlette.responses import PlainTextResponse
from uvicorn.server import ServerState

from proxysync.web import visitor
from proxysync.web.visitor import Visitor

WHOLE = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"


@pytest.mark.parametrize(
    ("begin", "trickle"),
    [
        (b"", b"GET / HTTP/1.1\r\nX: "),
        (WHOLE, b"GET / HTTP/1.1\r\nX: "),
        (WHOLE.replace(b"\r\n\r\n", b"\r\nContent-Length: 999\r\n\r\n"), b"body"),
    ],
    ids=["first", "second", "rest of the first"],
)
def test_a_request_that_takes_its_time_ends_the_connection(
    begin: bytes, trickle: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(visitor, "NEXT_REQUEST", 0.5)
    config = uvicorn.Config(PlainTextResponse("well"), log_config=None, lifespan="off", ws="none")
    config.load()

    def connected() -> Visitor:
        return Visitor(config, ServerState(), {})

    async def story() -> bool:
        loop = asyncio.get_running_loop()
        async with await loop.create_server(connected, "127.0.0.1", 0) as server:
            reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
            with closing(writer), suppress(ConnectionError):
                writer.write(begin)
                if begin:
                    await reader.readuntil(b"well")
                writer.write(trickle)
                end = time.monotonic() + 20
                while not reader.at_eof():
                    if time.monotonic() > end:
                        return False
                    writer.write(b"x")
                    with suppress(TimeoutError):
                        await asyncio.wait_for(reader.read(1), 0.1)
        return True

    assert asyncio.run(story())
