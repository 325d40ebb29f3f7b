"""A client of NPM's API and a visitor of its sites, for tests that say what NPM does."""

import socket
import ssl
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from http.client import HTTPResponse
from typing import Any
from urllib.parse import urlsplit

import requests

from proxysync.sandbox import Sandbox
from tests.world import HOSTS, SUFFIX, Npm

REDIRECTIONS = "/nginx/redirection-hosts"
DEAD_HOSTS = "/nginx/dead-hosts"
STREAMS = "/nginx/streams"
LISTS = "/nginx/access-lists"
CERTIFICATES = "/nginx/certificates"
COLLECTIONS = (HOSTS, REDIRECTIONS, DEAD_HOSTS, STREAMS, LISTS, CERTIFICATES, "/users")
"""In the order in which rows can be removed."""

ONLINE = {"nginx_online": True, "nginx_err": None}


def upstream_to(port: int) -> dict[str, Any]:
    return {"forward_scheme": "http", "forward_host": "127.0.0.1", "forward_port": port}


@dataclass(frozen=True)
class Page:
    """What a visitor by https gets, and the certificate that was shown."""

    status: int
    text: str
    headers: Mapping[str, str]
    certificate: bytes


class Api:
    """One NPM. Rows that are made through here are gone after the test."""

    def __init__(
        self, npm: Npm, token: str | None = None, version: tuple[int, int, int] | None = None
    ) -> None:
        self.npm = npm
        self.session = requests.Session()
        self.session.trust_env = False
        if npm.sandbox is None:
            # Each reload of nginx cuts connections that are kept alive.
            self.session.headers["Connection"] = "close"
        self.identity, self.secret = npm.identity, npm.secret
        self._made: list[tuple[str, int]] = []
        self._others: list[Api] = []
        self._witness: socket.socket | None = None
        self._set_token(token or self.log_in(self.identity, self.secret))
        self.version = version or self._reported_version()

    @property
    def sandbox(self) -> Sandbox:
        """The NPM, where it is a sandbox."""
        assert self.npm.sandbox is not None
        return self.npm.sandbox

    def log_in(self, identity: str, secret: str) -> str:
        """A token."""
        answer = self.call("POST", "/tokens", {"identity": identity, "secret": secret})
        return str(answer.json()["token"])

    def as_user(self, **rights: str) -> "Api":
        """The same NPM for a new user; what `rights` leave out is `manage`, and `user`."""
        identity, secret = f"{len(self._made)}@{SUFFIX}", "long enough"
        if self.npm.sandbox:
            visibility = rights.pop("visibility", "user")
            self.npm.sandbox.add_user(identity, secret, rights, visibility)
        else:
            self._add_user(identity, secret, rights)
        other = Api(self.npm, self.log_in(identity, secret), self.version)
        self._others.append(other)
        return other

    def call(self, method: str, path: str, body: Any = None, **more: Any) -> requests.Response:
        """One request, whatever its answer."""
        quiet = method == "POST" and path.startswith((LISTS, CERTIFICATES))
        if method != "GET" and path.startswith("/nginx/") and not quiet:
            self._watch_nginx()
        answer = self.session.request(
            method, f"{self.npm.url}/api{path}", json=body, timeout=30, **more
        )
        if method == "POST" and path in COLLECTIONS and answer.status_code == 201:
            self._made.append((path, answer.json()["id"]))
        return answer

    def anonymous(self, method: str, path: str, body: Any = None, token: str = "") -> Any:
        """One request with another token, or none."""
        headers = {"Authorization": token} if token else {}
        url = f"{self.npm.url}/api{path}"
        return requests.request(method, url, json=body, headers=headers, timeout=30)

    def refused(self, method: str, path: str, body: Any = None) -> tuple[int, str]:
        """Status and message of a request that must not succeed."""
        answer = self.call(method, path, body)
        assert answer.status_code >= 400, answer.text
        return answer.status_code, answer.json()["error"]["message"]

    def make(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Creates a row, and reads it as NPM shows it afterwards."""
        answer = self.call("POST", path, body)
        assert answer.status_code == 201, answer.text
        return self.read(path, answer.json()["id"])

    def host(self, *names: str, **fields: Any) -> dict[str, Any]:
        return self.make(HOSTS, {**upstream_to(9), "domain_names": list(names), **fields})

    def redirection(self, *names: str, **fields: Any) -> dict[str, Any]:
        target = {"forward_scheme": "https", "forward_domain_name": "to.example"}
        body = {"domain_names": list(names), **target, "forward_http_code": 301, **fields}
        return self.make(REDIRECTIONS, body)

    def dead_host(self, *names: str, **fields: Any) -> dict[str, Any]:
        return self.make(DEAD_HOSTS, {"domain_names": list(names), **fields})

    def access_list(self, **fields: Any) -> int:
        body = {"name": f"team {SUFFIX}", "items": [], **fields}
        return int(self.make(LISTS, body)["id"])

    def certificate(self, pair: "Pair | None" = None) -> int:
        """A custom certificate; without a pair nothing is uploaded."""
        body = {"provider": "other", "nice_name": f"c {SUFFIX}"}
        row_id = int(self.make(CERTIFICATES, body)["id"])
        if pair:
            answer = self.upload(row_id, pair)
            assert answer.status_code == 200, answer.text
        return row_id

    def upload(self, row_id: int, pair: "Pair") -> requests.Response:
        return self.call("POST", f"{CERTIFICATES}/{row_id}/upload", files=pair.files())

    def read(self, path: str, row_id: int) -> dict[str, Any]:
        row: dict[str, Any] = self.call("GET", f"{path}/{row_id}").json()
        return row

    def put(self, path: str, row_id: int, **fields: Any) -> dict[str, Any]:
        """Updates a row; what NPM answers."""
        answer = self.call("PUT", f"{path}/{row_id}", fields)
        assert answer.status_code == 200, answer.text
        row: dict[str, Any] = answer.json()
        return row

    def act(self, path: str, row_id: int, action: str) -> Any:
        """Enables or disables a row."""
        answer = self.call("POST", f"{path}/{row_id}/{action}")
        assert answer.status_code == 200, answer.text
        return answer.json()

    def rows(self, path: str) -> list[dict[str, Any]]:
        """The rows of a collection that tests have made."""
        found = self.call("GET", path).json()
        return [row for row in found if (path, row["id"]) in self._made or _is_ours(row)]

    def visit(self, name: str, path: str = "/", **more: Any) -> requests.Response:
        """What a visitor gets from nginx as it is after the last write."""
        self.settle()
        headers = {"Host": name, **more.pop("headers", {})}
        method, timeout = more.pop("method", "GET"), more.pop("timeout", 10)
        url = self.npm.sites_url + path
        session = requests.Session()
        session.trust_env = False
        with session:
            return session.request(
                method, url, headers=headers, allow_redirects=False, timeout=timeout, **more
            )

    def is_default(self, name: str) -> bool:
        """Whether a visitor gets the page for names that no site has."""
        return "Congratulations" in self.visit(name).text

    def visit_by_https(self, name: str, path: str = "/") -> Page | None:
        """What a visitor gets by https; None where nginx refuses the handshake."""
        self.settle()
        sandbox = self.npm.sandbox
        port = sandbox.https_port if sandbox else 443
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        with socket.create_connection(("127.0.0.1", port), 10) as plain:
            try:
                secure = context.wrap_socket(plain, server_hostname=name)
            except ssl.SSLError:
                return None
            with secure:
                request = f"GET {path} HTTP/1.1\r\nHost: {name}\r\nConnection: close\r\n\r\n"
                secure.sendall(request.encode())
                answer = HTTPResponse(secure)
                answer.begin()
                text = answer.read().decode()
                shown = secure.getpeercert(binary_form=True) or b""
                return Page(answer.status, text, dict(answer.getheaders()), shown)

    def close(self) -> None:
        """Removes what the test has made, and hangs up."""
        for other in self._others:
            other.hang_up()
        if self.npm.sandbox is None:
            for path in COLLECTIONS:
                for row in self.rows(path):
                    self.call("DELETE", f"{path}/{row['id']}")
        self.hang_up()

    def hang_up(self) -> None:
        """Closes all connections."""
        self._stop_watching()
        self.session.close()

    def _reported_version(self) -> tuple[int, int, int]:
        health = self.call("GET", "/").json()["version"]
        return health["major"], health["minor"], health["revision"]

    def _set_token(self, token: str) -> None:
        self.token = token
        self.session.headers["Authorization"] = f"Bearer {token}"

    def _add_user(self, identity: str, secret: str, rights: Mapping[str, str]) -> None:
        resources = ("proxy_hosts", "redirection_hosts", "dead_hosts", "streams")
        names = (*resources, "access_lists", "certificates")
        user = {"name": "Eve", "nickname": "Eve", "email": identity, "roles": []}
        made = self.call("POST", "/users", {**user, "is_disabled": False}).json()
        self.call("PUT", f"/users/{made['id']}/auth", {"type": "password", "secret": secret})
        body = {"visibility": "user", **dict.fromkeys(names, "manage"), **rights}
        answer = self.call("PUT", f"/users/{made['id']}/permissions", body)
        assert answer.status_code < 300, answer.text

    def _watch_nginx(self) -> None:
        """Opens a connection that nginx will close when it is reloaded."""
        if self.npm.sandbox:
            return
        # The reload of the write before may still be under way.
        self.settle()
        url = urlsplit(self.npm.sites_url)
        self._witness = socket.create_connection((url.hostname, url.port or 80), 5)
        self._witness.sendall(b"HEAD / HTTP/1.1\r\nHost: nobody\r\n\r\n")
        self._witness.recv(4096)

    def settle(self) -> None:
        """Returns when nginx serves what the last write made; not all writes reload it."""
        if self._witness:
            self._witness.settimeout(3)
            with suppress(OSError):
                self._witness.recv(1)
            self._stop_watching()
            # The other old workers end at about the same time.
            time.sleep(0.1)

    def _stop_watching(self) -> None:
        if self._witness:
            self._witness.close()
            self._witness = None


@dataclass(frozen=True)
class Pair:
    """The PEM texts of a certificate and its key."""

    certificate: bytes
    key: bytes | None = None
    intermediate: bytes | None = None

    def files(self) -> dict[str, tuple[str, bytes]]:
        """As a form that uploads them."""
        parts = {
            "certificate": self.certificate,
            "certificate_key": self.key,
            "intermediate_certificate": self.intermediate,
        }
        return {name: (f"{name}.pem", text) for name, text in parts.items() if text is not None}

    @property
    def shown(self) -> bytes:
        """The certificate as a handshake shows it."""
        return ssl.PEM_cert_to_DER_cert(self.certificate.decode())


def said(row: Mapping[str, Any]) -> str:
    """What nginx says of a row, without time and place; empty for one that is online."""
    meta = row["meta"]
    assert meta["nginx_online"] is not bool(meta["nginx_err"])
    text = (meta["nginx_err"] or "").partition("[emerg] ")[2].partition(": ")[2]
    return str(text.partition(" in /data")[0].partition("\n")[0])


def _is_ours(row: Mapping[str, Any]) -> bool:
    named = (str(row.get(key, "")) for key in ("name", "nice_name", "email"))
    return any(text.endswith(SUFFIX) for text in (*named, *row.get("domain_names", ())))
