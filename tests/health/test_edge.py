"""What the edge watch says of hosts that forward nothing, whose answers may be anybody's."""

import asyncio
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, cast

import pytest

from proxysync.health.edge import EdgeWatch
from proxysync.health.target import Site, SiteTarget
from proxysync.health.writer import Writer
from proxysync.model.health import EdgeStatus
from proxysync.probe.edge import Edge
from proxysync.probe.resolver import Resolver
from tests.keys import key
from tests.servers import read_request, serving

NAME = "old.example.com"
NOT_FOUND, REDIRECTIONS = frozenset({404}), frozenset({301, 302})
PAGE = "200 OK"
GONE = "404 Not Found"
MOVED = "301 Moved\r\nLocation: https://x.example.com/"
"""What nginx answers: to the name, to unknown ones, and to those that a wildcard covers."""


class Heard:
    """Stands for the writer: carries out at once what is put, and keeps what it says."""

    def __init__(self) -> None:
        self.status: EdgeStatus | None = None

    def put(self, job: Callable[[Any], object]) -> None:
        job(self)

    def edge(self, found: Mapping[Any, tuple[EdgeStatus, str | None]], _: object) -> None:
        ((self.status, _detail),) = found.values()

    def keep_edges(self, *_: object) -> None:
        pass

    edge_unseen = edge_proven = keep_edges


@contextmanager
def nginx(site: str, unknown: str, below: str) -> Iterator[int]:
    def answer(connection: socket.socket) -> None:
        request = read_request(connection).lower()
        found = unknown if b".proxysync.invalid" in request else below
        found = site if NAME.encode() in request else found
        connection.sendall(f"HTTP/1.1 {found}\r\nContent-Length: 0\r\n\r\n".encode())

    with serving(answer) as server:
        yield server.port


@pytest.mark.parametrize(
    ("own", "site", "unknown", "below", "status"),
    [
        (NOT_FOUND, GONE, PAGE, PAGE, "served"),
        (NOT_FOUND, PAGE, PAGE, PAGE, "not_served"),
        (NOT_FOUND, GONE, GONE, GONE, "unknown"),
        (NOT_FOUND, GONE, PAGE, GONE, "unknown"),
        (NOT_FOUND, MOVED, PAGE, MOVED, "not_served"),
        (REDIRECTIONS, MOVED, PAGE, PAGE, "served"),
        (REDIRECTIONS, PAGE, PAGE, PAGE, "not_served"),
        (REDIRECTIONS, MOVED, MOVED, MOVED, "unknown"),
        (REDIRECTIONS, MOVED, PAGE, MOVED, "unknown"),
        (REDIRECTIONS, GONE, PAGE, GONE, "not_served"),
    ],
)
def test_what_others_answer_just_so_proves_nothing(
    own: frozenset[int], site: str, unknown: str, below: str, status: str
) -> None:
    heard = Heard()
    with nginx(site, unknown, below) as port:
        edge = Edge("127.0.0.1", port, None)
        shadowed = frozenset({NAME}) if below != unknown else frozenset[str]()
        asked = Site(edge, (NAME,), None, is_plain=False, shadowed=shadowed, own=own)
        target = SiteTarget(key("old"), 1.0, asked)

        async def look() -> None:
            watch = EdgeWatch(
                cast(Writer, heard),
                Resolver(2),
                proven=[str(edge)],
                on_edge=lambda _: None,
                changing=threading.Event(),
            )
            watch.watch({target.key: target})
            await watch.look(target, healthy=True)

        asyncio.run(look())
    assert heard.status == status
