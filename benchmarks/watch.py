"""What a daemon takes that watches 1,000 entries and is idle: `python -m benchmarks.watch`.

All upstreams answer, and each is checked every five minutes, as is usual.
"""

import os
import subprocess
import sys
import tempfile
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from benchmarks.edit import until
from benchmarks.lab import PYTHON, file_of, sandbox

ENTRIES = 1_000
SETTLES = 75
"""Seconds after the start: what has no status yet is checked within the first minute."""

SECONDS = 60
MIB, SHARE = 80.0, 0.5
"""What is allowed: memory, and percent of a core."""


class Answers(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Says nothing."""


def main() -> int:
    server = ThreadingHTTPServer(("0.0.0.0", 0), Answers)  # noqa: S104 - for all of 127/8
    threading.Thread(target=server.serve_forever, daemon=True).start()
    port = server.server_address[1]
    with tempfile.TemporaryDirectory() as name, sandbox(ENTRIES, port) as npm:
        folder = Path(name)
        (folder / "proxies.yaml").write_text(file_of(ENTRIES, port=port))
        environ = npm.environ(folder)
        with (folder / "log").open("wb") as log:
            daemon = subprocess.Popen([PYTHON, "-m", "proxysync", "run"], env=environ, stderr=log)
        try:
            took = until(lambda: "in sync" in (folder / "log").read_text())
            print(f"{ENTRIES} entries are kept, {took:.1f} s after the start")
            time.sleep(SETTLES)
            before = cpu(daemon.pid)
            time.sleep(SECONDS)
            share = (cpu(daemon.pid) - before) / SECONDS * 100
            memory = rss(daemon.pid)
        finally:
            daemon.terminate()
            daemon.wait(30)
    server.shutdown()
    print(f"memory {memory:.1f} MiB ({MIB:.0f} are allowed), CPU {share:.2f} % of a core ({SHARE})")
    return 0 if memory <= MIB and share <= SHARE else 1


def cpu(pid: int) -> float:
    """Seconds of a core so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def rss(pid: int) -> float:
    """MiB."""
    status = Path(f"/proc/{pid}/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) / 1024


if __name__ == "__main__":
    sys.exit(main())
