"""`${VAR}` in texts, replaced from the environment once the YAML is parsed.

So a variable's value can never become structure of the file.
"""

import re
from collections.abc import Mapping
from dataclasses import replace

from proxysync.config.document import Scalar, Value, scalar
from proxysync.config.errors import InvalidValue, Path, Problems

_VARIABLE = re.compile(
    r"\$\$\{|\$\{(?:(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?::-(?P<default>[^{}]*))?\})?"
)
_LITERAL = "write $${ where a literal ${ is meant"
FROM_ENVIRONMENT = "a value from the environment"


class Interpolation:
    """Replaces variables and remembers what came from them: `used` maps a value to `${NAME}`."""

    def __init__(self, environ: Mapping[str, str], problems: Problems) -> None:
        self.used: dict[str, str] = {}
        self._environ = environ
        self._problems = problems

    def __call__(self, value: Value, path: Path) -> Value:
        """The value with all variables in it replaced; keys are left as they are."""
        if isinstance(value.data, str):
            return self._scalar(value, value.data, path) if "${" in value.data else value
        if isinstance(value.data, dict):
            mapping = {key: self(item, (*path, key)) for key, item in value.data.items()}
            return _container(value, mapping)
        if isinstance(value.data, tuple):
            items = tuple(self(item, (*path, i)) for i, item in enumerate(value.data))
            return _container(value, items)
        return value

    def _scalar(self, value: Value, text: str, path: Path) -> Value:
        names: list[str] = []
        try:
            result = _VARIABLE.sub(lambda match: self._replacement(match, names), text)
        except InvalidValue as error:
            self._problems.add(value.at, path, error.message, error.hint)
            return value
        # A number or a switch may come from a variable, but never null: an access list that
        # an empty variable takes away would leave the site open.
        whole = value.plain and _VARIABLE.fullmatch(text) is not None
        data: Scalar = scalar(result, null=False) if whole else result
        return replace(value, data=data, shown=f'"{text}"' if names else None)

    def _replacement(self, match: re.Match[str], names: list[str]) -> str:
        if match[0] == "$${":
            return "${"
        name, default = match["name"], match["default"]
        if name is None:
            raise InvalidValue(
                "has a ${ that starts no variable such as ${NAME} or ${NAME:-default}",
                None,
                hint=_LITERAL,
            )
        found = self._environ.get(name, "")
        if not found and default is None:
            state = "empty" if name in self._environ else "not set"
            raise InvalidValue(
                f"needs the environment variable {name}, which is {state}",
                None,
                hint=f"set it, give a default as in ${{{name}:-default}}, or {_LITERAL}",
            )
        names.append(name)
        if not found:
            return default
        if any(character == "\0" or "\ud800" <= character <= "\udfff" for character in found):
            raise InvalidValue(f"needs the variable {name}, whose value is no UTF-8 text", None)
        self.used.setdefault(found, f"${{{name}}}")
        return found


def _container(value: Value, data: "dict[str, Value] | tuple[Value, ...]") -> Value:
    parts = data.values() if isinstance(data, dict) else data
    hides = any(part.shown is not None for part in parts)
    return replace(value, data=data, shown=FROM_ENVIRONMENT if hides else None)
