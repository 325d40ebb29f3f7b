"""Proxy hosts: the kind `proxy`."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Annotated, Any, ClassVar

from pydantic import BeforeValidator, ConfigDict, Field, model_validator
from pydantic.config import JsonDict

from proxysync.kinds.answers import Flaw, Served, UpstreamProbe
from proxysync.kinds.entry import (
    Resource,
    ValidationSettings,
    WatchedDefaults,
    WatchedEntry,
)
from proxysync.kinds.hosts import WIRE_NAMES, HostDefaults, HostEntry, HostKind, typed
from proxysync.kinds.references import ACCESS_LIST, KIND_OF, ReferenceNames, References
from proxysync.model import Fields, Upstream
from proxysync.probe.model import Probe
from proxysync.values import patterns, upstreams
from proxysync.values.fields import (
    AccessListName,
    AdvancedConfig,
    Bool,
    LocationPath,
    LocationUpstream,
    Model,
    ProxyUpstream,
)
from proxysync.values.invalid import InvalidValue
from proxysync.values.upstreams import location_path, prefix_of

REGEX_WITHOUT_PATH: JsonDict = {
    "if": {"properties": {"path": {"pattern": patterns.REGEX}}, "required": ["path"]},
    "then": {"properties": {"upstream": {"pattern": patterns.WITHOUT_PATH}}},
}


class Location(Model):
    """A path of a proxy that goes to an upstream of its own."""

    model_config = ConfigDict(json_schema_extra=REGEX_WITHOUT_PATH)

    path: LocationPath = Field(
        description="A path, or = /path, ^~ /path, ~ regex, ~* regex.", examples=["/api"]
    )
    upstream: LocationUpstream = Field(
        description="scheme://host:port, and a path that replaces the location's own.",
        examples=["http://10.0.0.6:9000/v1"],
    )
    advanced_config: AdvancedConfig = Field(
        default="", description="As of the host, for this location."
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


class ProxyDefaults(WatchedDefaults, HostDefaults):
    """The fields of a proxy that may be set for all of them."""

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
        default=None, description="One of `access_lists`, else one in NPM, by its name; or none."
    )
    locations: Annotated[tuple[Location, ...], BeforeValidator(_locations)] = Field(
        default=(),
        description="Paths that go to upstreams of their own, a mapping each.",
        examples=[[{"path": "/api", "upstream": "http://10.0.0.6:9000"}]],
    )


class ProxyEntry(ProxyDefaults, WatchedEntry, HostEntry):
    """One proxy as it stands in the file."""

    upstream: ProxyUpstream = Field(
        description="Where it forwards to: http:// or https://, host and port; IPv6 as [fd00::5].",
        examples=[upstreams.EXAMPLE],
    )

    @property
    def leads_to(self) -> str:
        return str(self.upstream)

    @property
    def named(self) -> Mapping[str, str | None]:
        return {**super().named, KIND_OF[ACCESS_LIST]: self.access_list}


LOCATION_DEFAULTS: Fields = {
    "path": "/",
    "forward_scheme": "http",
    "forward_host": "",
    "forward_port": 80,
    "forward_path": "",
    "advanced_config": "",
}


class ProxyKind(HostKind):
    """A proxy host of NPM."""

    name = "proxy"
    section = "proxies"
    is_essential = True
    label = "proxy host"
    collection = "nginx/proxy-hosts"
    right = "proxy_hosts"
    right_label = "Proxy Hosts"
    defaults_model = ProxyDefaults
    entry_model = ProxyEntry
    defaults: ClassVar[Fields] = {
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
    optional: ClassVar[Mapping[str, str]] = {"trust_forwarded_proto": "2.14.0"}
    free_text = frozenset({"advanced_config", "locations"})
    refers_to: ClassVar[Mapping[str, str]] = KIND_OF
    may_hold_secret = frozenset({"advanced_config", "path"})
    wire_names: ClassVar[Mapping[str, str]] = {
        **WIRE_NAMES,
        "access_list_id": "access_list",
        "allow_websocket_upgrade": "websockets",
        "caching_enabled": "cache_assets",
        "forward_host": "upstream",
        "forward_hostname": "upstream",
        "forward_path": "upstream",
        "forward_port": "upstream",
        "forward_scheme": "upstream",
    }

    def wire(self, entry: ProxyEntry, references: References) -> Fields:
        return {
            **_forward(entry.upstream),
            "trust_forwarded_proto": entry.trust_forwarded_proto,
            "caching_enabled": entry.cache_assets,
            "block_exploits": entry.block_exploits,
            "allow_websocket_upgrade": entry.websockets,
            "access_list_id": references.access_list(entry.access_list),
            "locations": [_wire_location(location) for location in entry.locations],
        }

    def own_fields(self, fields: Fields, names: ReferenceNames) -> Mapping[str, Any]:
        return {
            "upstream": _upstream_of(fields),
            "trust_forwarded_proto": fields["trust_forwarded_proto"],
            "cache_assets": fields["caching_enabled"],
            "block_exploits": fields["block_exploits"],
            "websockets": fields["allow_websocket_upgrade"],
            "access_list": names.access_list(fields["access_list_id"]),
            "locations": tuple(map(_entry_location, fields["locations"])),
        }

    def free_texts(self, fields: Fields) -> Iterable[tuple[str, str]]:
        yield from super().free_texts(fields)
        for location in fields["locations"]:
            path = f'locations["{location["path"]}"].advanced_config'
            yield path, location["advanced_config"]

    def normal_form(self, fields: Fields) -> Fields:
        result = super().normal_form(fields)
        if result["locations"] == []:
            return result
        return {**result, "locations": [_location(item) for item in result["locations"]]}

    def placeholder_definition(self, name: str) -> Fields:
        return self.normalise(
            {"domain_names": [name], "forward_host": "127.0.0.1", "forward_port": 9}
        )

    def resolved_at_start(self, fields: Fields) -> frozenset[str]:
        """The names in locations; the main upstream's is resolved per request, as is a variable."""
        hosts = (str(location["forward_host"]) for location in fields["locations"])
        # NPM lets a location's host carry a path.
        names = (host.strip().partition("/")[0].lower() for host in hosts)
        return frozenset(name for name in names if name and "$" not in name)

    def leads_to(self, fields: Fields) -> str:
        return f"{fields['forward_scheme']}://{fields['forward_host']}:{fields['forward_port']}"

    def served(self, fields: Fields, path: str = "/") -> Served:
        locations = [one["path"] for one in fields.get("locations") or ()]
        free = bool(fields.get("advanced_config"))
        return replace(
            super().served(fields, path),
            upstream=Upstream(
                fields["forward_scheme"], fields["forward_host"], fields["forward_port"]
            ),
            is_peculiar=free or "/" in locations,
            is_plain=not free and not any(_covers(one, path) for one in locations),
        )

    def flaws(self, data: Mapping[str, Any]) -> Iterable[Flaw]:
        first: dict[str, int] = {}
        locations = data.get("locations")
        for index, location in enumerate(locations if isinstance(locations, tuple) else ()):
            path = location.get("path") if isinstance(location, Mapping) else None
            try:
                text = location_path(path)
            except InvalidValue:
                continue
            here = ("locations", index, "path")
            other = first.setdefault(prefix_of(text), index)
            if other != index:
                yield Flaw(
                    here,
                    f"is the same as that of locations[{other}]: nginx takes a path once only, "
                    "with ^~ or without",
                )
            elif text.startswith("=") and data.get("cache_assets") is True:
                yield Flaw(
                    here,
                    "is an exact one, in which nginx does not take what cache_assets adds",
                    "leave out the =, or set cache_assets: false for this proxy",
                )

    def probes(self, resource: Resource, settings: ValidationSettings) -> list[UpstreamProbe]:
        entry = resource.entry
        assert isinstance(entry, ProxyEntry)
        skip = entry.validation.left_out(settings)
        late = entry.validation.allow_unresolved
        expect = entry.health.expect_status
        common: dict[str, Any] = {
            "tcp_timeout": settings.tcp_timeout,
            "http_timeout": settings.http_timeout,
            "resolver": settings.resolver,
            "host_header": entry.domains[0].replace("*.", "wildcard."),
        }
        main = Probe(
            upstream=entry.upstream,
            path=entry.health.path,
            expect=expect.matches if expect else None,
            expect_text=str(expect) if expect else "",
            skip=skip,
            **common,
        )
        dns = frozenset({"dns"})
        return [
            UpstreamProbe(None, entry.upstream, main),
            *(
                UpstreamProbe(
                    location.path,
                    location.upstream,
                    Probe(
                        upstream=location.upstream,
                        path=location.upstream.path or "/",
                        skip=skip - dns,
                        resolved_at_start=not late,
                        **common,
                    ),
                    fatal=frozenset() if late else dns,
                    forgiven=dns if late else frozenset(),
                )
                for location in entry.locations
            ),
        ]


PROXY = ProxyKind()


def _location(item: Mapping[str, Any]) -> Fields:
    return typed(item, LOCATION_DEFAULTS)


def _covers(location: str, path: str) -> bool:
    """Whether a location may answer for this path; an expression may for any."""
    prefix = location.removeprefix("^~ ").removeprefix("= ")
    return location.startswith("~") or path.startswith(prefix)


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


def _upstream_of(fields: Fields) -> str:
    """What NPM forwards to; a path may stand in its host, and then NPM goes by that one."""
    host, slash, rest = str(fields["forward_host"]).partition("/")
    path = slash + rest or fields.get("forward_path", "")
    return f"{fields['forward_scheme']}://{host}:{fields['forward_port']}{path}"


def _entry_location(item: Fields) -> Mapping[str, Any]:
    entry = {"path": item["path"], "upstream": _upstream_of(item)}
    config = item["advanced_config"]
    return {**entry, "advanced_config": config} if config else entry
