"""A sweep of 3,000 upstreams beside blackbox_exporter: `python -m benchmarks.sweep`.

Both probe the same web servers of a process of its own, in turn. blackbox_exporter is asked over as
many connections as it takes at once; ours is called as `validate` calls it, and in the line `again`
as the daemon checks what it has checked before, where peers go on with their TLS sessions.
What both take of a core is told, too: the servers share the cores with whoever asks.
"""

import asyncio
import multiprocessing
import os
import shutil
import socket
import ssl
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path

import trustme

from proxysync.health.target import check_once
from proxysync.model import Upstream
from proxysync.probe.engine import CONCURRENCY, probe_many
from proxysync.probe.model import Probe
from proxysync.probe.resolver import Resolver
from proxysync.probe.sessions import Sessions

COUNT = 3_000
SERVERS = 100
ROUNDS = 3
AT_ONCE = 200
WANTED = 1.5
BLACKBOX = shutil.which("prometheus-blackbox-exporter") or shutil.which("blackbox_exporter")
MODULE = "modules: {web: {prober: http, http: {tls_config: {insecure_skip_verify: true}}}}\n"
PATIENCE = 120.0
"""Seconds for a probe: on a machine with other load, what waits behind 1,000 others takes long."""

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"


def serve(pipe: Connection, ca_file: str) -> None:
    """Web servers that answer everybody at once, without TLS and with."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError, OSError):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(ANSWER)
            await writer.drain()
        writer.close()

    async def main() -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        ca = trustme.CA()
        ca.cert_pem.write_to_path(ca_file)
        ca.issue_cert("127.0.0.1").configure_cert(context)
        for tls in (None, context):
            ports = []
            for _ in range(SERVERS):
                server = await asyncio.start_server(answer, "127.0.0.1", 0, backlog=1024, ssl=tls)
                ports.append(server.sockets[0].getsockname()[1])
            pipe.send(ports)
        await asyncio.sleep(3600)

    asyncio.run(main())


def probe_of(scheme: str, port: int) -> Probe:
    upstream = Upstream(scheme, "127.0.0.1", port)
    return Probe(upstream, tcp_timeout=PATIENCE, http_timeout=PATIENCE)


def ours(scheme: str, ports: Sequence[int]) -> float:
    """Seconds that our sweep takes."""
    probes = [probe_of(scheme, ports[i % len(ports)]) for i in range(COUNT)]
    begin = time.perf_counter()
    results = probe_many(probes)
    took = time.perf_counter() - begin
    failed = [result for result in results if not result.ok]
    if failed:
        raise SystemExit(f"{len(failed)} probes failed: {failed[0]}")
    return took


class Watch:
    """The daemon's checks of the same upstreams, with the sessions that it keeps."""

    def __init__(self) -> None:
        self._sessions = Sessions()

    def sweep(self, scheme: str, ports: Sequence[int]) -> float:
        """Seconds that it takes to check them all."""
        begin = time.perf_counter()
        asyncio.run(self._sweep(scheme, ports))
        return time.perf_counter() - begin

    async def _sweep(self, scheme: str, ports: Sequence[int]) -> None:
        names, places = Resolver(), asyncio.Semaphore(CONCURRENCY)

        async def one(port: int) -> None:
            async with places:
                seen = await check_once(probe_of(scheme, port), names, self._sessions)
            if not seen.check.ok:
                raise SystemExit(f"a check failed: {seen.check}")

        await asyncio.gather(*(one(ports[i % len(ports)]) for i in range(COUNT)))


