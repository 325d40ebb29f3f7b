"""The request bodies that the sandbox accepts, and the `/schema` that publishes them."""

from collections.abc import Mapping
from typing import Any

from proxysync.sandbox.versions import Behaviour

Body = dict[str, Any]

_BOOLEAN: Body = {"type": "boolean"}
_TEXT: Body = {"type": "string"}
_NON_EMPTY: Body = {"type": "string", "minLength": 1}
_META: Body = {"type": "object"}
_PORT: Body = {"type": "integer", "minimum": 1, "maximum": 65535}
_HOST: Body = {"type": "string", "minLength": 1, "maxLength": 255}
_SCHEME: Body = {"type": "string", "enum": ["http", "https"]}
_ID: Body = {"type": "integer", "minimum": 0}
_CERTIFICATE_ID: Body = {"anyOf": [_ID, {"type": "string", "pattern": "^new$"}]}
_NAME = "^[^&| @!#%^();:/\\\\}{=+?<>,~`'\"]+$"
_DOTTED_NAME = r"^(?:[^.*]+\.?)+[^.]$"
_LEGACY_NAME = r"^(?:\*\.)?(?:[^.*]+\.?)+[^.]$"
_IPV4 = r"^([0-9]{1,3}\.){3}[0-9]{1,3}(/([0-9]|[1-2][0-9]|3[0-2]))?$"
_IPV6 = r"^[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*(/([0-9]|[1-9][0-9]|1[01][0-9]|12[0-8]))?$"
_ADDRESS: Body = {"oneOf": [{"type": "string", "pattern": p} for p in (_IPV4, _IPV6, "^all$")]}


def _closed(properties: Mapping[str, Any], required: tuple[str, ...] = ()) -> Body:
    body: Body = {"type": "object", "additionalProperties": False, "properties": dict(properties)}
    return {**body, "required": list(required)} if required else body


def _domain_names(behaviour: Behaviour) -> Body:
    names: Body = {"type": "array", "maxItems": behaviour.domain_limit, "uniqueItems": True}
    if behaviour.legacy_validation:
        return {**names, "items": {"type": "string", "pattern": _LEGACY_NAME}}
    return {**names, "minItems": 1, "items": {"type": "string", "pattern": _NAME}}


def _host_properties(behaviour: Behaviour) -> Body:
    """What the three types of host have in common."""
    return {
        "domain_names": _domain_names(behaviour),
        "certificate_id": _CERTIFICATE_ID,
        "ssl_forced": _BOOLEAN,
        "hsts_enabled": _BOOLEAN,
        "hsts_subdomains": _BOOLEAN,
        "http2_support": _BOOLEAN,
        "advanced_config": _TEXT,
        "meta": _META,
    }


def _locations() -> Body:
    location = {
        "id": {"type": ["integer", "null"]},
        "path": _NON_EMPTY,
        "forward_scheme": _SCHEME,
        "forward_host": _HOST,
        "forward_port": _PORT,
        "forward_path": _TEXT,
        "advanced_config": _TEXT,
    }
    required = ("forward_scheme", "forward_host", "forward_port", "path")
    return {"type": "array", "items": _closed(location, required)}


def _proxy_host(behaviour: Behaviour) -> Body:
    properties = {
        **_host_properties(behaviour),
        "forward_scheme": _SCHEME,
        "forward_host": _HOST,
        "forward_port": _PORT,
        "block_exploits": _BOOLEAN,
        "caching_enabled": _BOOLEAN,
        "allow_websocket_upgrade": _BOOLEAN,
        "access_list_id": _ID,
        "enabled": _BOOLEAN,
        "locations": _locations(),
    }
    if behaviour.trust_forwarded_proto:
        properties["trust_forwarded_proto"] = _BOOLEAN
    return _closed(properties, ("domain_names", "forward_scheme", "forward_host", "forward_port"))


def _redirection_host(behaviour: Behaviour) -> Body:
    scheme: Body = {"enum": ["auto", "http", "https"]}
    if behaviour.legacy_validation:
        scheme = {"minLength": 4}
    properties = {
        **_host_properties(behaviour),
        "forward_scheme": {"type": "string", **scheme},
        "forward_http_code": {"type": "integer", "minimum": 300, "maximum": 308},
        "forward_domain_name": {"type": "string", "pattern": _DOTTED_NAME},
        "preserve_path": _BOOLEAN,
        "block_exploits": _BOOLEAN,
    }
    required = ("domain_names", "forward_scheme", "forward_http_code", "forward_domain_name")
    return _closed(properties, required)


