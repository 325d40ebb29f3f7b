"""NPM's rows to our values and back; whatever a version of NPM leaves out or adds is tolerated."""

from collections.abc import Mapping, Sequence
from typing import Any

from proxysync.kinds import Kind
from proxysync.model import AccessList, Certificate, Fields, Live, Marker

MARKER_KEY = "proxysync"
WRITTEN_BY_NPM = frozenset({"nginx_online", "nginx_err"})


def read_live(kind: Kind, row: Mapping[str, Any]) -> Live:
    """A row of a list or of a single GET."""
    stored = row.get("meta")
    meta = stored if isinstance(stored, dict) else {}
    online = meta.get("nginx_online")
    return Live(
        kind=kind.name,
        npm_id=int(row["id"]),
        fields=kind.complete(row),
        marker=_read_marker(meta.get(MARKER_KEY)),
        meta={k: v for k, v in meta.items() if k != MARKER_KEY and k not in WRITTEN_BY_NPM},
        created_on=row.get("created_on"),
        online=None if online is None else bool(online),
        nginx_error=meta.get("nginx_err") or None,
    )


def write_payload(
    fields: Fields, accepted: frozenset[str], marker: Marker | None, meta: Mapping[str, Any]
) -> dict[str, Any]:
    """The body of a write: all that this server accepts, and the whole `meta`, which is replaced.

    Certificate and TLS flags always go together: NPM judges only those that are sent.
    """
    payload = {name: value for name, value in fields.items() if name in accepted}
    if "locations" in payload:
        payload["locations"] = [_without_blanks(item) for item in payload["locations"]]
    return {**payload, "meta": {**meta, **_write_marker(marker)}}


def read_certificate(row: Mapping[str, Any]) -> Certificate:
    """The row holds the private key of a custom certificate: only these four values leave it."""
    names = (str(name).strip().rstrip(",").lower() for name in row.get("domain_names") or ())
    return Certificate(
        npm_id=int(row["id"]),
        nice_name=str(row.get("nice_name") or ""),
        domains=tuple(name for name in names if name),
        expires_on=row.get("expires_on"),
    )


def read_access_list(row: Mapping[str, Any]) -> AccessList:
    """Names and passwords of its users stay behind; who it turns away is told where it is known."""
    users, clients = row.get("items"), row.get("clients")
    everybody = bool(users) and (not clients or not row.get("satisfy_any"))
    return AccessList(
        int(row["id"]),
        str(row.get("name") or ""),
        asks_everybody=everybody,
        is_empty=users == [] and clients == [],
        clients=tuple(f"{c.get('directive')} {c.get('address')}" for c in clients or ()),
    )


def read_domains(row: Mapping[str, Any]) -> Sequence[str]:
    return [str(name).lower() for name in row.get("domain_names") or ()]


def _read_marker(value: Any) -> Marker | None:
    if not isinstance(value, dict):
        return None
    name, instance = value.get("name"), value.get("instance", "default")
    if not isinstance(name, str) or not isinstance(instance, str):
        return None
    return Marker(name, instance, canary=value.get("canary") is True)


def _write_marker(marker: Marker | None) -> dict[str, Any]:
    if marker is None:
        return {}
    canary = {"canary": True} if marker.canary else {}
    return {MARKER_KEY: {"name": marker.name, "instance": marker.instance, **canary}}


def _without_blanks(item: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in item.items() if value != ""}
