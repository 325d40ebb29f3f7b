"""Measures the API under load: `python -m benchmarks.api`.

A daemon with 1,000 entries answers `/api/proxies`, to one client that asks again and again, and to
eight at once; in turn with a bare Starlette that sends the same bytes, in the same minute. Exits
with 1 if half of the answers to the one client take longer than they may.
"""

import http.client
import json
import multiprocessing
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from urllib.parse import urlsplit

from benchmarks.edit import until
from benchmarks.lab import PYTHON, file_of, machine, sandbox

ENTRIES, ASKED, ROUNDS = 1_000, 200, 3
CLIENTS = (1, 8)
LIMIT_MS = 50.0
PATH = "/api/proxies"


@dataclass(frozen=True)
class Load:
    """What clients saw: answers a second, and milliseconds for half and for 95 % of them."""

    rate: float
    p50: float
    p95: float

    def __str__(self) -> str:
        return f"{self.rate:8.0f}  {self.p50:7.1f}  {self.p95:7.1f}"


def main() -> int:
    print(f"On {machine()}")
    with tempfile.TemporaryDirectory() as name, sandbox(ENTRIES) as npm:
        folder = Path(name)
        (folder / "proxies.yaml").write_text(file_of(ENTRIES, settings="verify: off"))
        environ = {**npm.environ(folder), "PROXYSYNC_LISTEN": "127.0.0.1:0"}
        with (folder / "log").open("wb") as log:
            daemon = subprocess.Popen([PYTHON, "-m", "proxysync", "run"], env=environ, stderr=log)
        try:
            events = folder / "state" / "events.jsonl"
            until(lambda: bool(listening(events)))
            address = listening(events)
            until(lambda: is_in_sync(ask(connection(address))))
            content = ask(connection(address))
            size = len(content) / 1e6
            print(f"{ENTRIES} entries in sync, {size:.2f} MB an answer; best of {ROUNDS} rounds")
            with bare(content) as other:
                return measure(address, other)
        finally:
            daemon.terminate()
            daemon.wait(30)


def measure(ours: str, other: str) -> int:
    """Prints how both do; the exit code."""
    print("clients  server        a second  p50 (ms)  p95 (ms)")
    half = 0.0
    for clients in CLIENTS:
        rounds = [(load(ours, clients), load(other, clients)) for _ in range(ROUNDS)]
        best = [min(found, key=lambda one: one.p50) for found in zip(*rounds, strict=True)]
        for server, found in zip(("proxysync", "bare"), best, strict=True):
            print(f"{clients:7}  {server:12}  {found}")
        print(f"{clients:7}  {'ratio':12}  {best[0].p50 / best[1].p50:.1f} times for half of them")
        half = half or best[0].p50
    print(f"Half of the answers come within {half:.1f} ms; {LIMIT_MS:.0f} ms are allowed.")
    return 0 if half <= LIMIT_MS else 1


def load(address: str, clients: int) -> Load:
    """What so many clients see that ask one after the other, all at once."""
    took: list[float] = []

    def client() -> None:
        open_ = connection(address)
        for _ in range(ASKED // clients):
            begin = time.perf_counter()
            ask(open_)
            took.append((time.perf_counter() - begin) * 1000)

    threads = [threading.Thread(target=client) for _ in range(clients)]
    begin = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seconds = time.perf_counter() - begin
    return Load(len(took) / seconds, statistics.median(took), statistics.quantiles(took, n=20)[-1])


def connection(address: str) -> http.client.HTTPConnection:
    return http.client.HTTPConnection(urlsplit(address).netloc, timeout=60)


def ask(open_: http.client.HTTPConnection) -> bytes:
    open_.request("GET", PATH)
    answer = open_.getresponse()
    content = answer.read()
    if answer.status != 200:
        raise SystemExit(f"{PATH}: HTTP {answer.status}")
    return content


def listening(events: Path) -> str:
    """The address that the daemon has told; empty until then."""
    lines = events.read_text().splitlines(keepends=True) if events.exists() else []
    told = (json.loads(line) for line in lines if line.endswith("\n"))
    return next((str(e["data"]["address"]) for e in told if e["event"] == "daemon.listening"), "")


def is_in_sync(content: bytes) -> bool:
    entries = json.loads(content)["proxies"]
    return len(entries) == ENTRIES and all(entry["sync"] == "in sync" for entry in entries)


@contextmanager
def bare(content: bytes) -> Iterator[str]:
    """Starlette and uvicorn in a process of their own, which send these bytes."""
    ours, its = multiprocessing.Pipe()
    context = multiprocessing.get_context("spawn")
    server = context.Process(target=_serve, args=(its, content), daemon=True)
    server.start()
    try:
        yield ours.recv()
    finally:
        server.kill()


def _serve(pipe: Connection, content: bytes) -> None:
    import uvicorn  # noqa: PLC0415 - an extra
    from starlette.applications import Starlette  # noqa: PLC0415
    from starlette.requests import Request  # noqa: PLC0415
    from starlette.responses import Response  # noqa: PLC0415
    from starlette.routing import Route  # noqa: PLC0415

    def answer(_: Request) -> Response:
        return Response(content, media_type="application/json")

    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(Starlette(routes=[Route(PATH, answer)]), log_level="critical")
    pipe.send(f"http://127.0.0.1:{listener.getsockname()[1]}")
    uvicorn.Server(config).run([listener])


if __name__ == "__main__":
    sys.exit(main())
