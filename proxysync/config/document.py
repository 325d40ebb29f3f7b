"""YAML to a tree of values that know where they stand.

It is built from the parser's events, so that aliases cost nothing until they are counted and
nesting is bounded before anything recurses. What is counted is bounded, too: a file from
somewhere else can end in an error only.
"""

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from operator import is_
from typing import Any, NoReturn, TypeAlias

import yaml

from proxysync.config.errors import Path, Problems
from proxysync.model.position import Position
from proxysync.values.invalid import quote

MAX_VALUES = 200_000
MAX_DEPTH = 50

Scalar: TypeAlias = bool | int | float | str | None

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_CORE_TAGS = {f"tag:yaml.org,2002:{name}" for name in ("str", "map", "seq")} | {"!"}
_TRUE = frozenset(["yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON"])
_FALSE = frozenset(["no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF"])
_NULL = frozenset(["", "~", "null", "Null", "NULL"])
_SURROGATE = re.compile("[\ud800-\udfff]")
_NUMBER_STARTS = frozenset("+-0123456789")
_INT = re.compile(r"[-+]?(?:0|[1-9][0-9]{0,17})", re.ASCII)
_FLOAT = re.compile(r"[-+]?[0-9]{1,18}\.[0-9]{1,18}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Value:
    """A scalar, a mapping or a list; `at` is its key, or itself where it has none.

    `size` and `depth` count with aliases followed. `shown` is what messages show instead of
    the value, where that came from the environment. `plain` is a scalar without quotes.
    """

    data: "Scalar | dict[str, Value] | tuple[Value, ...]"
    at: Position
    size: int = 1
    depth: int = 1
    plain: bool = False
    shown: str | None = None

    @property
    def parts(self) -> "Collection[Value]":
        """The values in a mapping or a list."""
        if isinstance(self.data, dict):
            return self.data.values()
        return self.data if isinstance(self.data, tuple) else ()

    def holding(self, data: "dict[str, Value] | tuple[Value, ...]") -> "Value":
        """The mapping or list with other parts; with the same, it is this very value."""
        parts = data.values() if isinstance(data, dict) else data
        if len(parts) == len(self.parts) and all(map(is_, parts, self.parts)):
            return self
        return Value(data, self.at, self.size, self.depth, self.plain, self.shown)


@dataclass(frozen=True)
class Document:
    """A file's only document; `root` is None if there is none in it."""

    root: Value | None
    block_style: bool = False


class _Stop(Exception):  # noqa: N818
    """What was found makes going on pointless; it is among the problems."""


def parse(text: str, file: str, problems: Problems) -> Document | None:
    """The document in `text`; None if it cannot be read, and `problems` says why."""
    builder = _Builder(text, file, problems)
    try:
        return builder.document()
    except yaml.YAMLError as error:
        _explain(error, text, file, problems)
    except (_Stop, RecursionError):
        if not problems:
            problems.add(Position(file, 1, 1), (), "is nested too deeply")
    return None


def scalar(text: str, *, null: bool = True) -> Scalar:
    """What a plain text means: YAML 1.1's words, decimal numbers; dates and times are texts."""
    if null and text in _NULL:
        return None
    if text in _TRUE:
        return True
    if text in _FALSE:
        return False
    if text[:1] not in _NUMBER_STARTS:
        return text
    if _INT.fullmatch(text):
        return int(text)
    return float(text) if _FLOAT.fullmatch(text) else text


class _Builder:
    def __init__(self, text: str, file: str, problems: Problems) -> None:
        self._events: Iterator[yaml.Event] = _events(text)
        self._file = file
        self._problems = problems
        self._anchors: dict[str, Value] = {}
        self._open: set[str] = set()
        self._count = 0

    def document(self) -> Document:
        root, block_style = None, False
        for event in self._events:
            if isinstance(event, yaml.DocumentStartEvent):
                if root is not None:
                    message = "holds a second document: remove the --- line before it"
                    self._stop(self._at(event), (), message)
                first = next(self._events)
                if not isinstance(first, yaml.MappingStartEvent):
                    return Document(self._no_mapping(first))
                block_style = not first.flow_style
                root = self._value(first, (), 1)
        return Document(root, block_style)

    def _no_mapping(self, event: yaml.Event) -> Value:
        """What stands for a root of another kind; nothing of its content is looked at."""
        if isinstance(event, yaml.SequenceStartEvent):
            return Value((), self._at(event))
        is_null = (
            isinstance(event, yaml.ScalarEvent)
            and event.implicit[0]
            and scalar(event.value) is None
        )
        return Value(None if is_null else "", self._at(event))

    def _value(
        self, event: yaml.Event, path: Path, depth: int, at: Position | None = None
    ) -> Value:
        """The value that starts with `event`; `at` is its key's place if it has one."""
        at = at or self._at(event)
        self._charge(at, 1)
        if depth > MAX_DEPTH:
            self._stop(at, (), f"is nested more than {MAX_DEPTH} levels deep here")
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event, path, depth, at)
        assert isinstance(event, yaml.NodeEvent)
        anchor = event.anchor
        if anchor is None:
            return self._node(event, path, depth, at)
        self._open.add(anchor)
        value = self._node(event, path, depth, at)
        self._open.discard(anchor)
        self._anchors[anchor] = value
        return value

    def _node(self, event: yaml.NodeEvent, path: Path, depth: int, at: Position) -> Value:
        tag = getattr(event, "tag", None)
        if tag is not None and tag not in _CORE_TAGS:
            self._problems.add(at, path, f"has the tag {quote(tag)}: tags have no meaning here")
        if isinstance(event, yaml.ScalarEvent):
            text = self._text(event, path)
            plain = event.implicit[0] and tag is None
            return Value(scalar(text) if plain else text, at, plain=plain)
        if isinstance(event, yaml.SequenceStartEvent):
            return self._sequence(path, depth, at)
        return self._mapping(path, depth, at)

    def _sequence(self, path: Path, depth: int, start: Position) -> Value:
        items: list[Value] = []
        while not isinstance(event := next(self._events), yaml.SequenceEndEvent):
            items.append(self._value(event, (*path, len(items)), depth + 1))
        return _whole(start, tuple(items), items)

    def _mapping(self, path: Path, depth: int, start: Position) -> Value:
        own: dict[str, Value] = {}
        merged: dict[str, Value] | None = None
        while not isinstance(event := next(self._events), yaml.MappingEndEvent):
            at = self._at(event)
            key = self._key(event, path, at)
            value = self._value(next(self._events), (*path, key), depth + 1, at)
            is_merge = key == "<<" and isinstance(event, yaml.ScalarEvent) and event.implicit[0]
            if is_merge and merged is None:
                merged = self._merge(value, path)
            elif is_merge:
                self._problems.add(at, (*path, key), "stands here a second time: give it a list")
            elif key in own:
                first = own[key].at
                self._problems.add(
                    at, (*path, key), f"stands here a second time, first in line {first.line}"
                )
            else:
                own[key] = value
        for key, value in (merged or {}).items():
            own.setdefault(key, value)
        return _whole(start, own, own.values())

    def _merge(self, value: Value, path: Path) -> dict[str, Value]:
        sources = value.data if isinstance(value.data, tuple) else (value,)
        found: dict[str, Value] = {}
        for source in sources:
            if not isinstance(source.data, dict):
                self._problems.add(
                    value.at, (*path, "<<"), "must be a mapping or a list of them, such as *common"
                )
                return {}
            self._charge(value.at, len(source.data))
            for key, merged in source.data.items():
                found.setdefault(key, merged)
        return found

    def _key(self, event: yaml.Event, path: Path, at: Position) -> str:
        if isinstance(event, yaml.ScalarEvent) and event.anchor is None and event.tag is None:
            self._charge(at, 1)
            return self._text(event, path)
        key = self._value(event, path, 1, at)
        if isinstance(event, yaml.ScalarEvent):
            return self._text(event, path)
        if not isinstance(event, yaml.AliasEvent) or not isinstance(key.data, str):
            hint = "quote it if it starts with *, { or ["
            self._stop(at, path, "has a key that is no plain text", hint)
        return key.data

    def _text(self, event: yaml.ScalarEvent, path: Path) -> str:
        text: str = event.value
        if not text.isascii() and _SURROGATE.search(text):
            message = "holds half of a surrogate pair, which is no character"
            self._stop(self._at(event), path, message)
        return text

    def _alias(self, event: yaml.AliasEvent, path: Path, depth: int, at: Position) -> Value:
        name = str(event.anchor)
        if name in self._open:
            self._stop(at, path, f"*{name} holds itself, which has no end")
        if name not in self._anchors:
            hint = f'set &{name} before it, or quote a text that starts with a *: "*…"'
            self._stop(at, path, f"*{name} names no anchor above it", hint)
        value = self._anchors[name]
        self._charge(at, value.size)
        if depth + value.depth - 1 > MAX_DEPTH:
            self._stop(at, (), f"is nested more than {MAX_DEPTH} levels deep here")
        return replace(value, at=at)

    def _charge(self, at: Position, values: int) -> None:
        self._count += values
        if self._count > MAX_VALUES:
            self._stop(at, (), f"holds more than {MAX_VALUES} values, aliases followed")

    def _at(self, event: yaml.Event) -> Position:
        mark = event.start_mark
        assert mark is not None
        return Position(self._file, mark.line + 1, mark.column + 1)

    def _stop(self, at: Position, path: Path, message: str, hint: str | None = None) -> NoReturn:
        self._problems.add(at, path, message, hint)
        raise _Stop


