"""`--format github`: the orders by which GitHub shows a note at a line of the file.

They are the only orders to a CI server that leave proxysync; those in words of others are taken
apart by every stream (see `terminal.Door`).
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from proxysync.app.annotations import of_error
from proxysync.cli import terminal
from proxysync.model.annotation import Annotation
from proxysync.model.errors import ProxysyncError


def print_annotations(annotations: Iterable[Annotation]) -> None:
    for each in annotations:
        where: dict[str, object] = {}
        if each.at is not None:
            where["file"] = terminal.safe(each.at.file)
            if each.at.line:
                where.update(line=each.at.line, col=each.at.column)
        terminal.give_order(each.level, where, each.message)


@contextmanager
def annotated(style: str) -> Iterator[None]:
    """In this style, what goes wrong within is shown at its place, too."""
    try:
        yield
    except ProxysyncError as error:
        if style == "github":
            print_annotations(of_error(error))
        raise
