"""Values as YAML that a person would write, and that the loader reads as these very values.

Nothing in the text is changed by what guards terminals and CI servers (`model.text`), so that it is
the same on stdout and in a file.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import yaml

from proxysync.config.document import scalar
from proxysync.config.interpolate import SECRET_FIELDS
from proxysync.model.text import without_commands

WIDTH = 99
INDENT = "  "

_PLAIN = re.compile(r"[A-Za-z0-9/_.](?:[A-Za-z0-9_./@%+~=()*-]|:(?=[^\s:])| (?=[^\s#:]))*")
_ESCAPES = {'"': r"\"", "\\": r"\\", "\t": r"\t", "\n": r"\n", "\r": r"\r"}


def without_variables(value: Any, secrets: Mapping[str, str], *, may_hide: bool = False) -> Any:
    """The value so that interpolation gives it back: `${` is escaped.

    Where secrets may stand in the file, those handed over become their `${NAME}` again: `secrets`
    maps them to that.
    """
    if isinstance(value, str):
        return _escaped(value, secrets if may_hide else {})
    if isinstance(value, Mapping):
        return {
            key: without_variables(item, secrets, may_hide=may_hide or key in SECRET_FIELDS)
            for key, item in value.items()
        }
    if isinstance(value, list | tuple):
        return [without_variables(item, secrets, may_hide=may_hide) for item in value]
    return value


def lines_of(mapping: Mapping[str, Any], indent: str = "") -> Iterator[str]:
    """The lines of a mapping of texts, numbers, switches, lists and mappings."""
    for key, value in mapping.items():
        yield from _item(f"{indent}{_scalar(key)}:", value, indent)


def flow(value: Any) -> str:
    """The value on one line."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_scalar(key)}: {flow(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(flow, value))}]"
    return _scalar(value)


def _item(start: str, value: Any, indent: str) -> Iterator[str]:
    deeper = indent + INDENT
    if isinstance(value, Mapping):
        yield start if value else f"{start} {{}}"
        yield from lines_of(value, deeper)
    elif isinstance(value, list | tuple):
        yield from _list(start, value, deeper)
    elif isinstance(value, str) and "\n" in value:
        yield from _long(start, value, deeper)
    else:
        yield f"{start} {_scalar(value)}"


def _list(start: str, items: Sequence[Any], indent: str) -> Iterator[str]:
    if not any(isinstance(item, Mapping) for item in items):
        line = f"{start} {flow(items)}"
        if len(line) <= WIDTH or not items:
            yield line
            return
    yield start
    for item in items:
        if isinstance(item, Mapping) and item:
            first, *others = lines_of(item, indent + INDENT)
            yield f"{indent}- {first.lstrip(' ')}"
            yield from others
        else:
            yield f"{indent}- {flow(item)}"


def _long(start: str, text: str, indent: str) -> Iterator[str]:
    """A text of several lines: as it is, or where that cannot be, in quotes line by line."""
    *lines, last = text.split("\n")
    if lines[-1] and "".join(lines).isprintable() and last.isprintable() and not _is_order(text):
        # With a space first, YAML cannot tell how far the text is indented.
        depth = str(len(INDENT)) if text[0] in " \n" else ""
        yield f"{start} |{depth}{'-' if last else ''}"
        yield from (indent + line if line else "" for line in (*lines, *([last] if last else [])))
        return
    yield f'{start} "\\'
    yield from (f"{indent}{_within_quotes(line)}\\n\\" for line in lines)
    yield f'{indent}{_within_quotes(last)}"'


def _is_order(text: str) -> bool:
    """Whether a CI server would act on one of its lines."""
    return without_commands(text) != text


def _within_quotes(line: str) -> str:
    text = "".join(_ESCAPES.get(c) or (c if c.isprintable() else _code(c)) for c in line)
    return f"\\{text}" if text.startswith(" ") else text


def _code(character: str) -> str:
    number = ord(character)
    if number < 0x100:
        return f"\\x{number:02x}"
    return f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"


def _scalar(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None:
        return "null"
    if not isinstance(value, str):
        return str(value)
    return value if _is_plain(value) else f'"{_within_quotes(value)}"'


def _is_plain(text: str) -> bool:
    """Whether the text without quotes means itself, to us and to other readers of YAML."""
    if not _PLAIN.fullmatch(text) or scalar(text) != text:
        return False
    try:
        return bool(yaml.safe_load(text) == text)
    except (yaml.YAMLError, ValueError):
        return False


def _escaped(text: str, secrets: Mapping[str, str]) -> str:
    for secret in sorted(secrets, key=len, reverse=True):
        if secret in text:
            rest = {value: shown for value, shown in secrets.items() if value != secret}
            parts = (_escaped(part, rest) for part in text.split(secret))
            return secrets[secret].join(parts)
    return text.replace("${", "$${")
