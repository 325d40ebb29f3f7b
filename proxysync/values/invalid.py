"""A value that is not what it should be, and how it is quoted to a person."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from proxysync.model.text import visible

LONGEST_QUOTE = 60


class InvalidValue(ValueError):  # noqa: N818
    """What a value must be instead.

    `{found}` in `message` stands for the value, which is left out where it may be a secret;
    for the same reason only `hint` may hold anything made from the value.
    """

    def __init__(self, message: str, found: object, *, hint: str | None = None) -> None:
        super().__init__(message.replace("{found}", describe(found)))
        self.message = message
        self.found = found
        self.hint = hint


class InvalidField(Exception):  # noqa: N818
    """What is wrong with one `field` of an entry, though it could be read by itself."""

    def __init__(self, field: str, cause: InvalidValue) -> None:
        super().__init__(f"{field}: {cause}")
        self.field = field
        self.cause = cause


@contextmanager
def of_field(field: str) -> Iterator[None]:
    """In here, an InvalidValue is one of this field, and raised as an InvalidField."""
    try:
        yield
    except InvalidValue as error:
        raise InvalidField(field, error) from error


def quote(text: str) -> str:
    """The text in quotes, on one line and not too long, safe to be shown on a terminal."""
    cut = text if len(text) <= LONGEST_QUOTE else text[:LONGEST_QUOTE] + "…"
    return f'"{visible(cut)}"'


def suggestion(
    text: str, check: Callable[[object], object], shown: Callable[[str], str] = str
) -> str | None:
    """`did you mean TEXT?`, or None where `check` refuses the text or it is too long to show."""
    try:
        check(text)
    except InvalidValue:
        return None
    return f"did you mean {shown(text)}?" if len(text) <= LONGEST_QUOTE else None


def describe(value: object) -> str:
    """What stands in the file, for a person who meant something else."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return f"the number {value}"
    if isinstance(value, str):
        return quote(value) if value else "an empty text"
    if isinstance(value, Mapping):
        return "a mapping"
    return "nothing" if value is None else "a list"
