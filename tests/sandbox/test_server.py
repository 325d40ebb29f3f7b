"""The servers themselves: start, stop, restart, TLS, latency, keep-alive."""

import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests

from proxysync.sandbox import Sandbox
from proxysync.sandbox.site_endpoint import UPSTREAM_TIMEOUT
from tests.contract.client import Api, upstream_to
from tests.sandbox.conftest import log_in
from tests.tls import issue
from tests.world import HOSTS, sooner_than


def test_state_and_ports_survive_a_restart(api: Api) -> None:
    npm = api.sandbox
    host = api.host("a.test", advanced_config="return 204;")
    ports, url = npm.ports, npm.url

    npm.stop()
    with pytest.raises(requests.ConnectionError):
        requests.get(f"{url}/api/", timeout=5)
    npm.start()

    assert (npm.ports, npm.url) == (ports, url)
    assert api.read(HOSTS, host["id"]) == host
    assert api.visit("a.test").status_code == 204


def test_a_sandbox_on_fixed_ports_starts_again_and_again() -> None:
    with Sandbox() as npm:
        api_port, sites_port = npm.ports
        log_in(npm)
    for _ in range(3):
        with Sandbox(port=api_port, sites_port=sites_port) as npm:
            assert npm.ports == (api_port, sites_port)
            assert npm.url == f"http://127.0.0.1:{api_port}"
            log_in(npm).session.close()


def test_stop_is_prompt_whatever_is_still_open(upstream: int) -> None:
    before = threading.active_count()
    silent = socket.create_server(("127.0.0.1", 0))
    npm = Sandbox().start()
    api = log_in(npm)
    api.host("a.test", forward_port=silent.getsockname()[1])
    idle = socket.create_connection(("127.0.0.1", npm.ports[0]))
    with ThreadPoolExecutor() as pool:
        hanging = pool.submit(
            api.call,
            "POST",
            "/nginx/access-lists",
            {"name": "x", "items": [{"username": "u", "password": ""}]},
        )
        visiting = pool.submit(api.visit, "a.test")
        reached = silent.accept()[0]
        while ("POST", "/nginx/access-lists") not in npm.writes:
            time.sleep(0.01)

        with sooner_than(UPSTREAM_TIMEOUT / 2):
            npm.stop()

        assert isinstance(hanging.exception(timeout=5), requests.ConnectionError)
        visiting.exception(timeout=5)
    for connection in (idle, reached, silent):
        connection.close()
    api.session.close()
    assert threading.active_count() == before
    npm.stop()


def test_a_taken_port_is_an_error_and_leaves_nothing_open(npm: Sandbox) -> None:
    other = Sandbox(sites_port=npm.ports[1])

    with pytest.raises(OSError, match="in use"):
        other.start()


def test_the_api_speaks_https_if_it_has_a_certificate(tmp_path: Path) -> None:
    issued = issue(tmp_path)

    with Sandbox(tls=(issued.certificate, issued.key)) as npm:
        assert npm.url.startswith("https://127.0.0.1:")
        # A visitor who says nothing does not keep others waiting.
        with socket.create_connection(("127.0.0.1", npm.ports[0])):
            answer = requests.get(f"{npm.url}/api/", verify=str(issued.ca), timeout=5)
        assert answer.json()["status"] == "OK"
        with pytest.raises(requests.exceptions.SSLError):
            requests.get(f"{npm.url}/api/", timeout=5)


def test_latency_is_added_to_each_answer(npm: Sandbox) -> None:
    assert npm.latency == 0
    npm.latency = 0.2

    started = time.monotonic()
    requests.get(f"{npm.url}/api/", timeout=5)

    assert time.monotonic() - started >= 0.2


def test_one_connection_serves_many_requests(npm: Sandbox) -> None:
    request = b"GET /api/ HTTP/1.1\r\nHost: x\r\n\r\n"
    with socket.create_connection(("127.0.0.1", npm.ports[0])) as connection:
        for _ in range(3):
            connection.sendall(request)
            assert connection.recv(65536).startswith(b"HTTP/1.1 200 OK\r\n")


def test_a_refused_body_does_not_spoil_the_connection(api: Api) -> None:
    large = {**upstream_to(9), "domain_names": ["a.test"], "advanced_config": "x" * 200_000}

    assert api.call("POST", HOSTS, large).status_code == 413
    assert api.call("GET", HOSTS).status_code == 200


def test_api_without_slash_is_a_redirect(npm: Sandbox) -> None:
    answer = requests.get(f"{npm.url}/api", allow_redirects=False, timeout=5)

    assert (answer.status_code, answer.headers["Location"]) == (302, "/api/")


def test_an_unchanged_answer_is_not_sent_again(api: Api) -> None:
    etag = api.call("GET", HOSTS).headers["ETag"]

    assert api.call("GET", HOSTS, headers={"If-None-Match": etag}).status_code == 304
    fresh = {"If-None-Match": etag, "Cache-Control": "no-cache"}
    assert api.call("GET", HOSTS, headers=fresh).status_code == 200
    api.host("a.test")
    assert api.call("GET", HOSTS, headers={"If-None-Match": etag}).status_code == 200


def test_the_same_name_at_once_is_created_once(npm: Sandbox) -> None:
    def create(_: int) -> int:
        api = log_in(npm)
        body = {**upstream_to(9), "domain_names": ["a.test"]}
        try:
            return api.call("POST", HOSTS, body).status_code
        finally:
            api.session.close()

    with ThreadPoolExecutor(8) as pool:
        assert sorted(pool.map(create, range(8))) == [201, *[400] * 7]


def test_nothing_is_written_to_the_terminal() -> None:
    story = (
        "import socket, urllib.request\n"
        "from proxysync.sandbox import Sandbox\n"
        "with Sandbox() as npm:\n"
        "    urllib.request.urlopen(npm.url + '/api/').read()\n"
        "    for port in npm.ports:\n"
        "        with socket.create_connection(('127.0.0.1', port)) as visitor:\n"
        "            visitor.sendall(b'rubbish\\r\\n\\r\\n')\n"
    )

    done = subprocess.run(
        [sys.executable, "-c", story], capture_output=True, check=True, timeout=30
    )

    assert (done.stdout, done.stderr) == (b"", b"")


def test_the_sandbox_imports_nothing_of_the_rest() -> None:
    story = (
        "import sys, proxysync.sandbox\n"
        "print(*[name for name in sys.modules if name.split('.')[0] in"
        " ('requests', 'pydantic', 'structlog')"
        " or name.startswith('proxysync.') and not name.startswith('proxysync.sandbox')])"
    )

    done = subprocess.run(
        [sys.executable, "-c", story], capture_output=True, check=True, timeout=30
    )

    assert done.stdout.strip() == b""
