"""Strict validation of request bodies, with the coercions and messages of NPM's validator.

Understands the part of JSON Schema that `schema.py` uses.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from proxysync.sandbox.errors import ApiError

Schema = Mapping[str, Any]
_NUMBER = re.compile(r"\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*")
_UNFIT = object()


def validate(schema: Schema, payload: Any, *, legacy: bool = False) -> Any:
    """The payload with its values coerced to the types of the schema.

    `legacy` is the validator before NPM 2.12: other wording, the first error only, and
    alternatives that stop at the first match. Raises ApiError 400 with NPM's message.
    """
    check = _Check(legacy=legacy)
    value = check.value(schema, payload, ())
    if check.errors:
        raise ApiError(400, check.message())
    return value


class _Check:
    def __init__(self, *, legacy: bool) -> None:
        self.legacy = legacy
        self.errors: list[tuple[tuple[str | int, ...], str]] = []

    def message(self) -> str:
        if not self.legacy:
            return ", ".join(
                "/".join(("data", *map(str, path))) + f" must {text}" for path, text in self.errors
            )
        path, text = self.errors[0]
        where = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
        return f"data{where} should {text}"

    def value(self, schema: Schema, value: Any, path: tuple[str | int, ...]) -> Any:
        for keyword in ("anyOf", "oneOf"):
            if keyword in schema:
                return self._alternatives(keyword, schema[keyword], value, path)
        if "type" in schema:
            types = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
            value = _coerced(types, value)
            if not any(_is(kind, value) for kind in types):
                self._add(path, f"be {','.join(types)}")
                return value
        if "enum" in schema and value not in schema["enum"]:
            self._add(path, "be equal to one of the allowed values")
        if isinstance(value, dict):
            return self._object(schema, value, path)
        if isinstance(value, list):
            return self._array(schema, value, path)
        if isinstance(value, str):
            self._string(schema, value, path)
        elif not isinstance(value, bool) and isinstance(value, int | float):
            self._number(schema, value, path)
        return value

    def _add(self, path: tuple[str | int, ...], text: str) -> None:
        self.errors.append((path, text))

    def _alternatives(
        self, keyword: str, branches: Sequence[Schema], value: Any, path: tuple[str | int, ...]
    ) -> Any:
        start, passed = len(self.errors), 0
        for branch in branches:
            before = len(self.errors)
            # Each branch coerces what the one before it left: this is how 0 becomes "0".
            value = self.value(branch, value, path)
            passed += len(self.errors) == before
            if passed and self.legacy:
                break
        if passed == 1 or (passed and keyword == "anyOf"):
            del self.errors[start:]
        elif keyword == "anyOf":
            self._add(path, "match a schema in anyOf")
        else:
            self._add(path, "match exactly one schema in oneOf")
        return value

    def _object(
        self, schema: Schema, value: dict[str, Any], path: tuple[str | int, ...]
    ) -> dict[str, Any]:
        properties = schema.get("properties", {})
        if len(value) < schema.get("minProperties", 0):
            self._add(path, f"NOT have fewer than {schema['minProperties']} properties")
        for name in schema.get("required", ()):
            if name not in value:
                self._add(path, f"have required property '{name}'")
        if schema.get("additionalProperties") is False:
            for _ in value.keys() - properties.keys():
                self._add(path, "NOT have additional properties")
        checked = {
            name: self.value(properties[name], value[name], (*path, name))
            for name in properties
            if name in value
        }
        return {name: checked.get(name, item) for name, item in value.items()}

    def _array(self, schema: Schema, value: list[Any], path: tuple[str | int, ...]) -> list[Any]:
        if len(value) > schema.get("maxItems", len(value)):
            self._add(path, f"NOT have more than {schema['maxItems']} items")
        if len(value) < schema.get("minItems", 0):
            self._add(path, f"NOT have fewer than {schema['minItems']} items")
        item = schema.get("items", {})
        value = [self.value(item, part, (*path, index)) for index, part in enumerate(value)]
        if schema.get("uniqueItems"):
            self._unique(value, path)
        return value

    def _unique(self, value: list[Any], path: tuple[str | int, ...]) -> None:
        for high in range(len(value) - 1, 0, -1):
            if value[high] in value[:high]:
                low = max(index for index in range(high) if value[index] == value[high])
                self._add(
                    path, f"NOT have duplicate items (items ## {high} and {low} are identical)"
                )
                return

    def _string(self, schema: Schema, value: str, path: tuple[str | int, ...]) -> None:
        if len(value) > schema.get("maxLength", len(value)):
            self._add(path, f"NOT have more than {schema['maxLength']} characters")
        if len(value) < schema.get("minLength", 0):
            self._add(path, f"NOT have fewer than {schema['minLength']} characters")
        if "pattern" in schema and not re.search(_quick(schema["pattern"]), value):
            self._add(path, f'match pattern "{schema["pattern"]}"')

    def _number(self, schema: Schema, value: float, path: tuple[str | int, ...]) -> None:
        if value > schema.get("maximum", value):
            self._add(path, f"be <= {schema['maximum']}")
        if value < schema.get("minimum", value):
            self._add(path, f"be >= {schema['minimum']}")


def _quick(pattern: str) -> str:
    """The same pattern, where NPM's own would take too long to refuse."""
    return pattern.replace(r"(?:[^.*]+\.?)+", r"[^.*]+(?:\.[^.*]+)*\.?")


def _is(kind: str, value: Any) -> bool:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return {
        "null": value is None,
        "boolean": isinstance(value, bool),
        "string": isinstance(value, str),
        "array": isinstance(value, list),
        "object": isinstance(value, dict),
        "integer": number and value == int(value),
        "number": number,
    }[kind]


def _coerced(types: Sequence[str], value: Any) -> Any:
    if any(_is(kind, value) for kind in types):
        whole = isinstance(value, float) and value.is_integer()
        return int(value) if whole else value
    for kind in types:
        coerced = _COERCIONS.get(kind, _leave)(value)
        if coerced is not _UNFIT:
            return coerced
    return value


def _leave(_: Any) -> Any:
    return _UNFIT


def _to_string(value: Any) -> Any:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, int | float) else _UNFIT


def _to_integer(value: Any) -> Any:
    if value is None or isinstance(value, bool):
        return int(bool(value))
    if isinstance(value, str) and _NUMBER.fullmatch(value) and float(value).is_integer():
        return int(float(value))
    return _UNFIT


def _to_boolean(value: Any) -> Any:
    if value in (None, "false", 0):
        return False
    return True if value in ("true", 1) else _UNFIT


def _to_null(value: Any) -> Any:
    return None if value in ("", 0) else _UNFIT


_COERCIONS = {
    "string": _to_string,
    "integer": _to_integer,
    "boolean": _to_boolean,
    "null": _to_null,
}
