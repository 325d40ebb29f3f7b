"""TCP connections to one upstream, non-blocking, on the running event loop."""

import asyncio
import socket
from collections.abc import Sequence
from typing import Protocol

from proxysync.probe.outcome import StepError, explain_connect_error, most_telling
from proxysync.probe.resolver import Address

CHUNK = 16 * 1024


class Stream(Protocol):
    """What a request is sent over; `receive` gives b"" at the end."""

    async def send(self, data: bytes) -> None: ...

    async def receive(self) -> bytes: ...


class Plain:
    """A connected socket as a stream."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._loop = asyncio.get_running_loop()

    async def send(self, data: bytes) -> None:
        await self._loop.sock_sendall(self._sock, data)

    async def receive(self) -> bytes:
        return await self._loop.sock_recv(self._sock, CHUNK)


class Dialler:
    """Opens connections to one upstream, one at a time: a new one closes the one before.

    The first address that accepts is kept for all later connections.
    """

    def __init__(self, addresses: Sequence[Address], port: int) -> None:
        self._addresses = addresses
        self._port = port
        self._sock: socket.socket | None = None
        self._unused = False

    @property
    def peer(self) -> str:
        """The address that answered (`127.0.0.1:80`), or the first one to try."""
        return f"{self._addresses[0]}:{self._port}"

    async def connect(self, deadline: float) -> None:
        """Connects by `deadline` (the loop's time); `dial` then hands this connection out.

        Each address gets an equal share of what is left of the time, so that one that hangs
        does not keep the next from being tried. Raises StepError with every address's error.
        """
        errors: list[str] = []
        hints: list[str] = []
        for index, address in enumerate(self._addresses):
            now = asyncio.get_running_loop().time()
            try:
                await self._connect(
                    address, now + (deadline - now) / (len(self._addresses) - index)
                )
            except OSError as error:
                what, hint = explain_connect_error(error)
                errors.append(f"{address}:{self._port}: {what}")
                hints.append(hint)
            else:
                self._addresses = (address,)
                return
        raise StepError("; ".join(errors), most_telling(hints))

    async def dial(self, deadline: float) -> Plain:
        """A connection on which nothing has been sent yet."""
        if not self._unused:
            await self.connect(deadline)
        self._unused = False
        assert self._sock is not None
        return Plain(self._sock)

    def close(self) -> None:
        if self._sock is not None:
            self._sock.close()
            self._sock = None

    async def _connect(self, address: Address, deadline: float) -> None:
        self.close()
        self._sock = socket.socket(address.family, socket.SOCK_STREAM)
        self._sock.settimeout(0)
        async with asyncio.timeout_at(deadline):
            loop = asyncio.get_running_loop()
            await loop.sock_connect(self._sock, address.with_port(self._port))
        self._unused = True
