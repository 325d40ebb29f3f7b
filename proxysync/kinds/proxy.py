"""Proxy hosts: the kind `proxy`."""

from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, model_validator

from proxysync.kinds.base import Kind
from proxysync.kinds.entry import Health, Validation, read_health
from proxysync.kinds.references import (
    UnknownReferenceError,
    find_access_list,
    find_certificate,
)
from proxysync.model import Desired, Fields, Key, Snapshot, Upstream
from proxysync.model.position import Position
from proxysync.values import upstreams
from proxysync.values.fields import (
    AccessListName,
    AdvancedConfig,
    Bool,
    CertificateName,
    Domains,
    LocationPath,
    LocationUpstream,
    Model,
    Name,
    ProxyUpstream,
)
from proxysync.values.invalid import InvalidValue


class Location(Model):
    """A path of a proxy that goes to an upstream of its own."""

    path: LocationPath = Field(
        description="A path, or = /path, ^~ /path, ~ regex, ~* regex.", examples=["/api"]
    )
    upstream: LocationUpstream = Field(
        description="scheme://host:port, and a path that replaces the location's own.",
        examples=["http://10.0.0.6:9000/v1"],
    )
    advanced_config: AdvancedConfig = Field(
        default="", description="nginx configuration for this location."
    )

    @model_validator(mode="after")
    def _regex_without_upstream_path(self) -> "Location":
        if upstreams.is_regex(self.path) and self.upstream.path:
            raise InvalidValue(
                "has a regular expression as its path, so that its upstream cannot have a path: "
                "nginx would refuse it",
                None,
                hint="end the upstream after its port",
            )
        return self


def _locations(value: object) -> tuple[object, ...]:
    if isinstance(value, list | tuple):
        return tuple(value)
    raise InvalidValue(
        "must be a list such as [{path: /api, upstream: http://10.0.0.6:9000}], not {found}", value
    )


class Defaults(Model):
    """The fields of a proxy that may be set for all of them."""

    certificate: CertificateName = Field(
        default=None,
        description="A certificate in NPM, by its nice name or a domain that it covers; or none.",
    )
    force_ssl: Bool = Field(default=False, description="Redirect HTTP to HTTPS.")
    http2: Bool = Field(default=False, description="Serve HTTP/2.")
    hsts: Bool = Field(default=False, description="Tell browsers to come by HTTPS only.")
    hsts_subdomains: Bool = Field(default=False, description="HSTS for all names below, too.")
    trust_forwarded_proto: Bool = Field(
        default=False, description="Believe X-Forwarded-Proto (NPM 2.14 and newer)."
    )
    cache_assets: Bool = Field(
        default=False, description="Let nginx cache images, scripts and the like."
    )
    block_exploits: Bool = Field(
        default=False, description="Refuse requests that look like exploits."
    )
    websockets: Bool = Field(default=False, description="Pass WebSocket connections on.")
    access_list: AccessListName = Field(
        default=None, description="An access list in NPM, by its name; or none."
    )
    advanced_config: AdvancedConfig = Field(
        default="", description="nginx configuration for the host."
    )
    locations: Annotated[tuple[Location, ...], BeforeValidator(_locations)] = Field(
        default=(),
        description="Paths that go to upstreams of their own.",
        examples=[[{"path": "/api", "upstream": "http://10.0.0.6:9000"}]],
    )
    enabled: Bool = Field(default=True, description="Whether NPM serves it.")
    health: Annotated[Health, BeforeValidator(read_health)] = Field(
        default=Health(), description="How it is checked while it is live; off for not at all."
    )
    validation: Validation = Field(
        default=Validation(), description="How it is validated.", examples=[{"skip": ["http"]}]
    )


class Entry(Defaults):
    """One proxy as it stands in the file."""

    domains: Domains = Field(
        description="The names that it answers to; *.example.com is possible.",
        examples=[["media.example.com"]],
    )
    upstream: ProxyUpstream = Field(
        description="Where it forwards to: scheme://host:port.", examples=[upstreams.EXAMPLE]
    )


class Proxy(Entry):
    """One proxy with its name and where in the file it stands."""

    name: Name
    source: Position = Position("")

    @property
    def key(self) -> Key:
        return Key(PROXY.name, self.name)


DEFAULTS: Fields = {
    "domain_names": (),
    "forward_scheme": "http",
    "forward_host": "",
    "forward_port": 80,
    "certificate_id": 0,
    "ssl_forced": False,
    "http2_support": False,
    "hsts_enabled": False,
    "hsts_subdomains": False,
    "trust_forwarded_proto": False,
    "caching_enabled": False,
    "block_exploits": False,
    "allow_websocket_upgrade": False,
    "access_list_id": 0,
    "advanced_config": "",
    "locations": (),
    "enabled": True,
}
LOCATION_DEFAULTS: Fields = {
    "path": "/",
    "forward_scheme": "http",
    "forward_host": "",
    "forward_port": 80,
    "forward_path": "",
    "advanced_config": "",
}

UNKNOWN = -1
"""Stands for the id of a reference that cannot be told; never written to NPM."""

DELETED_LIST = (
    "NPM serves a host whose list was deleted to everybody, so take it down with `enabled: false` "
    "until that is mended"
)


def normalise(fields: Fields) -> Fields:
    """The form that NPM means to store.

    Domains lower-case and sorted, 0/1 as booleans, `locations` a list of complete items, and
    TLS flags only with what they need: none without a certificate, HSTS only with forced
    TLS. NPM stores some of these otherwise, but nginx then serves the same.
    """
    result = {name: _like(fields.get(name), default) for name, default in DEFAULTS.items()}
    result["domain_names"] = sorted({domain.lower() for domain in result["domain_names"]})
    result["locations"] = [_location(item) for item in result["locations"]]
    if not result["certificate_id"]:
        result["ssl_forced"] = result["http2_support"] = False
    result["hsts_enabled"] = result["hsts_enabled"] and result["ssl_forced"]
    result["hsts_subdomains"] = result["hsts_subdomains"] and result["hsts_enabled"]
    return result


