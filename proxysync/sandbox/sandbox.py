"""The whole look-alike: what tests, the demo and rehearsals start."""

import copy
import ssl
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from proxysync.sandbox.access_lists import AccessLists
from proxysync.sandbox.api import Api
from proxysync.sandbox.auth import Access, User, now
from proxysync.sandbox.certificates import columns
from proxysync.sandbox.endpoint import Latency, api_handler
from proxysync.sandbox.hosts import Hosts
from proxysync.sandbox.nginx import CertificateFiles
from proxysync.sandbox.rows import (
    DEAD_HOST,
    PROXY_HOST,
    REDIRECTION_HOST,
    Backend,
    HostKind,
    Row,
    Store,
)
from proxysync.sandbox.server import LISTEN, Server
from proxysync.sandbox.site_endpoint import sites_handler
from proxysync.sandbox.sites import context_for
from proxysync.sandbox.tls import choosing_context
from proxysync.sandbox.versions import behaviour_of

ADMIN_ID = 1


class Sandbox:
    """One NPM in this process, on loopback only.

    It behaves as `version` does and says it is `reported_version`. Port 0 is a free one, kept
    from the first start on; streams listen where they are told to.
    `tls` is (certificate file, key file), and serves the API by https.
    What it knows lives as long as the object: stop and start is NPM restarted.
    """

    def __init__(
        self,
        version: str = "2.15.1",
        identity: str = "admin@example.com",
        secret: str = "changeme",  # noqa: S107 - NPM's own well-known default
        port: int = 0,
        sites_port: int = 0,
        *,
        https_port: int = 0,
        reported_version: str | None = None,
        tls: tuple[str | Path, str | Path] | None = None,
    ) -> None:
        self.ports = (port, sites_port)
        self.https_port = https_port
        self._tls = tls
        self._latency = Latency()
        self._store = Store(behaviour_of(version))
        self._api = Api(self._store, reported_version or version)
        self._servers: tuple[Server, ...] = ()
        self._store.accounts.add(
            User(ADMIN_ID, identity.lower(), secret, ("admin",), {}, visibility="all")
        )

    def start(self) -> Self:
        """Listens on all ports. Raises OSError if one is taken."""
        nginx = self._store.nginx
        plans = (
            (self.ports[0], api_handler(self._api, self._latency), self._own_context()),
            (self.ports[1], sites_handler(nginx), None),
            (
                self.https_port,
                sites_handler(nginx, "https"),
                choosing_context(partial(context_for, nginx)),
            ),
        )
        opened: list[Server] = []
        try:
            opened += (Server(*plan) for plan in plans)
        except OSError:
            for server in opened:
                server.server_close()
            raise
        self.ports = (opened[0].port, opened[1].port)
        self.https_port = opened[2].port
        self._servers = tuple(opened)
        for server in self._servers:
            server.start()
        nginx.forwarding.start()
        return self

    def _own_context(self) -> ssl.SSLContext | None:
        if self._tls is None:
            return None
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*self._tls)
        return context

    def stop(self) -> None:
        """Ends all servers and their connections; nothing is left running."""
        self._store.nginx.forwarding.stop()
        servers, self._servers = self._servers, ()
        for server in servers:
            server.stop()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    @property
    def url(self) -> str:
        """Where NPM is; its API is at this plus `/api`."""
        return f"{'https' if self._tls else 'http'}://{LISTEN}:{self.ports[0]}"

    @property
    def sites_url(self) -> str:
        """Where the sites are; the Host header chooses one."""
        return f"http://{LISTEN}:{self.ports[1]}"

    @property
    def https_url(self) -> str:
        """Where the sites that have a certificate are; the name in the handshake chooses one."""
        return f"https://{LISTEN}:{self.https_port}"

    @property
    def backend(self) -> Backend:
        """NPM's process, which some requests end."""
        return self._store.backend

    @property
    def requests(self) -> list[tuple[str, str]]:
        """(method, path without `/api`) of all requests to the API, in order."""
        return self._api.requests

    @property
    def writes(self) -> list[tuple[str, str]]:
        """Those of `requests` that NPM let through to change something, in order."""
        return self._api.writes

    @property
    def latency(self) -> float:
        """Seconds added to each answer of the API."""
        return self._latency.seconds

    @latency.setter
    def latency(self, seconds: float) -> None:
        self._latency.seconds = seconds

    @property
    def unresolvable(self) -> set[str]:
        """Host names that no resolver knows; add to it and take from it at any time."""
        return self._store.nginx.unresolvable

    @property
    def reload_lag(self) -> float:
        """Seconds after a reload in which nginx's old workers go on answering."""
        return self._store.nginx.lag

    @reload_lag.setter
    def reload_lag(self, seconds: float) -> None:
        self._store.nginx.lag = seconds

    @property
    def loses_files(self) -> bool:
        """Whether the files of hosts are lost as they are written, by a race of NPM's, say."""
        return self._store.nginx.loses_files

    @loses_files.setter
    def loses_files(self, loses: bool) -> None:
        self._store.nginx.loses_files = loses

    def stop_sites(self) -> None:
        """Nobody listens any more where the sites are."""
        self._servers[1].stop()

    def start_sites(self) -> None:
        """After `stop_sites`."""
        sites = Server(self.ports[1], sites_handler(self._store.nginx), None)
        sites.start()
        self._servers = (self._servers[0], sites, *self._servers[2:])

    def lose_file(self, npm_id: int, table: str = PROXY_HOST.table) -> None:
        """A host's file is gone, and nginx has reloaded; its row says that all is well."""
        with self._store.lock:
            self._store.nginx.remove((table, npm_id))
            self._store.nginx.reload()

    def keep_old_file(self, npm_id: int, **fields: Any) -> None:
        """nginx has a proxy host's file with these older fields; its row says that all is well."""
        with self._store.lock:
            row = {**(self._store.hosts[PROXY_HOST.table].find(npm_id) or {}), **fields}
            text = Hosts(self._store, PROXY_HOST).render(row)
            self._store.nginx.write((PROXY_HOST.table, npm_id), text)
            self._store.nginx.reload()

    def proxy_hosts(self) -> list[Row]:
        """Copies of the stored proxy hosts, disabled ones included, by id."""
        with self._store.lock:
            return copy.deepcopy(self._store.hosts[PROXY_HOST.table].live())

    def add_user(
        self,
        identity: str,
        secret: str,
        permissions: Mapping[str, str] | None = None,
        visibility: str = "user",
        roles: Sequence[str] = (),
        *,
        two_factor: bool = False,
    ) -> int:
        """A further account. `permissions` maps a resource (`proxy_hosts`) to hidden, view or
        manage, and what it leaves out is manage. The code of every second factor is
        `auth.SECOND_FACTOR`. Returns the id.
        """
        with self._store.lock:
            user_id = len(self._store.accounts.all()) + 1
            user = User(
                user_id,
                identity.lower(),
                secret,
                tuple(roles),
                permissions or {},
                visibility,
                two_factor,
            )
            self._store.accounts.add(user)
            return user_id

    def add_certificate(
        self, nice_name: str, domain_names: Sequence[str], expires_on: str | None = None
    ) -> int:
        """A custom certificate with its files in place. Returns the id."""
        with self._store.lock:
            data = columns(nice_name, domain_names, expires_on or now())
            row = self._store.certificates.insert(ADMIN_ID, data)
            row["meta"] = {
                "certificate": "-----BEGIN CERTIFICATE-----\nsandbox\n-----END CERTIFICATE-----\n",
                "certificate_key": "-----BEGIN PRIVATE KEY-----\nsandbox\n"
                "-----END PRIVATE KEY-----\n",
            }
            self._store.nginx.certificates[row["id"]] = CertificateFiles()
            return int(row["id"])

    def add_access_list(
        self,
        name: str,
        items: Iterable[Mapping[str, str]] = (),
        clients: Iterable[Mapping[str, str]] = (),
    ) -> int:
        """An access list: items are {username, password}, clients {directive, address}."""
        with self._store.lock:
            return AccessLists(self._store).add(ADMIN_ID, name, list(items), list(clients))

    def add_redirection_host(self, domain_names: Sequence[str]) -> int:
        """A redirection of these names to `https://example.com`. Returns the id."""
        target = {"forward_scheme": "https", "forward_domain_name": "example.com"}
        return self._add_host(REDIRECTION_HOST, domain_names, {**target, "forward_http_code": 301})

    def add_dead_host(self, domain_names: Sequence[str]) -> int:
        """A 404 host for these names. Returns the id."""
        return self._add_host(DEAD_HOST, domain_names, {})

    def break_nginx(self, reason: str) -> None:
        """From now on `nginx -t` fails for everybody, with this reason."""
        self._store.nginx.broken = reason

    def mend_nginx(self) -> None:
        """Takes `break_nginx` back. What was written meanwhile is served after the next reload."""
        self._store.nginx.broken = None

    def expire_tokens(self) -> None:
        """All tokens issued so far have expired, whatever they say themselves."""
        self._store.accounts.expire_tokens()

    def forget_tokens(self) -> None:
        """NPM lost its signing key: all tokens issued so far are badly signed."""
        self._store.accounts.forget_tokens()

    def _add_host(
        self, kind: HostKind, domain_names: Sequence[str], more: Mapping[str, Any]
    ) -> int:
        with self._store.lock:
            admin = Access(self._store.accounts.get(ADMIN_ID), ADMIN_ID)
            row = Hosts(self._store, kind).create(
                admin, {"domain_names": list(domain_names), **more}
            )
            return int(row["id"])
