"""What matters of NPM's objects of kinds that proxysync does not manage (yet)."""

from collections.abc import Callable, Mapping
from typing import Any

from proxysync.model import Other


def _stream(row: Mapping[str, Any]) -> Other:
    label = f"stream #{row.get('id')} (port {row.get('incoming_port')})"
    if not row.get("enabled", True):
        return Other(label)
    host, certificate = row.get("forwarding_host"), row.get("certificate_id")
    return Other(
        label,
        resolves=str(host) if host else None,
        certificate=certificate if isinstance(certificate, int) and certificate else None,
    )


UNMANAGED: Mapping[str, Callable[[Mapping[str, Any]], Other]] = {"nginx/streams": _stream}
"""How a row of such a collection is read."""