def cores(pid: int | None = None) -> float:
    """Seconds of a core that a process has taken, this one's if none is named."""
    fields = Path(f"/proc/{pid or 'self'}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Blackbox:
    """blackbox_exporter as a process, listening on loopback."""

    def __init__(self, folder: Path) -> None:
        assert BLACKBOX is not None
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        config = folder / "blackbox.yml"
        config.write_text(MODULE)
        self.process = subprocess.Popen(
            [
                BLACKBOX,
                f"--config.file={config}",
                f"--web.listen-address=127.0.0.1:{self.port}",
                "--log.level=error",
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        until = time.monotonic() + 10
        while time.monotonic() < until:
            with suppress(OSError):
                socket.create_connection(("127.0.0.1", self.port)).close()
                return
            time.sleep(0.05)
        raise SystemExit("blackbox_exporter does not listen")

    def sweep(self, scheme: str, ports: Sequence[int]) -> float:
        """Seconds that it takes to probe them all."""
        targets = [f"{scheme}://127.0.0.1:{ports[i % len(ports)]}/" for i in range(COUNT)]
        return asyncio.run(self._sweep(iter(targets)))

    async def _sweep(self, targets: Iterator[str]) -> float:
        begin = time.perf_counter()
        await asyncio.gather(*(self._ask(targets) for _ in range(AT_ONCE)))
        return time.perf_counter() - begin

    async def _ask(self, targets: Iterator[str]) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        for target in targets:
            writer.write(
                f"GET /probe?module=web&target={target} HTTP/1.1\r\nHost: b\r\n\r\n".encode()
            )
            head = await reader.readuntil(b"\r\n\r\n")
            body = await self._body(reader, head)
            if b"probe_success 1" not in body:
                raise SystemExit(f"blackbox_exporter failed at {target}")
        writer.close()

    async def _body(self, reader: asyncio.StreamReader, head: bytes) -> bytes:
        lower = head.lower()
        if b"content-length: " in lower:
            return await reader.readexactly(
                int(lower.split(b"content-length: ")[1].split(b"\r")[0])
            )
        parts = []
        while size := int(await reader.readline(), 16):
            parts.append(await reader.readexactly(size))
            await reader.readline()
        await reader.readline()
        return b"".join(parts)


def main() -> int:
    ours_, its = multiprocessing.Pipe()
    context = multiprocessing.get_context("spawn")
    code = 0
    with tempfile.TemporaryDirectory() as name:
        ca_file = str(Path(name) / "ca.pem")
        server = context.Process(target=serve, args=(its, ca_file), daemon=True)
        server.start()
        served = {"http": ours_.recv(), "https": ours_.recv()}
        # Where a certificate is not trusted, proxysync says why, which takes a second handshake.
        os.environ["SSL_CERT_FILE"] = ca_file
        blackbox = Blackbox(Path(name)) if BLACKBOX else None
        if blackbox is None:
            print("skipped: the comparison, for prometheus-blackbox-exporter is not installed")
        try:
            for scheme, ports in served.items():
                code = compare(scheme, ports, ours, blackbox) or code
            watch, ports = Watch(), served["https"]
            watch.sweep("https", ports)  # from here on there are sessions
            code = compare("https", ports, watch.sweep, blackbox, again=True) or code
        finally:
            server.kill()
            if blackbox is not None:
                blackbox.process.kill()
                blackbox.process.wait()
    return code


def compare(
    scheme: str,
    ports: Sequence[int],
    sweep: Callable[[str, Sequence[int]], float],
    blackbox: Blackbox | None,
    *,
    again: bool = False,
) -> int:
    """Prints how many probes a second both make; 1 if ours are too few."""
    ratios, best, mine_cpu, its_cpu = [], 0.0, [], []
    for _ in range(ROUNDS):
        before = cores()
        mine = COUNT / sweep(scheme, ports)
        mine_cpu.append((cores() - before) / COUNT * 1000)
        best = max(best, mine)
        if blackbox is not None:
            before = cores(blackbox.process.pid)
            ratios.append(mine / (COUNT / blackbox.sweep(scheme, ports)))
            its_cpu.append((cores(blackbox.process.pid) - before) / COUNT * 1000)
    what = f"{scheme} again" if again else scheme
    print(
        f"{what:11} {COUNT} probes: {best:6.0f} a second, {min(mine_cpu):.2f} ms of a core", end=""
    )
    if not ratios:
        print()
        return 0
    ratio = statistics.median(ratios)
    print(
        f" each; {ratio:.2f} times blackbox_exporter's, which takes {min(its_cpu):.2f} ms; "
        f"at least {WANTED} are wanted"
    )
    return 0 if ratio >= WANTED else 1


if __name__ == "__main__":
    sys.exit(main())
