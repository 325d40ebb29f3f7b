"""What the file says, as frozen values. The field names are those of the file.

The types read texts as they stand in the file as well as values that are right already. A
description is the field's meaning for editors, its first example the one shown in errors.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    WithJsonSchema,
    field_serializer,
    model_validator,
)

from proxysync.config import names, upstreams, values
from proxysync.config.errors import InvalidValue, Position
from proxysync.config.values import ExpectStatus, MaxDelete
from proxysync.config.variables import Variable
from proxysync.model import Upstream

_DURATION = WithJsonSchema(
    {
        "anyOf": [
            {"type": "number", "exclusiveMinimum": 0},
            {"type": "string", "minLength": 1, "pattern": values.DURATION_PATTERN},
        ]
    }
)
_UPSTREAM = WithJsonSchema({"type": "string", "pattern": "^[Hh][Tt][Tt][Pp][Ss]?://"})

Mode = Annotated[
    Literal["enforce", "warn", "off"],
    BeforeValidator(partial(values.one_of, ("enforce", "warn", "off"))),
    WithJsonSchema({"enum": ["enforce", "warn", "off", False]}),
]
Drift = Annotated[
    Literal["fix", "report"], BeforeValidator(partial(values.one_of, ("fix", "report")))
]
Skip = Annotated[
    frozenset[Literal["dns", "tcp", "http"]],
    BeforeValidator(partial(values.set_of, ("dns", "tcp", "http"))),
    WithJsonSchema({"type": "array", "items": {"enum": ["dns", "tcp", "http"]}}),
]
Bool = Annotated[bool, BeforeValidator(values.boolean)]
Interval = Annotated[float, BeforeValidator(partial(values.duration, minimum=1.0)), _DURATION]
Timeout = Annotated[float, BeforeValidator(partial(values.duration, minimum=0.001)), _DURATION]
Threshold = Annotated[
    int,
    BeforeValidator(partial(values.count, minimum=1, maximum=1000)),
    WithJsonSchema({"type": "integer", "minimum": 1, "maximum": 1000}),
]
Days = Annotated[
    float,
    BeforeValidator(values.days),
    WithJsonSchema({"type": "number", "exclusiveMinimum": 0, "maximum": 3650}),
]
Resolver = Annotated[str, BeforeValidator(values.resolver)]
Name = Annotated[
    str,
    BeforeValidator(names.entry_name),
    WithJsonSchema({"type": "string", "pattern": "^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$"}),
]
Domain = Annotated[
    str, BeforeValidator(names.domain), WithJsonSchema({"type": "string", "minLength": 1})
]
Domains = Annotated[
    tuple[Domain, ...],
    BeforeValidator(names.domain_list),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string", "minLength": 1},
                {
                    "type": "array",
                    "minItems": 1,
                    "maxItems": names.MAX_DOMAINS,
                    "items": {"type": "string", "minLength": 1},
                },
            ]
        }
    ),
]
ProxyUpstream = Annotated[Upstream, BeforeValidator(upstreams.proxy_upstream), _UPSTREAM]
LocationUpstream = Annotated[Upstream, BeforeValidator(upstreams.location_upstream), _UPSTREAM]
LocationPath = Annotated[str, BeforeValidator(upstreams.location_path)]
HealthPath = Annotated[
    str, BeforeValidator(values.health_path), WithJsonSchema({"type": "string", "pattern": "^/"})
]
AdvancedConfig = Annotated[str, BeforeValidator(values.advanced_config)]
CertificateName = Annotated[
    str | None,
    BeforeValidator(partial(values.reference, what="certificate")),
    WithJsonSchema({"type": "string", "minLength": 1}),
]
AccessListName = Annotated[
    str | None,
    BeforeValidator(partial(values.reference, what="access list")),
    WithJsonSchema({"type": "string", "minLength": 1}),
]
_STATUS = {
    "anyOf": [
        {"type": "integer", "minimum": 100, "maximum": 599},
        {"type": "string", "pattern": "^[1-5][0-9]{2}(-[1-5][0-9]{2})?$"},
    ]
}
Statuses = Annotated[
    ExpectStatus,
    BeforeValidator(values.expect_status),
    WithJsonSchema({"anyOf": [*_STATUS["anyOf"], {"type": "array", "items": _STATUS}]}),
]
DeleteLimit = Annotated[
    MaxDelete,
    BeforeValidator(values.max_delete),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "integer", "minimum": 0, "maximum": 1_000_000},
                {"type": "string", "pattern": r"^[0-9]{1,3}(\.[0-9]{1,6})?%$"},
            ]
        }
    ),
]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Validation(_Model):
    """How one proxy is validated; `mode` None is as in the settings."""

    mode: Mode | None = Field(
        default=None, description="As settings.validation.mode, for this proxy."
    )
    skip: Skip = Field(default=frozenset(), description="Steps to leave out.", examples=[["http"]])
    allow_unresolved: Bool = Field(
        default=False,
        description="Let a location's upstream pass whose name does not resolve (yet).",
    )

    @field_serializer("skip", when_used="json")
    def _in_order(self, skip: frozenset[str]) -> list[str]:
        # A set's order differs from run to run, and digests are taken of the JSON.
        return sorted(skip)


class ValidationSettings(_Model):
    """How all proxies are validated; timeouts are in seconds."""

    mode: Mode = Field(
        default="enforce",
        description="enforce keeps a proxy out of NPM that fails, warn says so and goes on, "
        "off probes nothing.",
    )
    tcp_timeout: Timeout = Field(default=5.0, description="How long connecting may take.")
    http_timeout: Timeout = Field(default=10.0, description="How long an HTTP answer may take.")
    resolver: Resolver | None = Field(
        default=None, description="Ask this name server (IP or IP:port) instead of the system's."
    )


class HealthSettings(_Model):
    """How often all proxies are checked; `interval` is in seconds."""

    interval: Interval = Field(default=300.0, description="Time between two checks of a proxy.")
    failure_threshold: Threshold = Field(
        default=2, description="Failed checks in a row that make a proxy unhealthy."
    )
    success_threshold: Threshold = Field(
        default=1, description="Good checks in a row that make it healthy again."
    )


class Health(HealthSettings):
    """How one proxy is checked; what it leaves out is taken from the settings."""

    path: HealthPath = Field(default="/", description="What is asked for.", examples=["/health"])
    expect_status: Statuses | None = Field(
        default=None,
        description="Statuses that are healthy: 200, 200-399 or a list; all below 500 if unset.",
        examples=["200-399"],
    )
    enabled: Bool = Field(default=True, description="false is the same as `health: off`.")


class Verify(_Model):
    """Where the sites that NPM serves are reached; see AUTO and OFF."""

    url: Annotated[str, BeforeValidator(lambda v: str(upstreams.proxy_upstream(v))), _UPSTREAM] = (
        Field(description="The address of NPM's sites.", examples=["http://10.0.0.2"])
    )


AUTO = Verify.model_construct(url="auto")
OFF = Verify.model_construct(url="off")


def _verify(value: object) -> object:
    if value is False or value == "off":
        return OFF
    if value == "auto":
        return AUTO
    if isinstance(value, Mapping | Verify):
        return value
    message = "must be auto, off or a mapping such as {url: 'http://10.0.0.2'}, not {found}"
    raise InvalidValue(message, value)


class Settings(_Model):
    """What holds for all proxies; `resync_interval` is in seconds."""

    validation: ValidationSettings = Field(
        default=ValidationSettings(),
        description="Checks of an upstream before a proxy goes live.",
        examples=[{"mode": "enforce"}],
    )
    health: HealthSettings = Field(
        default=HealthSettings(),
        description="Checks of every proxy from then on.",
        examples=[{"interval": "5m"}],
    )
    stale_threshold_days: Days = Field(
        default=7.0, description="Days without a good check after which a proxy counts as stale."
    )
    resync_interval: Interval = Field(
        default=300.0,
        description="How often NPM is compared with the file even if nothing was edited.",
    )
    drift: Drift = Field(
        default="fix",
        description="What to do with a change that somebody made in NPM: undo or report it.",
    )
    prune: Bool = Field(default=True, description="Delete managed hosts that left the file.")
    max_delete: DeleteLimit = Field(
        default=MaxDelete(share=0.3),
        description="How many managed hosts one run may delete or disable: a share or a count.",
        json_schema_extra={"default": "30%"},
    )
    instance: Name = Field(
        default="default", description="Tells several proxysyncs that share one NPM apart."
    )
    verify: Annotated[Verify, BeforeValidator(_verify)] = Field(
        default=AUTO,
        description="Whether and where nginx is asked for the sites, as visitors do: at NPM's own "
        "host on ports 80 and 443 (auto), not at all (off), or at an address.",
        examples=[{"url": "http://10.0.0.2"}],
        json_schema_extra={"default": "auto"},
    )

    @property
    def verifies(self) -> bool:
        return self.verify != OFF

    def edge(self, npm_url: str) -> str | None:
        """The address at which NPM's sites are asked for; None where they are not."""
        if not self.verifies:
            return None
        if self.verify != AUTO:
            return self.verify.url
        host = urlsplit(npm_url).hostname or ""
        return f"http://[{host}]" if ":" in host else f"http://{host}"


