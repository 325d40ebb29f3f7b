"""The JSON Schema of the file, for editors, made from the models."""

from collections.abc import Callable
from typing import Any

from proxysync.config.entries import SECTIONS, VERSION
from proxysync.config.models import AllDefaults, Settings
from proxysync.kinds import Kind
from proxysync.kinds.entry import NEVER_BLANK
from proxysync.values import patterns
from proxysync.values.fields import Model
from proxysync.values.names import ENTRY_NAME, VARIABLE_NAME
from proxysync.values.scalars import duration_text

DIALECT = "http://json-schema.org/draft-07/schema#"
"""The newest that the language servers of all editors know."""

Schema = dict[str, Any]

_VARIABLE = "Variable"
_VARIABLE_SCHEMA: Schema = {
    "description": "${NAME} or ${NAME:-default}: what was handed over as PROXYSYNC_VAR_NAME, or, "
    "where a secret can stand, as PROXYSYNC_SECRET_NAME; else what `vars` says.",
    "type": "string",
    "pattern": patterns.VARIABLE,
}
REF = "#/definitions/{model}"
DURATIONS = (patterns.DURATION, patterns.SECOND)
SINCE = "x-since"
"""The version that a field came with, as its `json_schema_extra`; of the first one, if not said."""

_ABOUT = ("description", "default", "examples", SINCE)
_NULL: Schema = {"type": "null"}


def json_schema() -> dict[str, Any]:
    """Draft 7. It accepts what loading accepts, and a bit more: nothing is said about several
    entries at once, nor about variables and snippets that are not there.
    """
    definitions: Schema = {_VARIABLE: _VARIABLE_SCHEMA}
    settings, defaults = (_schema(model, definitions) for model in (Settings, AllDefaults))
    return {
        "$schema": DIALECT,
        "title": "proxies.yaml of proxysync",
        "description": "The proxies that Nginx Proxy Manager is to have.",
        "type": "object",
        "properties": {
            "version": {
                "description": "The version of this format.",
                "enum": [VERSION, None],
            },
            "settings": _or(settings, _NULL),
            "vars": {
                "description": "What ${NAME} stands for where nothing else was handed over for it.",
                "type": ["object", "null"],
                "propertyNames": {"pattern": f"^{VARIABLE_NAME}$"},
                "additionalProperties": {"type": ["string", "integer", "boolean"], "minLength": 1},
            },
            "snippets": {
                "description": "Parts of advanced_config, which may name them in a list.",
                "type": ["object", "null"],
                "propertyNames": {"pattern": f"^{ENTRY_NAME}$"},
                "additionalProperties": {"type": "string", "pattern": patterns.NGINX},
            },
            "defaults": _or(defaults, _NULL),
            **{
                section: {
                    "description": f"The {kind.nouns} by their names.",
                    "type": "object",
                    "propertyNames": {"pattern": f"^{ENTRY_NAME}$"},
                    "additionalProperties": _schema(kind.entry_model, definitions),
                    "defaultSnippets": [_snippet(kind)],
                }
                for section, kind in SECTIONS.items()
            },
        },
        "patternProperties": {"^x-": {"description": "Free for anchors."}},
        "additionalProperties": False,
        "definitions": definitions,
    }


def entry_schema(section: str, ref: Callable[[str], Schema]) -> tuple[Schema, dict[str, Schema]]:
    """An entry of a section, and the models in it by their names; `ref` leads to one of those."""
    whole = json_schema()
    found = whole["properties"][section]["additionalProperties"]
    needed: dict[str, Schema] = {}

    def moved(value: Any) -> Any:
        if isinstance(value, list):
            return [moved(item) for item in value]
        if not isinstance(value, dict):
            return value
        if "$ref" not in value:
            return {key: moved(item) for key, item in value.items()}
        name = value["$ref"].rpartition("/")[2]
        if name not in needed:
            needed[name] = {}
            needed[name] = moved(whole["definitions"][name])
        return ref(name)

    return moved(found), needed


def _schema(model: type[Model], definitions: Schema) -> Schema:
    """The model's schema, with those of the models in it added to `definitions`."""
    schema = model.model_json_schema(ref_template=REF)
    for name, definition in schema.pop("$defs", {}).items():
        definitions[name] = _widened(definition)
    widened = _widened(schema)
    name = "verify" if model is Settings else "health"
    if name in widened["properties"]:
        words = ["auto", False, "off"] if model is Settings else [False, "off"]
        widened["properties"][name]["anyOf"].append({"enum": words})
    return widened


def _snippet(kind: Kind) -> Schema:
    """What an editor offers for a new entry: what it must have, to be filled in."""
    fields = kind.entry_model.model_fields
    needed = [name for name, info in fields.items() if info.is_required()] or [*fields][1:]
    body = {name: (fields[name].examples or [None])[0] for name in needed}
    return {
        "label": kind.noun,
        "description": f"A {kind.noun} with {kind.example()}.",
        "body": {"${1:name}": {name: value for name, value in body.items() if value is not None}},
    }


def _widened(schema: Schema) -> Schema:
    """The schema of a mapping, with null and `${NAME}` for its fields, as loading accepts them."""
    required = schema.get("required", ())
    fields = {
        name: _field(field, blank=name not in required and name not in NEVER_BLANK)
        for name, field in schema["properties"].items()
    }
    return {**{k: v for k, v in schema.items() if k != "title"}, "properties": fields}


def _field(field: Schema, *, blank: bool) -> Schema:
    about: Schema = {key: _said(field, field[key]) for key in _ABOUT if key in field}
    if isinstance(about.get("default"), dict):
        about["default"] = {}  # each of its fields says its own, and in the file's words
    kind = {key: value for key, value in field.items() if key not in (*_ABOUT, "title")}
    return {**about, "anyOf": _choices(kind) + ([_NULL] if blank else [])}


def _said(field: Schema, value: Any) -> Any:
    """A default as it would stand in the file: `5m`, not 300.0."""
    if not isinstance(value, float):
        return value
    is_duration = any(choice.get("pattern") in DURATIONS for choice in field.get("anyOf", ()))
    if is_duration:
        return duration_text(value)
    return int(value) if value.is_integer() else value


def _choices(schema: Schema) -> list[Schema]:
    """What may stand for `schema`: a variable for any scalar, also for one in a list."""
    choices = [dict(choice) for choice in schema.get("anyOf", [schema]) if choice != _NULL]
    for choice in choices:
        if "items" in choice:
            choice["items"] = _or(*_choices(choice["items"]))
    if any(not choice.keys() & {"$ref", "items", "properties"} for choice in choices):
        choices.append({"$ref": REF.format(model=_VARIABLE)})
    return choices


def _or(*choices: Schema) -> Schema:
    return {"anyOf": list(choices)}
