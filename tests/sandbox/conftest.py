"""A sandbox, a client of its API, and an upstream that says what reached it."""

from collections.abc import Iterator
from typing import Any

import pytest
import requests

from proxysync.sandbox import Sandbox

ADMIN = {"identity": "admin@example.com", "secret": "changeme"}
HOSTS = "/nginx/proxy-hosts"


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


@pytest.fixture
def npm() -> Iterator[Sandbox]:
    with Sandbox() as sandbox:
        yield sandbox


@pytest.fixture
def api(npm: Sandbox) -> Iterator[Api]:
    client = Api(npm)
    yield client
    client.session.close()
