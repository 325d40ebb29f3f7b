"""`snippets`: parts of nginx configuration by their names, and the texts that are made of them.

In a list, one word is the name of a snippet and all else is text: no configuration of nginx is
one word, for that would lack its `;`.
"""

from collections.abc import Mapping
from dataclasses import replace
from itertools import islice

from proxysync.config.document import Value
from proxysync.config.errors import Path, Problems
from proxysync.config.expansion import Budget, ToldError, meant
from proxysync.config.explain import shown_refusal
from proxysync.config.interpolate import HOLDS_SECRET
from proxysync.kinds import KINDS
from proxysync.values.invalid import InvalidValue, quote
from proxysync.values.names import entry_name
from proxysync.values.scalars import advanced_config

COMPOSED = frozenset[str]().union(*(kind.composed for kind in KINDS.values()))
"""Fields of the file that may be a list of snippets and texts."""

MOST_LISTED = 20


class Snippets:
    """The snippets of all files by their names, variables replaced."""

    def __init__(self, snippets: Mapping[str, Value], budget: Budget, problems: Problems) -> None:
        self._snippets = snippets
        self._budget = budget
        self._problems = problems
        self._bad = {name for name, value in snippets.items() if not self._is_good(name, value)}

    def compose(self, value: Value, path: Path) -> Value:
        """The value with a text in the place of each list of snippets and texts."""
        if isinstance(value.data, dict):
            fields = {key: self._field(key, item, (*path, key)) for key, item in value.data.items()}
            return value.holding(fields)
        if isinstance(value.data, tuple):
            items = tuple(self.compose(item, (*path, i)) for i, item in enumerate(value.data))
            return value.holding(items)
        return value

    def _is_good(self, name: str, value: Value) -> bool:
        try:
            advanced_config(value.data)
        except InvalidValue as error:
            self._problems.add(value.at, ("snippets", name), *shown_refusal(error, value))
            return False
        return True

    def _field(self, key: str, value: Value, path: Path) -> Value:
        if key not in COMPOSED:
            return self.compose(value, path)
        if isinstance(value.data, tuple):
            return self._joined(value, value.data, path)
        if isinstance(value.data, str) and value.shown is None and value.data in self._snippets:
            message = f"is the name of a snippet where a text stands: write [{value.data}]"
            self._problems.add(value.at, path, message)
        return value

    def _joined(self, value: Value, items: tuple[Value, ...], path: Path) -> Value:
        """Each part begins on a line of its own."""
        texts: list[str] = []
        hides = False
        for index, item in enumerate(items):
            try:
                part = self._part(item)
                text = advanced_config(part.data).removesuffix("\n") + "\n"
                self._budget.spend(len(text))
            except InvalidValue as error:
                self._problems.add(item.at, (*path, index), *shown_refusal(error, item))
            except ToldError:
                pass
            else:
                texts.append(text)
                hides = hides or part.shown is not None
        return replace(value, data="".join(texts), shown=HOLDS_SECRET if hides else None)

    def _part(self, item: Value) -> Value:
        """What an item stands for: the snippet that it names, or itself."""
        name = item.data
        if not isinstance(name, str):
            raise InvalidValue(
                "must be the name of a snippet, or nginx configuration as a text, not {found}", name
            )
        if item.shown is not None or not _is_name(name):
            return item
        if name in self._bad:
            raise ToldError
        if name in self._snippets:
            return self._snippets[name]
        near = meant(name, self._snippets)
        raise InvalidValue(
            f"names the snippet {quote(name)}, and there is none",
            name,
            hint=f"did you mean {near}?" if near else self._all_there_are(),
        )

    def _all_there_are(self) -> str:
        if not self._snippets:
            return "write it below `snippets:`; a line of nginx's own ends with a ;"
        others = len(self._snippets) - MOST_LISTED
        more = f" and {others} more" if others > 0 else ""
        return f"there are {', '.join(islice(self._snippets, MOST_LISTED))}{more}"


def _is_name(text: str) -> bool:
    try:
        return bool(entry_name(text))
    except InvalidValue:
        return False
