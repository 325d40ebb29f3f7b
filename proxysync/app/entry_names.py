"""Names for entries from their domains: telling, unique, and the same at each import."""

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import count

from proxysync.values.names import LONGEST_ENTRY_NAME

_USELESS = ("*", "www")
"""First parts of domains that say nothing of a site."""


def new_name(domains: Sequence[str], kind: str, taken: Iterable[str]) -> str:
    """A name that is not `taken`, upper and lower case the same: `media` for media.example.com.

    `kind` serves where the domains give none.
    """
    used = {name.lower() for name in taken}
    free = (name for name in _candidates(domains, kind) if name.lower() not in used)
    return next(free)


def _candidates(domains: Sequence[str], kind: str) -> Iterator[str]:
    first = next((d for d in domains if not d.startswith("*")), next(iter(domains), kind))
    parts = [part for part in first.split(".") if part]
    telling = next((i for i, part in enumerate(parts) if part not in _USELESS), 0)
    shortest = len(parts) if all(part.isdigit() for part in parts) else telling + 1
    for end in range(shortest, len(parts) + 1):
        yield _valid("-".join(parts[telling:end]), kind)
    whole = _valid("-".join(part for part in parts if part != "*"), kind)
    yield whole
    for number in count(2):
        suffix = f"-{number}"
        yield whole[: LONGEST_ENTRY_NAME - len(suffix)] + suffix


def _valid(text: str, otherwise: str) -> str:
    """The text as far as it can be a name."""
    name = re.sub("[^A-Za-z0-9._-]+", "-", text).strip("-._")
    return name[:LONGEST_ENTRY_NAME] or otherwise
