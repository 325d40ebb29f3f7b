"""A sandbox, a client of its API, and an upstream that says what reached it."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
import requests

from proxysync.sandbox import Sandbox

ADMIN = {"identity": "admin@example.com", "secret": "changeme"}
HOSTS = "/nginx/proxy-hosts"
LISTS = "/nginx/access-lists"


class Api:
    """Plain HTTP to one sandbox, and what its visitors see."""

    def __init__(self, npm: Sandbox, **login: str) -> None:
        self.npm = npm
        self.session = requests.Session()
        self.session.trust_env = False
        answer = self.call("POST", "/tokens", login or ADMIN).json()
        self.session.headers["Authorization"] = f"Bearer {answer['token']}"

    def call(self, method: str, path: str, body: Any = None, **more: Any) -> requests.Response:
        return self.session.request(
            method, f"{self.npm.url}/api{path}", json=body, timeout=10, **more
        )

    def host(self, *names: str, **fields: Any) -> dict[str, Any]:
        """Creates a proxy host, and reads it as NPM shows it afterwards."""
        answer = self.call("POST", HOSTS, {**upstream_to(9), "domain_names": list(names), **fields})
        assert answer.status_code == 201, answer.text
        return self.read(answer.json()["id"])

    def read(self, host_id: int) -> dict[str, Any]:
        row: dict[str, Any] = self.call("GET", f"{HOSTS}/{host_id}").json()
        return row

    def put(self, host_id: int, **fields: Any) -> dict[str, Any]:
        answer = self.call("PUT", f"{HOSTS}/{host_id}", fields)
        assert answer.status_code == 200, answer.text
        row: dict[str, Any] = answer.json()
        return row

    def visit(self, name: str, path: str = "/", **more: Any) -> requests.Response:
        headers = {"Host": name, **more.pop("headers", {})}
        method = more.pop("method", "GET")
        return requests.request(
            method,
            self.npm.sites_url + path,
            headers=headers,
            allow_redirects=False,
            timeout=10,
            **more,
        )


def upstream_to(port: int) -> dict[str, Any]:
    return {"forward_scheme": "http", "forward_host": "127.0.0.1", "forward_port": port}


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


@pytest.fixture
def npm() -> Iterator[Sandbox]:
    with Sandbox() as sandbox:
        yield sandbox


@pytest.fixture
def api(npm: Sandbox) -> Iterator[Api]:
    client = Api(npm)
    yield client
    client.session.close()


@pytest.fixture(scope="module")
def shared() -> Iterator[Api]:
    with Sandbox() as sandbox:
        client = Api(sandbox)
        yield client
        client.session.close()


@pytest.fixture
def emptied(shared: Api) -> Iterator[Api]:
    """One sandbox for a whole table of cases, without hosts again after each."""
    yield shared
    for row in shared.npm.proxy_hosts():
        shared.call("DELETE", f"{HOSTS}/{row['id']}")
    shared.npm.writes.clear()


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
def closed_port() -> int:
    """A port on which nobody listens."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Echo)
    port = int(server.server_address[1])
    server.server_close()
    return port