class Location(_Model):
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


def _health(value: object) -> object:
    if value is False or value == "off":
        return {"enabled": False}
    if isinstance(value, Mapping | Health):
        return value
    raise InvalidValue("must be off or a mapping such as {path: /health}, not {found}", value)


def _locations(value: object) -> tuple[object, ...]:
    if isinstance(value, list | tuple):
        return tuple(value)
    raise InvalidValue(
        "must be a list such as [{path: /api, upstream: http://10.0.0.6:9000}], not {found}", value
    )


NEVER_BLANK = {"certificate": "certificate", "access_list": "access list"}
"""Fields that protect a site, and how messages call them: to write nothing must not take it."""


class Defaults(_Model):
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
    health: Annotated[Health, BeforeValidator(_health)] = Field(
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


@dataclass(frozen=True)
class Config:
    """A file that is good as a whole.

    `maybe_truncated` tells that it may have been read while it was being written.
    `fingerprint` changes with its content; `files` is empty for a text from memory. `secrets`
    maps the values of secret variables to their `${NAME}`, and `variables` are all that were
    looked up.
    """

    settings: Settings
    proxies: tuple[Proxy, ...]
    maybe_truncated: bool = False
    fingerprint: str = ""
    files: tuple[Path, ...] = ()
    secrets: Mapping[str, str] = field(default_factory=dict)
    variables: Mapping[str, Variable | None] = field(default_factory=dict, repr=False)


def nested_model(model: type[BaseModel], name: str) -> type[BaseModel] | None:
    """The model that a field of `model` holds, alone, in a list or optional."""
    info = model.model_fields.get(name)
    return _model_in(info.annotation) if info else None


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    inner = getattr(annotation, "__args__", ())
    return next((found for part in inner if (found := _model_in(part))), None)
