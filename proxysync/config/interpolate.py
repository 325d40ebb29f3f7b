"""`${NAME}` in texts, replaced from what was handed over once the YAML is parsed.

So a variable's value can never become structure of the file.
"""

import re
from collections.abc import Mapping
from dataclasses import replace

from proxysync.config.document import Scalar, Value, scalar
from proxysync.config.errors import Path, Problems
from proxysync.config.variables import PLAIN, Variables
from proxysync.kinds import KINDS
from proxysync.values.invalid import InvalidValue

_VARIABLE = re.compile(
    r"\$\$\{|\$\{(?:(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?::-(?P<default>[^{}]*))?\})?"
)
_LITERAL = "write $${ where a literal ${ is meant"
HOLDS_SECRET = "a value with a secret in it"  # noqa: S105

SECRET_FIELDS = frozenset[str]().union(*(kind.may_hold_secret for kind in KINDS.values()))


class Interpolation:
    """Replaces variables; `secrets` maps the values of secret ones to their `${NAME}`."""

    def __init__(self, variables: Variables, problems: Problems) -> None:
        self.secrets: dict[str, str] = {}
        self._variables = variables
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
        secrets: dict[str, str] = {}
        try:
            result = _VARIABLE.sub(lambda match: self._replacement(match, secrets), text)
            _refuse_misplaced(secrets, path)
        except InvalidValue as error:
            self._problems.add(value.at, path, error.message, error.hint)
            return value
        finally:
            self.secrets = {**secrets, **self.secrets}
        if secrets:
            return replace(value, data=result, shown=f'"{text}"')
        # A number or a switch may come from a variable, but never null: an access list that
        # an empty variable takes away would leave the site open.
        whole = value.plain and _VARIABLE.fullmatch(text) is not None
        data: Scalar = scalar(result, null=False) if whole else result
        return replace(value, data=data)

    def _replacement(self, match: re.Match[str], secrets: dict[str, str]) -> str:
        if match[0] == "$${":
            return "${"
        name, default = match["name"], match["default"]
        if name is None:
            raise InvalidValue(
                "has a ${ that starts no variable such as ${NAME} or ${NAME:-default}",
                None,
                hint=_LITERAL,
            )
        found = self._variables.get(name)
        if found is None and default is None:
            raise InvalidValue(
                f"needs the variable {name}, which {self._variables.what_is_wrong_with(name)}",
                None,
                hint=f"{self._variables.how_to_hand_over(name)}; or give a default as in "
                f"${{{name}:-default}}, or {_LITERAL}",
            )
        if found is None:
            return str(default)
        if found.secret:
            secrets.setdefault(found.value, f"${{{name}}}")
        return found.value


def _refuse_misplaced(secrets: Mapping[str, str], path: Path) -> None:
    fields = path[1:] if path[0] == "defaults" else path[2:]
    if not secrets or SECRET_FIELDS.intersection(fields):
        return
    shown = next(iter(secrets.values()))
    raise InvalidValue(
        f"holds the secret {shown}, and what stands here is looked up, or shown, where everybody "
        "can see it",
        None,
        hint=f"hand it over as {PLAIN}{shown[2:-1]} if everybody may see it; secrets can stand in "
        f"{' and '.join(sorted(SECRET_FIELDS))}",
    )


def _container(value: Value, data: "dict[str, Value] | tuple[Value, ...]") -> Value:
    parts = data.values() if isinstance(data, dict) else data
    hides = any(part.shown is not None for part in parts)
    return replace(value, data=data, shown=HOLDS_SECRET if hides else None)
