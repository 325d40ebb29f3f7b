"""What the demo needs around it: services, a visitor, and somebody at NPM's web page."""

import json
import socket
import threading
import urllib.error
import urllib.request
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class DemoService:
    """A web service on loopback that says who it is. It can be stopped and started again."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.port = _free_port()
        self._server: ThreadingHTTPServer | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> "DemoService":
        body = f"{self.text}\n".encode()

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(200)
                self.send_header("Content-Type", "text/plain")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Quiet: the story is told elsewhere."""

        self._server = _Server(("127.0.0.1", self.port), Handler)
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def stop(self) -> None:
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None


class _Server(ThreadingHTTPServer):
    def handle_error(self, *_: object) -> None:
        """Quiet: a visitor who hangs up early is no error."""


def visit(sites_url: str, domain: str) -> str:
    """What a visitor of the domain gets: the page's first line, or the error's status."""
    request = urllib.request.Request(f"{sites_url}/", headers={"Host": domain})  # noqa: S310
    try:
        with _opener().open(request, timeout=5) as answer:
            return str(answer.read().decode().splitlines()[0])
    except urllib.error.HTTPError as error:
        return f"HTTP {error.code}"
    except OSError as error:
        return f"no answer ({error})"


class WebPage:
    """Somebody who changes things in NPM by hand."""

    def __init__(self, url: str, identity: str, secret: str) -> None:
        self._url = url
        token = self._call("POST", "/tokens", {"identity": identity, "secret": secret})["token"]
        self._headers = {"Authorization": f"Bearer {token}"}

    def hosts(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self._call("GET", "/nginx/proxy-hosts")
        return found

    def add_host(self, domain: str, port: int) -> None:
        self._call(
            "POST",
            "/nginx/proxy-hosts",
            {
                "domain_names": [domain],
                "forward_scheme": "http",
                "forward_host": "127.0.0.1",
                "forward_port": port,
            },
        )

    def change_host(self, domain: str, fields: Mapping[str, Any]) -> None:
        host = next(host for host in self.hosts() if domain in host["domain_names"])
        self._call("PUT", f"/nginx/proxy-hosts/{host['id']}", fields)

    def _call(self, method: str, path: str, payload: Mapping[str, Any] | None = None) -> Any:
        request = urllib.request.Request(  # noqa: S310
            f"{self._url}/api{path}",
            data=None if payload is None else json.dumps(payload).encode(),
            headers={"Content-Type": "application/json", **getattr(self, "_headers", {})},
            method=method,
        )
        with _opener().open(request, timeout=10) as answer:
            return json.loads(answer.read())


def _opener() -> Any:
    """Without the proxies that the environment may name: all of this is on loopback."""
    return urllib.request.build_opener(urllib.request.ProxyHandler({}))


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
