"""1,000 proxies at a 10 s interval: is every check on time, is there no burst, does memory grow?

Runs the real daemon beside the sandbox, with one web server in a process of its own that
notes when it is asked for whom. Usage: python benchmarks/health_load.py [PROXIES [SECONDS]]
"""

import asyncio
import json
import multiprocessing
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from signal import SIGTERM

from proxysync.health.schedule import phase
from proxysync.sandbox import Sandbox

INTERVAL = 10.0
Arrival = tuple[float, str]


def serve(pipe: Connection) -> None:
    """Answers everybody, and hands over (monotonic time, Host) of all requests when told to."""
    arrivals: list[Arrival] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            request = await reader.readuntil(b"\r\n\r\n")
            arrivals.append(
                (time.monotonic(), request.split(b"Host: ")[1].split(b"\r")[0].decode())
            )
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            return
        finally:
            writer.close()

    async def run() -> None:
        server = await asyncio.start_server(answer, "127.0.0.1", 0, backlog=4096)
        pipe.send(server.sockets[0].getsockname()[1])
        while not pipe.poll():
            await asyncio.sleep(0.2)
        pipe.send(arrivals)

    asyncio.run(run())


def rss(pid: int) -> float:
    """MiB."""
    status = Path(f"/proc/{pid}/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) / 1024


def lateness(host: str, when: float) -> float:
    """Seconds since the moment at which this proxy was due last."""
    return (when - phase(host.partition(".")[0]) * INTERVAL) % INTERVAL


def percentile(ordered: Sequence[float], percent: float) -> float:
    return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))]


def write_file(path: Path, port: int, proxies: int) -> None:
    lines = ["version: 1", f"settings: {{verify: off, health: {{interval: {INTERVAL:g}s}}}}"]
    lines.append("proxies:")
    lines += [
        f"  p{n}: {{domains: [p{n}.example.test], upstream: 'http://127.0.0.1:{port}'}}"
        for n in range(proxies)
    ]
    path.write_text("\n".join(lines) + "\n")


def wait_until_all_are_live(folder: Path, process: "subprocess.Popen[bytes]", proxies: int) -> None:
    log = folder / "state" / "events.jsonl"
    while process.poll() is None:
        text = log.read_text() if log.exists() else ""
        if text.count('"proxy.created"') >= proxies:
            return
        time.sleep(0.5)
    raise SystemExit(f"the daemon ended with {process.returncode}")


def report(arrivals: Sequence[Arrival], begin: float, end: float, proxies: int) -> None:
    inside = [(when, host) for when, host in arrivals if begin <= when < end]
    late = sorted(lateness(host, when) * 1000 for when, host in inside)
    per_host = Counter(host for _, host in inside)
    moments = sorted(when for when, _ in inside)
    first, most = 0, 0
    for last, when in enumerate(moments):
        while when - moments[first] > 0.1:
            first += 1
        most = max(most, last - first + 1)
    expected = int((end - begin) / INTERVAL)
    wrong = [host for host, count in per_host.items() if abs(count - expected) > 1]
    print(f"checks: {len(inside)} of {proxies} proxies in {end - begin:.0f} s")
    print(f"proxies checked: {len(per_host)}; not {expected} times each (±1): {len(wrong)}")
    print(
        f"lateness in ms: p50 {percentile(late, 50):.1f}, p99 {percentile(late, 99):.1f}, "
        f"max {late[-1]:.1f}"
    )
    print(f"most starts within any 100 ms: {most} (even spread: {proxies / INTERVAL / 10:.0f})")


def main(proxies: int = 1000, seconds: float = 60.0) -> None:
    ours, its = multiprocessing.Pipe()
    server = multiprocessing.get_context("spawn").Process(target=serve, args=(its,), daemon=True)
    server.start()
    port = ours.recv()
    with tempfile.TemporaryDirectory() as name, Sandbox() as npm:
        folder = Path(name)
        write_file(folder / "proxies.yaml", port, proxies)
        environment = {
            **os.environ,
            "PROXYSYNC_FILE": str(folder / "proxies.yaml"),
            "PROXYSYNC_STATE_DIR": str(folder / "state"),
            "PROXYSYNC_NPM_URL": npm.url,
            "PROXYSYNC_NPM_IDENTITY": "admin@example.com",
            "PROXYSYNC_NPM_SECRET": "changeme",
        }
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "proxysync", "run"], env=environment, stderr=log
            )
        try:
            started = time.monotonic()
            wait_until_all_are_live(folder, process, proxies)
            print(f"all live after {time.monotonic() - started:.0f} s")
            time.sleep(INTERVAL * 2)
            begin, before = time.monotonic(), rss(process.pid)
            time.sleep(seconds)
            end, after = time.monotonic(), rss(process.pid)
            ours.send("end")
            report(ours.recv(), begin, end, proxies)
            print(f"memory of the daemon: {before:.1f} MiB at the start, {after:.1f} at the end")
            ask_status(environment)
        finally:
            process.send_signal(SIGTERM)
            begin = time.monotonic()
            process.wait(30)
            print(f"ended {time.monotonic() - begin:.2f} s after SIGTERM")


def ask_status(environment: dict[str, str]) -> None:
    begin = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "proxysync", "status", "--format", "json"],
        env=environment,
        capture_output=True,
        check=True,
    )
    healths = Counter(proxy["health"] for proxy in json.loads(done.stdout)["proxies"])
    print(f"status: {dict(healths)} in {time.monotonic() - begin:.1f} s")


if __name__ == "__main__":
    main(*(int(word) for word in sys.argv[1:3]))
