"""What matters of NPM's objects of kinds that proxysync does not manage (yet)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Unmanaged:
    """A kind of object that is only looked at.

    `holds_domains` tells that its domains are taken for all hosts; `upstream_field` names the
    field with the host name that nginx looks up when it starts, None where there is none.
    """

    collection: str
    label: str
    holds_domains: bool = False
    upstream_field: str | None = None

    def call(self, row: Mapping[str, Any]) -> str:
        """How messages call such an object."""
        port = row.get("incoming_port")
        return f"{self.label} #{row.get('id')}" + (f" (port {port})" if port else "")

    def upstream(self, row: Mapping[str, Any]) -> str | None:
        """The host name that nginx looks up for it when it starts."""
        host = row.get(self.upstream_field) if self.upstream_field else None
        return str(host) if host and row.get("enabled", True) else None

    def certificate(self, row: Mapping[str, Any]) -> object:
        """NPM's id of the certificate that it uses."""
        return row.get("certificate_id") if row.get("enabled", True) else None


UNMANAGED = (
    Unmanaged("nginx/redirection-hosts", "redirection host", holds_domains=True),
    Unmanaged("nginx/dead-hosts", "404 host", holds_domains=True),
    Unmanaged("nginx/streams", "stream", upstream_field="forwarding_host"),
)