def _stream(behaviour: Behaviour) -> Body:
    legacy = behaviour.legacy_validation
    properties: Body = {
        "incoming_port": _PORT,
        "forwarding_host": {"anyOf": [{"type": "string", "pattern": _DOTTED_NAME}]}
        if legacy
        else _TEXT,
        "forwarding_port": _PORT,
        "tcp_forwarding": _BOOLEAN,
        "udp_forwarding": _BOOLEAN,
        "meta": _META,
    }
    if behaviour.stream_certificates:
        properties["certificate_id"] = _CERTIFICATE_ID
    return _closed(properties, ("incoming_port", "forwarding_host", "forwarding_port"))


def _access_list(behaviour: Behaviour) -> Body:
    items = _closed({"username": _NON_EMPTY, "password": _TEXT})
    directive = {"type": "string", "enum": ["allow", "deny"]}
    clients = _closed({"address": _ADDRESS, "directive": directive})
    properties = {
        "name": _NON_EMPTY,
        "satisfy_any": _BOOLEAN,
        "pass_auth": _BOOLEAN,
        "items": {"type": "array", "items": items},
        "clients": {"type": "array", "items": clients},
    }
    if behaviour.access_list_meta:
        properties["meta"] = _META
    return _closed(properties, ("name",))


def _certificate(behaviour: Behaviour) -> Body:
    meta: Body = dict.fromkeys(("certificate", "certificate_key"), _NON_EMPTY)
    meta |= dict.fromkeys(("dns_provider", "dns_provider_credentials"), _TEXT)
    meta |= {"dns_challenge": _BOOLEAN, "propagation_seconds": _ID}
    if behaviour.access_list_meta:
        meta |= {"letsencrypt_agree": _BOOLEAN, "letsencrypt_email": _NON_EMPTY}
    properties = {
        "provider": {"type": "string", "pattern": "^(letsencrypt|other)$"},
        "nice_name": _TEXT,
        "domain_names": {**_domain_names(behaviour), "minItems": 0},
        "meta": _closed(meta),
    }
    return _closed(properties, ("provider",))


def _token(behaviour: Behaviour) -> Body:
    scope = {"type": "string", "enum": ["user"]}
    properties = {"identity": _NON_EMPTY, "secret": _NON_EMPTY, "scope": scope}
    if behaviour.legacy_validation:
        properties["expiry"] = _NON_EMPTY
    return _closed(properties, ("identity", "secret"))


def _update_of(create: Body, behaviour: Behaviour) -> Body:
    """An update takes the same fields, requires none of them, and has to have one."""
    body = {key: value for key, value in create.items() if key != "required"}
    return body if behaviour.legacy_validation else {**body, "minProperties": 1}


def bodies(behaviour: Behaviour) -> dict[tuple[str, str], Body]:
    """(path of the API description, method) to the schema of its request body."""
    creates = {
        ("/nginx/proxy-hosts", "{hostID}"): _proxy_host(behaviour),
        ("/nginx/redirection-hosts", "{hostID}"): _redirection_host(behaviour),
        ("/nginx/dead-hosts", "{hostID}"): _closed(_host_properties(behaviour), ("domain_names",)),
        ("/nginx/streams", "{streamID}"): _stream(behaviour),
        ("/nginx/access-lists", "{listID}"): _access_list(behaviour),
    }
    found: dict[tuple[str, str], Body] = {}
    for (path, row), create in creates.items():
        found[path, "post"] = create
        found[f"{path}/{row}", "put"] = _update_of(create, behaviour)
    if behaviour.stream_domain_names:
        stream = found["/nginx/streams", "post"]
        names = {**stream["properties"], "domain_names": _domain_names(behaviour)}
        found["/nginx/streams", "post"] = {**stream, "properties": names}
    found["/nginx/certificates", "post"] = _certificate(behaviour)
    found["/tokens", "post"] = _token(behaviour)
    code = _closed({"challenge_token": _NON_EMPTY, "code": _NON_EMPTY}, ("challenge_token", "code"))
    found["/tokens/2fa", "post"] = code
    return found


def published(behaviour: Behaviour, version: str) -> Body:
    """What `GET /schema` answers; servers before 2.12 describe no request bodies."""
    paths: dict[str, Any] = {"/": {"get": {"summary": "Health"}}}
    if not behaviour.legacy_validation:
        for (path, method), body in bodies(behaviour).items():
            content = {"application/json": {"schema": body}}
            paths.setdefault(path, {})[method] = {"requestBody": {"content": content}}
    info = {"title": "proxysync sandbox", "version": version}
    return {"openapi": "3.1.0", "info": info, "paths": paths}
