"""Entries added, changed and removed in the text of a file, of which all else stays as it is.

The text is never written anew: the places are looked up, and the few characters there are replaced.
So comments, order, quotes and blank lines are kept. PyYAML's own nodes are taken, which know where
a value ends and what stands behind an alias; `config.document` has neither, and all checks, so what
comes of an edit has to be loaded to know whether it is good.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from proxysync.config.document import Value, parse
from proxysync.config.errors import Problems
from proxysync.config.writing import INDENT, flow, lines_of
from proxysync.model.errors import ProxysyncError

Keys = Sequence[str]
"""What leads to a value within an entry: `("health", "path")`."""


class EditError(ProxysyncError):
    """The text cannot be edited there without a person."""

    code = "config.edit"


@dataclass(frozen=True)
class _Pair:
    """A key of a mapping with its value."""

    key: yaml.Node
    value: yaml.Node

    @property
    def is_in_place(self) -> bool:
        """Whether the value stands there, and not elsewhere behind an alias."""
        return bool(self.value.start_mark.index >= self.key.end_mark.index)


def add(text: str, section: str, name: str, fields: Mapping[str, Any]) -> str:
    """The text with one more entry, the last one of its section. Raises EditError."""
    pairs = _pairs(_root(text))
    there = pairs.get(section)
    if there is None:
        start = text if not text or text.endswith("\n") else f"{text}\n"
        blank = "\n" if start.strip() else ""
        return start + blank + _lines({section: {name: fields}}, "")
    entries = there.value
    if isinstance(entries, yaml.MappingNode) and entries.value:
        return _with_pair(text, entries, name, fields)
    end = _line_end(text, there.key.end_mark.index)
    line = text[there.key.start_mark.index : end]
    kept = line.replace("{}", "", 1).replace("null", "", 1).replace("~", "", 1).rstrip()
    head = f"{text[: there.key.start_mark.index]}{kept}\n"
    return head + _lines({name: fields}, INDENT) + text[end:]


def change(text: str, section: str, name: str, keys: Keys, value: Any) -> str:
    """The text with another value in an entry. Raises EditError."""
    entry = _entry(text, section, name)
    return _changed(text, entry.value, keys, value)


def replace(text: str, section: str, name: str, fields: Mapping[str, Any]) -> str:
    """The text with these fields in an entry, and no others. Raises EditError.

    What stays the same stays as it is written, with the comments beside it.
    """
    if not fields:
        return add(remove(text, section, name), section, name, fields)
    old = read(text, section, name)
    for keys, value in _changes(old, fields):
        text = change(text, section, name, keys, value)
    for keys in _leftovers(old, fields):
        text = unset(text, section, name, keys)
    return text


def read(text: str, section: str, name: str) -> dict[str, Any]:
    """An entry as it is written, variables and all. Raises EditError where there is none."""
    entries = read_all(text).get(section)
    if not isinstance(entries, dict) or not isinstance(entries.get(name), dict):
        raise EditError(f"there is no {name} below {section} in it")
    entry: dict[str, Any] = entries[name]
    return entry


def read_all(text: str) -> dict[str, Any]:
    """The same of all that stands in the file; nothing where that cannot be read."""
    document = parse(text, "", Problems())
    found = _bare(document.root) if document and document.root else None
    return found if isinstance(found, dict) else {}


def _bare(value: Value) -> Any:
    if isinstance(value.data, dict):
        return {key: _bare(item) for key, item in value.data.items()}
    if isinstance(value.data, tuple):
        return [_bare(item) for item in value.data]
    return value.data


def _changes(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[tuple[Keys, Any]]:
    """What has to be set, by what leads there."""
    for key, value in new.items():
        before = old.get(key)
        if isinstance(before, dict) and isinstance(value, dict) and before and value:
            yield from (((key, *keys), inner) for keys, inner in _changes(before, value))
        elif key not in old or type(before) is not type(value) or before != value:
            yield (key,), value


def _leftovers(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Keys]:
    """What leads to what has to go."""
    for key, before in old.items():
        value = new.get(key)
        if key not in new:
            yield (key,)
        elif isinstance(before, dict) and isinstance(value, dict) and value:
            yield from ((key, *keys) for keys in _leftovers(before, value))


def unset(text: str, section: str, name: str, keys: Keys) -> str:
    """The text without a value of an entry; as it is where there is none. Raises EditError."""
    mapping = _entry(text, section, name).value
    for key in keys[:-1]:
        pair = _pairs(mapping).get(key)
        if pair is None or not isinstance(pair.value, yaml.MappingNode):
            return text
        mapping = pair.value
    if keys[-1] not in _pairs(mapping):
        return text
    return _without(text, mapping, keys[-1])


def remove(text: str, section: str, name: str) -> str:
    """The text without an entry, and without the comments right above it. Raises EditError."""
    _entry(text, section, name)
    entries = _pairs(_root(text))[section]
    if len(entries.value.value) > 1:
        return _without(text, entries.value, name)
    start, end = entries.key.end_mark.index, _last(text, entries.value)
    colon = text.index(":", start) + 1
    return f"{text[:colon]} {{}}{text[end:]}"


def _changed(text: str, mapping: yaml.Node, keys: Keys, value: Any) -> str:
    first, *rest = keys
    pair = _pairs(mapping).get(first)
    if pair is None:
        for key in reversed(rest):
            value = {key: value}
        return _with_pair(text, mapping, first, value)
    if not pair.is_in_place:
        raise EditError(f"{first} stands behind an alias", hint="Edit it by hand.")
    if rest and isinstance(pair.value, yaml.MappingNode):
        return _changed(text, pair.value, rest, value)
    for key in reversed(rest):
        value = {key: value}
    colon = text.index(":", pair.key.end_mark.index) + 1
    return text[:colon] + _after_colon(mapping, pair, value) + text[_last(text, pair.value) :]


def _after_colon(mapping: yaml.Node, pair: _Pair, value: Any) -> str:
    if _is_flow(mapping):
        return f" {flow(value)}"
    column = pair.key.start_mark.column
    written = _lines({"x": value}, " " * column)
    return written.rstrip("\n").lstrip(" ").removeprefix("x:")


def _with_pair(text: str, mapping: yaml.Node, key: str, value: Any) -> str:
    """The mapping with one more key, the last one."""
    if not isinstance(mapping, yaml.MappingNode) or not mapping.value:
        raise EditError("there is nothing to add it to", hint="Edit it by hand.")
    if _is_flow(mapping):
        end = mapping.end_mark.index - 1
        before = text[:end].rstrip()
        comma = "" if before.endswith(",") else ","
        return f"{before}{comma} {flow({key: value})[1:-1]}{text[len(before) : end]}{text[end:]}"
    first = mapping.value[0][0].start_mark
    end = _line_end(text, _last(text, mapping))
    head = text[:end] if text[:end].endswith("\n") else f"{text[:end]}\n"
    blank = "\n" if _has_gaps(text, mapping) else ""
    return head + blank + _lines({key: value}, " " * first.column) + text[end:]


def _without(text: str, mapping: yaml.Node, key: str) -> str:
    """The mapping without a key that is not its only one."""
    keys = list(_pairs(mapping))
    pair = _pairs(mapping)[key]
    if not pair.is_in_place:
        raise EditError(f"{key} stands behind an alias", hint="Edit it by hand.")
    start, end = pair.key.start_mark.index, _last(text, pair.value)
    if _is_flow(mapping):
        if key != keys[0]:
            return text[:start].rstrip(" \n").removesuffix(",") + text[end:]
        rest = text[end:].lstrip(" \n").removeprefix(",") if len(keys) > 1 else text[end:]
        return text[:start] + rest.lstrip(" \n")
    column = pair.key.start_mark.column
    start, end = _line_start(text, start), _line_end(text, end)
    while (above := _line_above(text, start)) and above.startswith(" " * column + "#"):
        start -= len(above)
    if _line_above(text, start).strip() == "" and text[end : end + 1] in ("\n", ""):
        start -= len(_line_above(text, start))
    return text[:start] + text[end:]


def _root(text: str) -> yaml.Node:
    """The top-level mapping; the text has been loaded, so that it is one."""
    try:
        node: yaml.Node | None = yaml.compose(text, Loader=yaml.SafeLoader)
    except (
        yaml.MarkedYAMLError
    ) as error:  # a tab before a comment: libyaml, which loads it, is laxer
        mark = error.problem_mark
        raise EditError(
            f"line {mark.line + 1 if mark else '?'}: {error.problem}",
            hint="Edit it by hand, or write blanks in place of tabs.",
        ) from error
    return yaml.MappingNode("", [], flow_style=False) if node is None else node


def _pairs(mapping: yaml.Node) -> dict[str, _Pair]:
    return {key.value: _Pair(key, value) for key, value in mapping.value}


def _entry(text: str, section: str, name: str) -> _Pair:
    entries = _pairs(_root(text)).get(section)
    if entries is None or not isinstance(entries.value, yaml.MappingNode):
        raise EditError(f"there is no {section} in it", hint="Edit it by hand.")
    if not entries.is_in_place or name not in _pairs(entries.value):
        raise EditError(
            f"{name} does not stand below {section} in it: an alias or a merge brings it there",
            hint="Edit it by hand.",
        )
    entry = _pairs(entries.value)[name]
    if not entry.is_in_place or not isinstance(entry.value, yaml.MappingNode):
        raise EditError(f"{name} stands behind an alias", hint="Edit it by hand.")
    return entry


def _is_flow(node: yaml.Node) -> bool:
    return isinstance(node, yaml.CollectionNode) and bool(node.flow_style)


def _last(text: str, node: yaml.Node) -> int:
    """Where a value ends: after its last character that is neither blank nor a comment."""
    if isinstance(node, yaml.CollectionNode) and not node.flow_style and node.value:
        last = node.value[-1]
        key, value = last if isinstance(last, tuple) else (last, last)
        behind = value.start_mark.index < key.start_mark.index
        return key.end_mark.index + 1 if behind else _last(text, value)
    end: int = node.end_mark.index
    while end > node.start_mark.index and text[end - 1] in " \t\n":
        end -= 1
    return end


def _has_gaps(text: str, mapping: yaml.MappingNode) -> bool:
    """Whether a blank line stands between the last two of its keys."""
    if len(mapping.value) < 2:
        return False
    (_, value), (key, _) = mapping.value[-2:]
    return "\n\n" in text[_last(text, value) : key.start_mark.index]


def _lines(mapping: Mapping[str, Any], indent: str) -> str:
    return "".join(f"{line}\n" for line in lines_of(mapping, indent))


def _line_start(text: str, index: int) -> int:
    return text.rfind("\n", 0, index) + 1


def _line_end(text: str, index: int) -> int:
    found = text.find("\n", index)
    return len(text) if found < 0 else found + 1


def _line_above(text: str, start: int) -> str:
    """The line before the one that starts there; nothing above the first."""
    return text[_line_start(text, start - 1) : start] if start else ""
