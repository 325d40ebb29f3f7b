"""`${NAME}` in texts, replaced once the YAML is parsed: by what was handed over, or by the files'
own `vars`.

So a variable's value can never become structure of the file.
"""

import re
from collections.abc import Mapping
from dataclasses import replace

from proxysync.config.document import MAX_DEPTH, Scalar, Value, scalar
from proxysync.config.errors import Path, Problems
from proxysync.config.expansion import Budget, ToldError, meant
from proxysync.config.variables import PLAIN, Variable, Variables, how_to_hand_over_secret
from proxysync.kinds import KINDS
from proxysync.values.invalid import InvalidValue, describe

VARIABLE = re.compile(
    r"\$\$\{|\$\{(?:(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?::-(?P<default>[^{}]*))?\})?"
)
_LITERAL = "write $${ where a literal ${ is meant"
_TOLD_OF = 3
HOLDS_SECRET = "a value with a secret in it"  # noqa: S105

ONLY_SECRET_FIELDS = frozenset[str]().union(*(kind.only_secret for kind in KINDS.values()))
SECRET_FIELDS = frozenset[str]().union(*(kind.may_hold_secret for kind in KINDS.values()))


class Interpolation:
    """Replaces variables; `secrets` maps the values of secret ones to their `${NAME}`.

    What was handed over wins over a var of the files, so that one file serves many machines.
    With `keeps_names`, what was not handed over stays as it is written, and so does what is
    secret; no problem is told of a value with such a name in it, whatever it is to be.
    """

    def __init__(
        self,
        variables: Variables,
        budget: Budget,
        problems: Problems,
        *,
        keeps_names: bool = False,
    ) -> None:
        self.secrets: dict[str, str] = {}
        self._variables = variables
        self._budget = budget
        self._problems = problems
        self._keeps_names = keeps_names
        self._vars: Mapping[str, Value] = {}
        self._texts: dict[str, str | None] = {}
        self._open: list[str] = []

    def define(self, own: Mapping[str, Value]) -> None:
        """From now on these are the files' own `vars`; what is wrong with one is told here."""
        self._vars = own
        for name in own:
            self._text_of(name)

    def __call__(self, value: Value, path: Path) -> Value:
        """The value with all variables in it replaced; keys are left as they are."""
        if isinstance(value.data, str):
            return self._scalar(value, value.data, path) if "${" in value.data else value
        if isinstance(value.data, dict):
            mapping = {key: self(item, (*path, key)) for key, item in value.data.items()}
            return _container(value, mapping)
        if isinstance(value.data, tuple):
            items = tuple(self(item, (*path, i)) for i, item in enumerate(value.data))
            result = _container(value, items)
            if self._keeps_names and result.shown is not None:
                self._problems.silence(value.at)
            return result
        return value

    def _scalar(self, value: Value, text: str, path: Path) -> Value:
        try:
            result, is_secret = self._replaced(value, text, path)
        except InvalidValue as error:
            self._problems.add(value.at, path, error.message, error.hint)
            return value
        except ToldError:
            self._problems.silence(value.at)
            return value
        keeps = self._keeps_names and "${" in result
        if keeps:
            self._problems.silence(value.at)
        if is_secret or keeps:
            return replace(value, data=result, shown=f'"{text}"')
        # A number or a switch may come from a variable, but never null: an access list that
        # an empty variable takes away would leave the site open.
        whole = value.plain and VARIABLE.fullmatch(text) is not None
        data: Scalar = scalar(result, null=False) if whole else result
        return replace(value, data=data)

    def _replaced(self, value: Value, text: str, path: Path) -> tuple[str, bool]:
        """The text without variables, and whether a secret is in it.

        Raises InvalidValue, and ToldError where it needs what is wrong itself.
        """
        secrets: dict[str, str] = {}
        names: dict[str, None] = {}
        try:
            result = VARIABLE.sub(
                lambda found: self._replacement(found, secrets, names, path), text
            )
            _refuse_misplaced(secrets, path)
        finally:
            self.secrets = {**secrets, **self.secrets}
        self._problems.remark(value.at, self._origin(names))
        return result, bool(secrets)

    def _replacement(
        self, match: re.Match[str], secrets: dict[str, str], names: dict[str, None], path: Path
    ) -> str:
        if match[0] == "$${":
            return "${"
        name, default = match["name"], match["default"]
        if name is None:
            raise InvalidValue(
                "has a ${ that starts no variable such as ${NAME} or ${NAME:-default}",
                None,
                hint=_LITERAL,
            )
        found = self._find(name)
        if found is None and default is None:
            if self._keeps_names:
                return match[0]
            raise self._missing(name, path)
        if found is None:
            return str(default)
        if found.secret:
            secrets.setdefault(found.value, f"${{{name}}}")
            if self._keeps_names:
                return match[0]
        names[name] = None
        self._budget.spend(len(found.value))
        return found.value

    def _find(self, name: str) -> Variable | None:
        found = self._variables.get(name)
        if found is None and name in self._vars:
            text = self._text_of(name)
            if text is None:
                raise ToldError
            return Variable(text, secret=False)
        return found

    def _text_of(self, name: str) -> str | None:
        """What a var of the files stands for; None where something is wrong with it."""
        if name not in self._texts:
            value = self._vars[name]
            try:
                self._texts[name] = self._own_text(name, value)
            except InvalidValue as error:
                self._texts[name] = None
                self._problems.add(value.at, ("vars", name), str(error), error.hint)
            except ToldError:
                self._texts[name] = None
        return self._texts[name]

    def _own_text(self, name: str, value: Value) -> str:
        if name in self._open:
            ring = " -> ".join((*self._open[self._open.index(name) :], name))
            hint = f"give one of them a value, over which {PLAIN}{name} wins where that is set"
            raise InvalidValue(f"needs itself: {ring}", None, hint=hint)
        if len(self._open) >= MAX_DEPTH:
            raise InvalidValue(f"needs more than {MAX_DEPTH} others, one through the other", None)
        handed_over = self._variables.get(name)
        if handed_over is not None and handed_over.secret:
            raise InvalidValue(
                "has the name of a secret that was handed over, and no var of the file is secret",
                None,
                hint="give it another name",
            )
        self._open.append(name)
        try:
            return self._replaced(value, _text(value.data), ("vars", name))[0]
        finally:
            self._open.pop()

    def _missing(self, name: str, path: Path) -> InvalidValue:
        near = meant(name, self._vars)
        what = f"needs the variable {name}, which {self._variables.what_is_wrong_with(name)}"
        if ONLY_SECRET_FIELDS.intersection(path):
            return InvalidValue(what, None, hint=how_to_hand_over_secret(name))
        return InvalidValue(
            what,
            None,
            hint=(f"did you mean ${{{near}}}? else " if near else "")
            + f"{self._variables.how_to_hand_over(name)}; or set it below `vars:`, give a default "
            f"as in ${{{name}:-default}}, or {_LITERAL}",
        )

    def _origin(self, names: Mapping[str, None]) -> str | None:
        """Where the values of the files' own vars among these come from."""
        own = [name for name in names if name in self._vars]
        where = [
            f"${{{name}}} is set at {self._vars[name].at}"
            if self._variables.get(name) is None
            else f"${{{name}}} was handed over as {PLAIN}{name}"
            for name in own[:_TOLD_OF]
        ]
        return ", ".join(where) or None


