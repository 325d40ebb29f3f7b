"""The types of the file's fields. They read texts as they stand in the file, and right values.

A type's JSON Schema is what an editor can check of it.
"""

from collections.abc import Mapping
from functools import partial
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, WithJsonSchema

from proxysync.model import Upstream
from proxysync.values import access, names, patterns, scalars, streams, upstreams
from proxysync.values.limits import DeleteLimit
from proxysync.values.scalars import ExpectStatus


def _text(pattern: str) -> WithJsonSchema:
    return WithJsonSchema({"type": "string", "pattern": pattern})


def _duration(pattern: str, least: dict[str, float]) -> WithJsonSchema:
    number = {"type": "number", **least, "maximum": scalars.LONGEST_DURATION}
    return WithJsonSchema({"anyOf": [number, {"type": "string", "pattern": pattern}]})


UPSTREAM = _text(patterns.UPSTREAM)

Mode = Annotated[
    Literal["enforce", "warn", "off"],
    BeforeValidator(partial(scalars.one_of, ("enforce", "warn", "off"))),
    WithJsonSchema({"enum": ["enforce", "warn", "off", False]}),
]
Drift = Annotated[
    Literal["fix", "report"], BeforeValidator(partial(scalars.one_of, ("fix", "report")))
]
Skip = Annotated[
    frozenset[Literal["dns", "tcp", "http"]],
    BeforeValidator(partial(scalars.set_of, ("dns", "tcp", "http"))),
    WithJsonSchema({"type": "array", "items": {"enum": ["dns", "tcp", "http"]}}),
]
Bool = Annotated[bool, BeforeValidator(scalars.boolean)]
Interval = Annotated[
    float,
    BeforeValidator(partial(scalars.duration, minimum=1.0)),
    _duration(patterns.SECOND, {"minimum": 1}),
]
Timeout = Annotated[
    float,
    BeforeValidator(partial(scalars.duration, minimum=0.001)),
    _duration(patterns.DURATION, {"exclusiveMinimum": 0}),
]
Threshold = Annotated[
    int,
    BeforeValidator(partial(scalars.count, minimum=1, maximum=1000)),
    WithJsonSchema({"type": "integer", "minimum": 1, "maximum": 1000}),
]
Days = Annotated[
    float,
    BeforeValidator(scalars.days),
    WithJsonSchema({"type": "number", "exclusiveMinimum": 0, "maximum": 3650}),
]
Resolver = Annotated[str, BeforeValidator(scalars.resolver), _text(patterns.RESOLVER)]
Name = Annotated[
    str,
    BeforeValidator(names.entry_name),
    WithJsonSchema({"type": "string", "pattern": f"^{names.ENTRY_NAME}$"}),
]
Tags = Annotated[
    tuple[str, ...],
    BeforeValidator(names.tags),
    WithJsonSchema(
        {"type": "array", "items": {"type": "string", "pattern": f"^{names.ENTRY_NAME}$"}}
    ),
]
Note = Annotated[
    str,
    BeforeValidator(scalars.note),
    WithJsonSchema({"type": "string", "maxLength": scalars.LONGEST_NOTE}),
]
_DOMAIN = {"type": "string", "pattern": patterns.DOMAIN, "maxLength": names.LONGEST_NAME + 1}
Domain = Annotated[str, BeforeValidator(names.domain), WithJsonSchema(_DOMAIN)]
Domains = Annotated[
    tuple[Domain, ...],
    BeforeValidator(names.domain_list),
    WithJsonSchema(
        {
            "anyOf": [
                _DOMAIN,
                {
                    "type": "array",
                    "minItems": 1,
                    "maxItems": names.MAX_DOMAINS,
                    "uniqueItems": True,
                    "items": _DOMAIN,
                },
            ]
        }
    ),
]
ProxyUpstream = Annotated[Upstream, BeforeValidator(upstreams.proxy_upstream), UPSTREAM]
LocationUpstream = Annotated[
    Upstream,
    BeforeValidator(upstreams.location_upstream),
    _text(patterns.LOCATION_UPSTREAM),
]
ListenPort = Annotated[
    int,
    BeforeValidator(streams.listen_port),
    WithJsonSchema(
        {
            "type": "integer",
            "minimum": 1,
            "maximum": 65535,
            "not": {"enum": [*streams.NPMS_OWN]},
        }
    ),
]
StreamUpstream = Annotated[
    Upstream,
    BeforeValidator(streams.stream_upstream),
    WithJsonSchema({"type": "string", "pattern": ":[0-9]{1,5}$"}),
]
_PROTOCOL = {"enum": [*streams.PROTOCOLS]}
Protocols = Annotated[
    tuple[str, ...],
    BeforeValidator(streams.protocols),
    WithJsonSchema({"anyOf": [_PROTOCOL, {"type": "array", "minItems": 1, "items": _PROTOCOL}]}),
]
LocationPath = Annotated[
    str, BeforeValidator(upstreams.location_path), _text(patterns.LOCATION_PATH)
]
HealthPath = Annotated[str, BeforeValidator(scalars.health_path), _text(patterns.HEALTH_PATH)]
_NGINX = {"type": "string", "pattern": patterns.NGINX}
AdvancedConfig = Annotated[
    str,
    BeforeValidator(scalars.advanced_config),
    WithJsonSchema({"anyOf": [_NGINX, {"type": "array", "items": _NGINX}]}),
]
CertificateName = Annotated[
    str | None,
    BeforeValidator(scalars.certificate),
    WithJsonSchema({"type": "string", "minLength": 1}),
]
FileName = Annotated[
    str,
    BeforeValidator(scalars.file_name),
    WithJsonSchema({"type": "string", "minLength": 1}),
]
AccessListName = Annotated[
    str | None,
    BeforeValidator(partial(scalars.reference, what="access list")),
    WithJsonSchema({"type": "string", "minLength": 1}),
]
Title = Annotated[
    str,
    BeforeValidator(access.title),
    WithJsonSchema({"type": "string", "minLength": 1, "maxLength": access.LONGEST_TITLE}),
]
Satisfy = Annotated[Literal["any", "all"], BeforeValidator(partial(scalars.one_of, ("any", "all")))]
_ADDRESS = {"type": "string", "pattern": r"^([0-9.]+|[0-9A-Fa-f:.]+)(/[0-9]{1,3})?$|^all$"}
Rule = Annotated[
    tuple[str, str],
    BeforeValidator(access.rule),
    WithJsonSchema(
        {
            "type": "object",
            "properties": dict.fromkeys(access.DIRECTIVES, _ADDRESS),
            "minProperties": 1,
            "maxProperties": 1,
            "additionalProperties": False,
        }
    ),
]
Users = Annotated[
    Mapping[str, str | None],
    BeforeValidator(access.users),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "array", "items": {"type": "string", "minLength": 1}},
                {"type": "object", "additionalProperties": {"type": "string", "minLength": 1}},
            ]
        }
    ),
]
_STATUS = {
    "anyOf": [
        {"type": "integer", "minimum": 100, "maximum": 599},
        {"type": "string", "pattern": patterns.STATUSES},
    ]
}
Statuses = Annotated[
    ExpectStatus,
    BeforeValidator(scalars.expect_status),
    WithJsonSchema(
        {"anyOf": [*_STATUS["anyOf"], {"type": "array", "minItems": 1, "items": _STATUS}]}
    ),
]
MaxDelete = Annotated[
    DeleteLimit,
    BeforeValidator(scalars.max_delete),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "integer", "minimum": 0, "maximum": 1_000_000},
                {"type": "string", "pattern": patterns.SHARE},
            ]
        }
    ),
]


class Model(BaseModel):
    """A mapping of the file: frozen, without unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, defer_build=True)


def nested_model(model: type[BaseModel], name: str) -> type[BaseModel] | None:
    """The model that a field of `model` holds, alone, in a list or optional."""
    info = model.model_fields.get(name)
    return _model_in(info.annotation) if info else None


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    inner = getattr(annotation, "__args__", ())
    return next((found for part in inner if (found := _model_in(part))), None)
