"""Writes the configuration of one host: rows in, text out."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Row = Mapping[str, Any]
_OWN_DEFAULT_LOCATION = re.compile(
    r"^(?:.*;)?\s*?location\s*?/\s*?\{", re.IGNORECASE | re.MULTILINE
)
_WEBSOCKETS = (
    "proxy_set_header Upgrade $http_upgrade;",
    "proxy_set_header Connection $http_connection;",
    "proxy_http_version 1.1;",
)
_FORWARDED = (
    "proxy_set_header Host $host;",
    "proxy_set_header X-Forwarded-Scheme $scheme;",
    "proxy_set_header X-Forwarded-Proto $scheme;",
    "proxy_set_header X-Forwarded-For $remote_addr;",
    "proxy_set_header X-Real-IP $remote_addr;",
)


@dataclass(frozen=True)
class Access:
    """The rules of an access list; one without items and clients protects nothing.

    `clients` are (directive, address). `deny_all` is the closing rule that NPM before 2.15
    wrote in any case.
    """

    list_id: int
    items: bool = False
    clients: tuple[tuple[str, str], ...] = ()
    satisfy_any: bool = False
    pass_auth: bool = True
    deny_all: bool = False


def render(kind: str, row: Row, certificate: Row | None, access: Access | None) -> str:
    """The text of the host's file, whether or not it is enabled."""
    own_location = bool(_OWN_DEFAULT_LOCATION.search(row["advanced_config"]))
    locations = row.get("locations") or []
    own_location = own_location or any(one["path"] == "/" for one in locations)
    # A comment like NPM's own, and like there a name with a line break ends it.
    title = f"# {', '.join(row['domain_names'])}"
    lines = [title, "server {", *_head(kind, row, certificate), row["advanced_config"]]
    for location in locations:
        lines += _custom_location(row, location, certificate, access)
    if not own_location:
        lines += ["location / {", *_content(kind, row, certificate, access), "}"]
    return "\n".join([*lines, "}", ""])


def render_stream(row: Row, certificate: Row | None) -> str:
    """The text of the stream's file, empty if it listens to nothing."""
    lines = [f"# {row['incoming_port']} TCP: {row['tcp_forwarding']} UDP: {row['udp_forwarding']}"]
    target = f"proxy_pass {row['forwarding_host']}:{row['forwarding_port']};"
    for wanted, udp in (("tcp_forwarding", ""), ("udp_forwarding", " udp")):
        if row[wanted]:
            tls = " ssl" if certificate and not udp else ""
            files = _certificate_files(certificate) if certificate and not udp else []
            lines += ["server {", f"listen {row['incoming_port']}{udp}{tls};", *files, target, "}"]
    return "\n".join([*lines, ""])


def _certificate_files(certificate: Row) -> list[str]:
    folder = f"/data/custom_ssl/npm-{certificate['id']}"
    return [
        f"ssl_certificate {folder}/fullchain.pem;",
        f"ssl_certificate_key {folder}/privkey.pem;",
    ]


def _head(kind: str, row: Row, certificate: Row | None) -> list[str]:
    lines = []
    if kind == "proxy_host":
        lines += [
            f"set $forward_scheme {row['forward_scheme']};",
            f'set $server "{row["forward_host"]}";',
            f"set $port {row['forward_port']};",
        ]
    lines.append("listen 80;")
    if certificate:
        lines.append("listen 443 ssl;")
    lines.append(f"server_name {' '.join(row['domain_names'])};")
    if certificate:
        lines += _certificate_files(certificate)
    lines += _forced_ssl(row, certificate)
    if row.get("allow_websocket_upgrade"):
        lines += _WEBSOCKETS
    return lines


def _forced_ssl(row: Row, certificate: Row | None) -> list[str]:
    if not (certificate and row["ssl_forced"]):
        return []
    trust = "T" if row.get("trust_forwarded_proto") else "F"
    return [
        f'set $trust_forwarded_proto "{trust}";',
        "include conf.d/include/force-ssl.conf;",
    ]


def _hsts(row: Row, certificate: Row | None) -> list[str]:
    if not (certificate and row["ssl_forced"] and row["hsts_enabled"]):
        return []
    subdomains = "includeSubDomains; " if row["hsts_subdomains"] else " "
    return [f'add_header Strict-Transport-Security "max-age=63072000;{subdomains}preload";']


def _content(kind: str, row: Row, certificate: Row | None, access: Access | None) -> list[str]:
    if kind == "dead_host":
        return [*_hsts(row, certificate), "return 404;"]
    if kind == "redirection_host":
        path = "$request_uri" if row["preserve_path"] else ""
        target = f"{row['forward_scheme']}://{row['forward_domain_name']}{path}"
        return [*_hsts(row, certificate), f"return {row['forward_http_code']} {target};"]
    return [
        *_access_rules(access),
        *_hsts(row, certificate),
        *(_WEBSOCKETS if row["allow_websocket_upgrade"] else ()),
        "add_header X-Served-By $host;",
        *_FORWARDED,
        "proxy_pass $forward_scheme://$server:$port$request_uri;",
    ]


def _custom_location(
    row: Row, location: Row, certificate: Row | None, access: Access | None
) -> list[str]:
    host, slash, path = location["forward_host"].partition("/")
    uri = slash + path if slash else location.get("forward_path", "")
    address = f"{location['forward_scheme']}://{host}:{location['forward_port']}{uri}"
    return [
        f"location {location['path']} {{",
        location.get("advanced_config", ""),
        "",
        *_FORWARDED,
        f"proxy_pass {address};",
        *_access_rules(access),
        *_forced_ssl(row, certificate),
        *(_WEBSOCKETS if row["allow_websocket_upgrade"] else ()),
        "}",
    ]


def _access_rules(access: Access | None) -> list[str]:
    if access is None:
        return []
    lines = []
    if access.items:
        lines += [
            'auth_basic "Authorization required";',
            f"auth_basic_user_file /data/access/{access.list_id};",
        ]
        if not access.pass_auth:
            lines.append('proxy_set_header Authorization "";')
    lines += [f"{directive} {address};" for directive, address in access.clients]
    if access.clients or access.deny_all:
        lines.append("deny all;")
    return [*lines, f"satisfy {'any' if access.satisfy_any else 'all'};"]
