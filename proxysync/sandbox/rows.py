"""The rows that NPM keeps: its tables, the shape of what it shows, and the audit log."""

import copy
import json
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from proxysync.sandbox.auth import Access, Accounts, now
from proxysync.sandbox.errors import not_found
from proxysync.sandbox.nginx import Nginx
from proxysync.sandbox.versions import Behaviour

Row = dict[str, Any]


@dataclass(frozen=True)
class HostKind:
    """A type of host: its table, its name in the audit log, and its columns with defaults.

    `expands` are the relations a client may ask for.
    """

    table: str
    label: str
    resource: str
    columns: Mapping[str, Any]
    expands: tuple[str, ...] = ("owner", "certificate")


_SSL = {"certificate_id": 0, "ssl_forced": False}
_HSTS = {"hsts_enabled": False, "hsts_subdomains": False}

PROXY_HOST = HostKind(
    "proxy_host",
    "proxy-host",
    "proxy_hosts",
    {
        "domain_names": None,
        "forward_host": None,
        "forward_port": None,
        "access_list_id": 0,
        **_SSL,
        "caching_enabled": False,
        "block_exploits": False,
        "advanced_config": "",
        "meta": {},
        "allow_websocket_upgrade": False,
        "http2_support": False,
        "forward_scheme": None,
        "enabled": True,
        "locations": None,
        **_HSTS,
        "trust_forwarded_proto": False,
    },
    ("owner", "certificate", "access_list"),
)
REDIRECTION_HOST = HostKind(
    "redirection_host",
    "redirection-host",
    "redirection_hosts",
    {
        "domain_names": None,
        "forward_domain_name": None,
        "preserve_path": False,
        **_SSL,
        "block_exploits": False,
        "advanced_config": "",
        "meta": {},
        "http2_support": False,
        "enabled": True,
        **_HSTS,
        "forward_scheme": None,
        "forward_http_code": None,
    },
)
DEAD_HOST = HostKind(
    "dead_host",
    "dead-host",
    "dead_hosts",
    {
        "domain_names": None,
        **_SSL,
        "advanced_config": "",
        "meta": {},
        "http2_support": False,
        "enabled": True,
        **_HSTS,
    },
)
STREAM = HostKind(
    "stream",
    "stream",
    "streams",
    {
        "incoming_port": None,
        "forwarding_host": None,
        "forwarding_port": None,
        "tcp_forwarding": False,
        "udp_forwarding": False,
        "meta": {},
        "enabled": True,
        "certificate_id": 0,
    },
)
HOST_KINDS = (PROXY_HOST, REDIRECTION_HOST, DEAD_HOST)
"""The types that share one space of names."""
SERVED_KINDS = (*HOST_KINDS, STREAM)


class Table:
    """Rows by id. Ids are never given twice, and a deleted row stays, marked."""

    def __init__(self) -> None:
        self._rows: dict[int, Row] = {}

    def insert(self, owner_user_id: int, columns: Mapping[str, Any]) -> Row:
        """Stores a new row and returns it."""
        row: Row = {
            "id": len(self._rows) + 1,
            "created_on": now(),
            "modified_on": now(),
            "owner_user_id": owner_user_id,
            "is_deleted": False,
            **copy.deepcopy(dict(columns)),
        }
        self._rows[row["id"]] = row
        return row

    def patch(self, row: Row, columns: Mapping[str, Any]) -> None:
        """Writes columns of a stored row."""
        row.update(copy.deepcopy(dict(columns)), modified_on=now())

    def live(self) -> list[Row]:
        """The rows that are not deleted, by id."""
        return [row for row in self._rows.values() if not row["is_deleted"]]

    def find(self, row_id: int) -> Row | None:
        """The row, or None if there is none or it is deleted."""
        row = self._rows.get(row_id)
        return None if row is None or row["is_deleted"] else row

    def visible(self, access: Access, row_id: int | None) -> Row:
        """The row, if this user may see it. Raises ApiError 404."""
        row = self.find(row_id or 0)
        if row is None or not access.sees(row):
            raise not_found(row_id)
        return row


class Backend:
    """NPM's process, which some requests end; whoever supervises it starts it again.

    `restart_after` is the time that takes, in seconds.
    """

    def __init__(self) -> None:
        self.exits = 0
        self.restart_after = 1.0
        self._up_at = 0.0

    @property
    def is_down(self) -> bool:
        return time.monotonic() < self._up_at

    def exit(self) -> None:
        """Ends the process."""
        self.exits += 1
        self._up_at = time.monotonic() + self.restart_after


class Store:
    """All that one NPM knows. `lock` is held for each request as a whole."""

    def __init__(self, behaviour: Behaviour) -> None:
        self.behaviour = behaviour
        self.lock = threading.RLock()
        self.accounts = Accounts(behaviour)
        self.nginx = Nginx()
        self.backend = Backend()
        self.hosts = {kind.table: Table() for kind in SERVED_KINDS}
        self.certificates = Table()
        self.access_lists = Table()
        self._audit: list[Row] = []
        self._list_entries = 0

    def proxy_hosts_using(self, list_id: int) -> list[Row]:
        """The proxy hosts behind this access list."""
        rows = self.hosts[PROXY_HOST.table].live()
        return [row for row in rows if row["access_list_id"] == list_id]

    def next_list_entry(self) -> int:
        """An id for a user or a client rule of an access list."""
        self._list_entries += 1
        return self._list_entries

    def log(self, access: Access, action: str, label: str, row_id: int, meta: Any) -> None:
        """Adds an entry to the audit log."""
        entry = {
            "id": len(self._audit) + 1,
            "created_on": now(),
            "modified_on": now(),
            "user_id": access.claimed_id,
            "object_type": label,
            "object_id": row_id,
            "action": action,
            "meta": copy.deepcopy(meta),
        }
        self._audit.append(entry)

    def audit_log(self) -> list[Row]:
        """The newest hundred entries, newest first."""
        return copy.deepcopy(self._audit[:-101:-1])

    def audit_entry(self, entry_id: int) -> Row:
        """One entry. Raises ApiError 404."""
        if not 0 < entry_id <= len(self._audit):
            raise not_found(entry_id)
        return copy.deepcopy(self._audit[entry_id - 1])

    def owner(self, user_id: int) -> Row | None:
        """The owner as a relation shows it."""
        user = self.accounts.get(user_id)
        return user.row() if user else None


def shown(row: Mapping[str, Any], *hidden: str) -> Row:
    """A copy of a row as the API shows it: without the mark of deletion."""
    return {
        name: copy.deepcopy(value)
        for name, value in row.items()
        if name not in ("is_deleted", *hidden)
    }


def by_names(rows: Iterable[Row]) -> list[Row]:
    """Rows in the order of NPM's lists: by the JSON text of their names."""

    def text(row: Row) -> bytes:
        return json.dumps(row["domain_names"], ensure_ascii=False, separators=(",", ":")).encode(
            "utf-8", "surrogatepass"
        )

    return sorted(rows, key=text)


def matching(rows: Iterable[Row], query: str | None, text: Callable[[Row], str]) -> list[Row]:
    """The rows whose text holds the query, in any case of ASCII letters."""
    return [row for row in rows if not query or query.lower() in text(row).lower()]