def _events(text: str) -> Iterator[yaml.Event]:
    """As `yaml.parse`, which asks before each event whether there is one."""
    loader = _LOADER(text)
    try:
        while True:
            event = loader.get_event()
            yield event
            if isinstance(event, yaml.StreamEndEvent):
                return
    finally:
        loader.dispose()


def _whole(at: Position, data: Any, parts: Collection[Value]) -> Value:
    size, depth = 1, 0
    for part in parts:
        size += part.size
        depth = max(depth, part.depth)
    return Value(data, at, size, depth + 1)


def _explain(error: yaml.YAMLError, text: str, file: str, problems: Problems) -> None:
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    line, column = (mark.line, mark.column) if mark else (0, 0)
    lines = text.splitlines()
    rest = lines[line][column:] if line < len(lines) else ""
    before = lines[line][:column] if line < len(lines) else ""
    what = getattr(error, "problem", None) or "it cannot be read"
    context = getattr(error, "context", None)
    problems.add(
        Position(file, line + 1, column + 1),
        (),
        f"is not YAML: {f'{context}, ' if context else ''}{what}",
        _syntax_hint(before, rest, str(what)),
    )


def _syntax_hint(before: str, rest: str, what: str) -> str | None:
    """What people mostly did where the parser gives up."""
    if rest.startswith("\t") or "\t" in before:
        return "indent with blanks, not with tabs"
    if rest[:1] in ("*", "&", "%", "@", "`", "!") or before.rstrip()[-1:] == "*":
        return 'quote a text that starts with such a character: "*.example.com"'
    if before.endswith("$") and rest.startswith("{"):
        return 'quote a text with a variable inside of brackets: "${NAME}"'
    if "mapping values are not allowed" in what:
        return "quote a text that holds a colon and a blank; else check the indentation"
    return "check the indentation, brackets and quotes here and in the line above"


def plain(value: Value) -> Any:
    """The bare data; a key with null is left out, so that its field has its usual value."""
    if isinstance(value.data, dict):
        return {k: plain(item) for k, item in value.data.items() if item.data is not None}
    if isinstance(value.data, tuple):
        return tuple(plain(item) for item in value.data)
    return value.data
