"""What a query string asks for; each mistake in it is told, by its name."""

from collections.abc import Callable, Collection, Mapping
from typing import TypeVar

from proxysync.app.events import parse_since
from proxysync.kinds import KINDS
from proxysync.model.errors import ProxysyncError
from proxysync.model.event import SEVERITIES, SOURCES
from proxysync.store.query import LARGEST_ID, EventQuery

T = TypeVar("T")

MOST = 1000
"""Events or runs in one answer."""

USUAL = 50
"""The same where nobody says how many."""

FILTERS = ("severity", "source", "kind", "name", "proxy", "since")
PAGED = (*FILTERS, "limit", "before")


class ParameterError(ProxysyncError):
    """A query string that cannot be meant."""

    code = "parameter.invalid"


def require_known(query: Mapping[str, str], known: Collection[str]) -> None:
    """Raises ParameterError for a parameter that would be ignored."""
    for name in query:
        if name not in known:
            there = ", ".join(known) or "none"
            raise ParameterError(f'there is no parameter "{name}"', hint=f"There are: {there}.")


def event_query(query: Mapping[str, str], known: Collection[str] = PAGED) -> EventQuery:
    """The filters of `proxysync events`. Raises ParameterError."""
    require_known(query, known)
    one_of(query, "kind", KINDS)
    if "proxy" in query and ("kind" in query or "name" in query):
        raise ParameterError("proxy says the kind and the name already")
    kind, name = query.get("kind"), query.get("name")
    return EventQuery(
        severity=one_of(query, "severity", SEVERITIES) or SEVERITIES[0],
        source=one_of(query, "source", SOURCES),
        kind="proxy" if "proxy" in query else kind,
        name=query.get("proxy", name),
        since=_parsed(query, "since", parse_since, "an age like 2h or a time in ISO 8601"),
        before=number(query, "before", LARGEST_ID),
        limit=number(query, "limit", MOST) or USUAL,
    )


def one_of(query: Mapping[str, str], name: str, choices: Collection[str]) -> str | None:
    """The value, which must be one of these. Raises ParameterError."""
    value = query.get(name)
    if value is not None and value not in choices:
        raise ParameterError(f"{name} is one of {', '.join(choices)}")
    return value


def number(query: Mapping[str, str], name: str, most: int, *, least: int = 1) -> int | None:
    """A whole number from `least` to `most`. Raises ParameterError."""
    what = f"a whole number from {least} to {most}"

    def parse(text: str) -> int:
        is_short = text.isascii() and text.isdigit() and len(text) <= 20
        if not (is_short and least <= int(text) <= most):
            raise ValueError(text)
        return int(text)

    return _parsed(query, name, parse, what)


def _parsed(query: Mapping[str, str], name: str, parse: Callable[[str], T], what: str) -> T | None:
    if name not in query:
        return None
    try:
        return parse(query[name])
    except ValueError as error:
        raise ParameterError(f"{name} is {what}") from error
