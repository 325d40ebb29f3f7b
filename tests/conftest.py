"""Fixtures for tests of the whole program."""

import gc
import json
import os
import signal
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from proxysync.apply import site_check
from proxysync.demo.services import DemoService
from proxysync.sandbox import Sandbox
from proxysync.store.database import Database, open_for_writing
from proxysync.store.events import EventLog
from proxysync.store.health import HealthStore
from tests.servers import NameServer
from tests.world import IMPATIENT, Npm, World

REAL_NPM = "PROXYSYNC_TEST_NPM_URL"


@pytest.hookimpl(tryfirst=True)
def pytest_collection() -> None:
    gc.disable()


def pytest_collection_finish() -> None:
    """All tests and modules stay to the end: to look through them again and again is in vain."""
    gc.freeze()
    gc.enable()


@pytest.fixture(autouse=True, scope="session")
def interruptible() -> None:
    """A shell that starts the tests in the background has them, and their processes, ignore it."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox() as npm:
        yield npm


@pytest.fixture(params=["sandbox", pytest.param("real", marks=pytest.mark.live)])
def npm(request: pytest.FixtureRequest) -> Iterator[Npm]:
    """The sandbox, and (marked `live`) the real NPM that the environment names."""
    if request.param == "sandbox":
        sandbox: Sandbox = request.getfixturevalue("sandbox")
        yield in_sandbox(sandbox)
        return
    real = real_npm()
    real.clean()
    yield real
    real.clean()


@pytest.fixture
def world(tmp_path: Path, npm: Npm) -> World:
    """proxysync beside the sandbox and beside a real NPM."""
    return World(tmp_path, npm)


@pytest.fixture
def small_world(tmp_path: Path, sandbox: Sandbox) -> World:
    """proxysync beside the sandbox only."""
    return World(tmp_path, in_sandbox(sandbox))


@pytest.fixture
def impatient(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """In this process, as `IMPATIENT` in others; beside a real NPM nothing changes."""
    if request.node.get_closest_marker("live") is None:
        for name in ("RELOADED", "GIVE_UP_AFTER", "SERVED_WITHIN"):
            monkeypatch.setattr(site_check, name, getattr(site_check, name))
        exec(IMPATIENT)


def real_npm() -> Npm:
    """The NPM that the environment names; without one the test is skipped."""
    url = os.environ.get(REAL_NPM)
    if not url:
        pytest.skip(f"{REAL_NPM} names no real NPM")
    sites = os.environ.get("PROXYSYNC_TEST_SITES_URL", f"http://{urlsplit(url).hostname}:80")
    return Npm(
        url.removesuffix("/"),
        sites,
        os.environ.get("PROXYSYNC_TEST_NPM_IDENTITY", "admin@example.com"),
        os.environ.get("PROXYSYNC_TEST_NPM_SECRET", "changeme"),
    )


def in_sandbox(sandbox: Sandbox) -> Npm:
    """The sandbox as its users see it."""
    return Npm(sandbox.url, sandbox.sites_url, "admin@example.com", "changeme", sandbox)


@pytest.fixture
def services() -> Iterator[list[DemoService]]:
    """Three web services that say `one`, `two` and `three`."""
    toys = [DemoService(name).start() for name in ("one", "two", "three")]
    yield toys
    for toy in toys:
        toy.stop()


@pytest.fixture
def name_server() -> Iterator[NameServer]:
    server = NameServer()
    yield server
    server.close()


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    opened, _ = open_for_writing(tmp_path / "state.db")
    yield opened
    opened.close()


@pytest.fixture
def store(database: Database) -> HealthStore:
    return HealthStore(database)


@pytest.fixture
def events(database: Database, tmp_path: Path) -> EventLog:
    return EventLog(database, tmp_path / "events.jsonl")


class _Echo(BaseHTTPRequestHandler):
    def _echo(self) -> None:
        sent = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        headers = {name.lower(): value for name, value in self.headers.items()}
        seen = {"method": self.command, "path": self.path, "headers": headers}
        body = json.dumps({**seen, "body": sent.decode()}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = _echo  # noqa: N815

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        pass


@pytest.fixture(scope="session")
def upstream() -> Iterator[int]:
    """The port of an upstream that answers with what it was asked."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Echo)
    thread = threading.Thread(target=server.serve_forever, args=(0.005,))
    thread.start()
    yield int(server.server_address[1])
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def ports() -> list[int]:
    """Ports that are free."""
    holders = [socket.create_server(("127.0.0.1", 0)) for _ in range(3)]
    numbers = [one.getsockname()[1] for one in holders]
    for one in holders:
        one.close()
    return numbers


@pytest.fixture
def closed_port() -> int:
    """A port on which nobody listens."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Echo)
    port = int(server.server_address[1])
    server.server_close()
    return port