def _like(value: Any, default: Any) -> Any:
    """`value` in the type of `default`, tolerant of how versions of NPM write the same thing."""
    if value is None:
        return list(default) if isinstance(default, tuple) else default
    if isinstance(default, bool):
        return bool(value)
    if isinstance(default, int):
        return int(value) if str(value).isdigit() else value
    return list(value) if isinstance(default, tuple) else value


def _location(item: Mapping[str, Any]) -> Fields:
    return {name: _like(item.get(name), default) for name, default in LOCATION_DEFAULTS.items()}


def _claims(fields: Fields) -> frozenset[str]:
    return frozenset(fields["domain_names"])


def _with_claims(fields: Fields, claims: frozenset[str]) -> Fields:
    return {**fields, "domain_names": sorted(claims)}


def _stand_in(domain: str, in_use: AbstractSet[str]) -> str | None:
    """`.example.com`: nginx then serves example.com, and whatever is below it.

    There is none where it would draw visitors away from a host that serves those below.
    """
    if domain.startswith(".") or "*" in domain or {f".{domain}", f"*.{domain}"} & in_use:
        return None
    return f".{domain}"


def _stands_for(domain: str) -> str:
    return domain.removeprefix(".")


def _idle(domain: str) -> Fields:
    return normalise({"domain_names": [domain], "forward_host": "127.0.0.1", "forward_port": 9})


def _resolved_at_start(fields: Fields) -> frozenset[str]:
    """The names in locations; the main upstream's is resolved per request, as is a variable."""
    hosts = (str(location["forward_host"]) for location in fields["locations"])
    # NPM lets a location's host carry a path.
    names = (host.strip().partition("/")[0].lower() for host in hosts)
    return frozenset(name for name in names if name and "$" not in name)


PROXY = Kind(
    name="proxy",
    collection="nginx/proxy-hosts",
    defaults=DEFAULTS,
    optional={"trust_forwarded_proto": "2.14.0"},
    free_text=frozenset({"advanced_config", "locations"}),
    references=frozenset({"certificate_id", "access_list_id"}),
    normalise=normalise,
    claims=_claims,
    with_claims=_with_claims,
    stand_in=_stand_in,
    stands_for=_stands_for,
    idle=_idle,
    resolved_at_start=_resolved_at_start,
)


def desired(proxy: Proxy, snapshot: Snapshot) -> Desired:
    """What the entry means on this server.

    A certificate or access list that NPM does not have, a list that lets everybody in, or a
    field that this version does not know, becomes the `problem`. What is off needs no problem
    solved to be taken down, but what it refers to must not be lost either: it is `unknown`.
    """
    problems: list[str] = []
    missing: dict[str, str] = {}
    fields = normalise(
        {
            "domain_names": proxy.domains,
            **_forward(proxy.upstream),
            "certificate_id": _id(
                find_certificate,
                proxy.certificate,
                snapshot.certificates,
                missing,
                "certificate_id",
            ),
            "ssl_forced": proxy.force_ssl,
            "http2_support": proxy.http2,
            "hsts_enabled": proxy.hsts,
            "hsts_subdomains": proxy.hsts_subdomains,
            "trust_forwarded_proto": proxy.trust_forwarded_proto,
            "caching_enabled": proxy.cache_assets,
            "block_exploits": proxy.block_exploits,
            "allow_websocket_upgrade": proxy.websockets,
            "access_list_id": _id(
                find_access_list,
                proxy.access_list,
                snapshot.access_lists,
                missing,
                "access_list_id",
            ),
            "advanced_config": proxy.advanced_config,
            "locations": [_wire_location(location) for location in proxy.locations],
            "enabled": proxy.enabled,
        }
    )
    if proxy.enabled:
        problems += missing.values()
        if "access_list_id" in missing:
            problems.append(DELETED_LIST)
    if proxy.enabled and any(
        a.npm_id == fields["access_list_id"] and a.is_empty for a in snapshot.access_lists
    ):
        problems.append(
            f'access list "{proxy.access_list}" has neither users nor clients, and NPM serves a '
            "host with such a list to everybody; give it some in NPM, or take it out of the entry"
        )
    accepted = snapshot.accepted.get(PROXY.name, frozenset(DEFAULTS))
    for field, since in PROXY.optional.items():
        if field not in accepted and fields[field] != DEFAULTS[field]:
            problems.append(f"this NPM does not know {field}; it came with NPM {since}")
    unknown = {} if proxy.enabled else missing
    return Desired(proxy.key, fields, "; ".join(problems) or None, unknown)


def _id(
    find: Callable[[str, Sequence[Any]], int],
    name: str | None,
    known: Sequence[Any],
    missing: dict[str, str],
    field: str,
) -> int:
    if name is None:
        return 0
    try:
        return find(name, known)
    except UnknownReferenceError as error:
        missing[field] = str(error)
        return UNKNOWN


def _forward(upstream: Upstream) -> Fields:
    return {
        "forward_scheme": upstream.scheme,
        "forward_host": upstream.host,
        "forward_port": upstream.port,
    }


def _wire_location(location: Location) -> Fields:
    return {
        "path": location.path,
        **_forward(location.upstream),
        "forward_path": location.upstream.path,
        "advanced_config": location.advanced_config,
    }
