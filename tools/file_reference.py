"""Writes the tables of docs/file.md from the JSON Schema: `python -m tools.file_reference`.

A table stands between `<!-- fields: NAME -->` and `<!-- end -->`. What it says is what an editor
shows of the same schema.
"""

import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from proxysync.config.json_schema import SINCE, json_schema
from proxysync.values import patterns

PAGE = Path(__file__).parents[1] / "docs" / "file.md"
FIRST_VERSION = "0.1.0"
"""Since when there is what says nothing of it."""

HOSTS = ("proxies", "redirections", "not_found_hosts")
PARTS = {"health": "Health", "validation": "Validation", "locations": "Location"}
"""Tables of their own for mappings within entries, and their definitions."""
MODELS = frozenset(PARTS.values())

BLOCK = re.compile(r"(<!-- fields: ([\w ]+) -->\n).*?(<!-- end -->)", re.DOTALL)
WORDS = {
    patterns.DURATION: "duration",
    patterns.SECOND: "duration",
    patterns.UPSTREAM: "URL",
    patterns.LOCATION_UPSTREAM: "URL",
    patterns.DOMAIN: "domain",
    patterns.SHARE: "share",
    patterns.STATUSES: "range",
    patterns.RESOLVER: "IP address",
    patterns.LOCATION_PATH: "path",
    patterns.HEALTH_PATH: "path",
}
Schema = Mapping[str, Any]


@cache
def _schema() -> Schema:
    return json_schema()


def properties(schema: Schema) -> Mapping[str, Schema]:
    """The fields of a mapping, also of one that may be null."""
    if "$ref" in schema:
        return properties(_schema()["definitions"][schema["$ref"].rpartition("/")[2]])
    inner = (found for one in schema.get("anyOf", ()) if (found := properties(one)))
    return schema.get("properties") or next(inner, {})


def tables() -> dict[str, Mapping[str, Schema]]:
    """The fields of each table, by its name."""
    sections = _schema()["properties"]
    found = {
        name: properties(section["additionalProperties"])
        for name, section in sections.items()
        if "defaultSnippets" in section
    }
    first, *others = (found[name] for name in HOSTS)
    shared = {k: v for k, v in first.items() if all(other.get(k) == v for other in others)}
    own = {
        name: {k: v for k, v in fields.items() if name not in HOSTS or k not in shared}
        for name, fields in found.items()
    }
    parts = {name: properties(_schema()["definitions"][model]) for name, model in PARTS.items()}
    settings = dict(_nested("", properties(sections["settings"])))
    return {"settings": settings, "hosts": shared, **own, **parts}


def _nested(prefix: str, fields: Mapping[str, Schema]) -> Iterator[tuple[str, Schema]]:
    for name, field in fields.items():
        inner = properties(field)
        is_mapping = inner and not any("enum" in one for one in field["anyOf"])
        if is_mapping:
            yield from _nested(f"{prefix}{name}.", inner)
        else:
            yield prefix + name, field


def type_of(field: Schema) -> str:
    """What may stand there, in a few words."""
    choices = [one for one in field.get("anyOf", [field]) if not _is_everywhere(one)]
    words = list(dict.fromkeys(_word(one) for one in choices))
    if "duration" in words:
        words.remove("number")
    return " or ".join(words)


def _is_everywhere(choice: Schema) -> bool:
    return choice == {"type": "null"} or str(choice.get("$ref")).endswith("/Variable")


def _word(choice: Schema) -> str:
    match choice:
        case {"enum": [*values]}:
            return ", ".join(f"`{_text(v)}`" for v in values if v is not False)
        case {"items": items}:
            word = type_of(items)
            return f"list of {word if word.endswith('`') else word + 's'}"
        case {"type": "object", "properties": fields}:
            return " or ".join(f"`{{{name}: …}}`" for name in fields)
        case {"type": "integer", "minimum": least, "maximum": most} if most <= 65535:
            return f"{least} to {most}"
        case {"pattern": pattern} if pattern in WORDS:
            return WORDS[pattern]
        case {"$ref": _} | {"type": "object"}:
            return "mapping"
        case {"type": "boolean"}:
            return "`true`, `false`"
        case {"type": "integer" | "number"}:
            return "number"
    return "text"


def default_of(field: Schema) -> str:
    """What holds if it is left out."""
    if "default" not in field:
        return "**required**"
    value = field["default"]
    if value == {} and any(str(c.get("$ref")).rpartition("/")[2] in MODELS for c in field["anyOf"]):
        return "see below"
    if value is None or value == "" or (isinstance(value, list | dict) and not value):
        return "none"
    return f"`{_text(value)}`"


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def table(fields: Mapping[str, Schema]) -> str:
    """One table; what must stand there comes first."""
    lines = ["| field | may be | default | meaning | since |", "|---|---|---|---|---|"]
    for name in sorted(fields, key=lambda name: "default" in fields[name]):
        field = fields[name]
        since = field.get(SINCE, FIRST_VERSION)
        cells = (f"`{name}`", type_of(field), default_of(field), field["description"], since)
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def rewritten(page: str) -> str:
    """The page with its tables as they should be. Raises KeyError for a name that there is not."""
    found = tables()
    return BLOCK.sub(lambda block: f"{block[1]}{table(found[block[2]])}{block[3]}", page)


if __name__ == "__main__":
    PAGE.write_text(rewritten(PAGE.read_text()))