def _text(data: object) -> str:
    """What a var is as a text."""
    if isinstance(data, bool):
        return "true" if data else "false"
    if isinstance(data, int):
        return str(data)
    if isinstance(data, str) and data:
        return data
    hint = "quote it, so that it stays as it is" if isinstance(data, float) else None
    raise InvalidValue(
        f"must be a text, a whole number or a switch, not {describe(data)}", None, hint=hint
    )


def _refuse_misplaced(secrets: Mapping[str, str], path: Path) -> None:
    fields = path[1:] if path[0] == "defaults" else path[2:]
    if not secrets or path[0] == "snippets" or SECRET_FIELDS.intersection(fields):
        return
    shown = next(iter(secrets.values()))
    raise InvalidValue(
        f"holds the secret {shown}, and what stands here is looked up, or shown, where everybody "
        "can see it",
        None,
        hint=f"hand it over as {PLAIN}{shown[2:-1]} if everybody may see it; secrets can stand in "
        f"{', '.join(sorted(SECRET_FIELDS))}",
    )


def _container(value: Value, data: "dict[str, Value] | tuple[Value, ...]") -> Value:
    result = value.holding(data)
    hides = any(part.shown is not None for part in result.parts)
    return replace(result, shown=HOLDS_SECRET) if hides else result
