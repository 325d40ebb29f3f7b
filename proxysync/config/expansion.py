"""What variables and snippets have in common: how far they expand, and which name was meant."""

from collections.abc import Collection
from difflib import get_close_matches

from proxysync.values.invalid import InvalidValue

MAX_EXPANDED = 32 * 1024 * 1024
"""Characters of all texts together that something was put into: a small file can ask for more
than any machine has.
"""

MOST_COMPARED = 200
LONGEST_COMPARED = 60


class ToldError(Exception):
    """A value that cannot be had, and the reason is among the problems already."""


class Budget:
    """What may still be put into texts, of MAX_EXPANDED in all."""

    def __init__(self) -> None:
        self._left = MAX_EXPANDED
        self._told = False

    def spend(self, characters: int) -> None:
        """Raises InvalidValue when it is used up, and ToldError from then on."""
        self._left -= characters
        if self._left >= 0:
            return
        if self._told:
            raise ToldError
        self._told = True
        raise InvalidValue(
            f"goes beyond {MAX_EXPANDED // 1024 // 1024} MiB, which is all that variables and "
            "snippets may come to in all texts together",
            None,
            hint="use fewer or shorter ones",
        )


def meant(name: str, known: Collection[str]) -> str | None:
    """The known name that is nearly this one."""
    if len(name) > LONGEST_COMPARED or len(known) > MOST_COMPARED:
        return None
    return next(iter(get_close_matches(name, known, 1)), None)
