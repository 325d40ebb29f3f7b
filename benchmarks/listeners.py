"""Measures what listeners cost the daemon: `python -m benchmarks.listeners`.

500 listeners follow the live events of a daemon while 1,000 events are raised by another process,
beside 20 health checks a second. Exits with 1 if a listener misses an event or gets one twice or
out of order, if checks come later than they do without listeners, or if memory goes on growing.
"""

import asyncio
import json
import sys
import tempfile
import threading
import time
from collections import defaultdict
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from pathlib import Path
from typing import ClassVar
from urllib.parse import urlsplit

from proxysync.app.state_folder import opened
from proxysync.model.event import NewEvent
from proxysync.sandbox import Sandbox
from proxysync.web.listener import allow_many
from tests.world import Npm, World, eventually

LISTENING = "daemon.listening"
LISTENERS, EVENTS, ENTRIES, ROUNDS = 500, 1000, 20, 3
ALLOWED_DELAY = 1.0
"""Seconds that a check may come later than without listeners."""

ALLOWED_GROWTH = 4 * 1024
"""KiB that the daemon may be larger after the last round than after the first: Python keeps some
of what it once had, and needs no more for the same again."""


@dataclass
class Heard:
    """What one listener got."""

    ids: list[int] = field(default_factory=list)
    names: set[str] = field(default_factory=set)


class Upstream(BaseHTTPRequestHandler):
    """Says yes, and notes when each site was asked for."""

    asked: ClassVar[dict[str, list[float]]] = defaultdict(list)

    def do_GET(self) -> None:
        self.asked[self.headers["Host"]].append(time.monotonic())
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Quiet."""


async def listen(url: str, heard: Heard, connected: asyncio.Semaphore, until: int) -> None:
    address = urlsplit(url)
    reader, writer = await asyncio.open_connection(address.hostname, address.port, limit=2**20)
    writer.write(f"GET /api/events/stream HTTP/1.1\r\nHost: {address.netloc}\r\n\r\n".encode())
    while not (await reader.readline()).startswith(b"id: "):
        pass
    connected.release()
    while len(heard.names) < until:
        line = await reader.readline()
        if not line:
            break
        if line.startswith(b"data: "):
            event = json.loads(line[6:])
            heard.ids.append(event["id"])
            if event["message"].startswith("bench "):
                heard.names.add(event["message"])
    writer.close()


async def all_of_them(url: str, world: World) -> tuple[list[Heard], float]:
    """What each got, and the seconds from the first event raised to the last one heard."""
    heard = [Heard() for _ in range(LISTENERS)]
    connected = asyncio.Semaphore(0)
    tasks = [asyncio.create_task(listen(url, one, connected, EVENTS)) for one in heard]
    for _ in tasks:
        await connected.acquire()
    begin = time.monotonic()
    await asyncio.to_thread(raise_events, world)
    async with asyncio.timeout(120):
        await asyncio.gather(*tasks)
    return heard, time.monotonic() - begin


def raise_events(world: World) -> None:
    with opened(world.state) as folder:
        for number in range(EVENTS):
            folder.events.emit(NewEvent("daemon.waiting", f"bench {number}"))


def memory(pid: int) -> int:
    """What the process holds, in KiB."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS"))


def longest_pause(begin: float, end: float) -> float:
    """Seconds that the entry waited longest between two checks, which are a second apart."""
    pauses = [0.0]
    for times in Upstream.asked.values():
        inside = [begin, *(at for at in times if begin <= at <= end), end]
        pauses += [later - earlier for earlier, later in pairwise(inside)]
    return max(pauses)


def measure(world: World) -> bool:
    with world.daemon(PROXYSYNC_LISTEN="127.0.0.1:0") as process:
        address = eventually(
            lambda: [e["data"]["address"] for e in world.events() if e["event"] == LISTENING]
        )[0]
        eventually(lambda: len(Upstream.asked) == ENTRIES)
        start = time.monotonic()
        time.sleep(5)
        usual = longest_pause(start, time.monotonic())
        print(f"without: longest pause between two checks {usual:.2f} s, {memory(process.pid)} KiB")
        rounds = [one_round(address, world, process.pid) for _ in range(ROUNDS)]
    grown = rounds[-1].after - rounds[0].after
    print(f"memory kept from the first round to the last: {grown} KiB")
    in_time = all(one.pause - usual < ALLOWED_DELAY for one in rounds)
    return all(one.whole for one in rounds) and in_time and grown < ALLOWED_GROWTH


@dataclass
class Round:
    """Whether each got all, the longest pause between two checks, and the KiB kept afterwards."""

    whole: bool
    pause: float
    after: int


def one_round(address: str, world: World, pid: int) -> Round:
    begin = time.monotonic()
    heard, took = asyncio.run(all_of_them(address, world))
    pause, during = longest_pause(begin, time.monotonic()), memory(pid)
    time.sleep(5)
    whole = all(one.ids == sorted(set(one.ids)) and len(one.names) == EVENTS for one in heard)
    print(
        f"{LISTENERS} listeners, {EVENTS} events: {'all' if whole else 'NOT all'} ids in order for "
        f"each, {took:.2f} s from the first raised to the last heard, longest pause between two "
        f"checks {pause:.2f} s, {during} KiB, afterwards {memory(pid)} KiB"
    )
    return Round(whole, pause, memory(pid))


def main() -> int:
    allow_many()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Upstream)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    upstream = f"http://127.0.0.1:{server.server_address[1]}"
    with Sandbox() as sandbox, tempfile.TemporaryDirectory() as folder:
        npm = Npm(sandbox.url, sandbox.sites_url, "admin@example.com", "changeme", sandbox)
        world = World(Path(folder), npm)
        names = [f"bench-{number}" for number in range(ENTRIES)]
        settings = {"health": {"interval": "1s"}}
        world.write({name: {"upstream": upstream} for name in names}, settings=settings)
        return 0 if measure(world) else 1


if __name__ == "__main__":
    sys.exit(main())
