"""Tables for a terminal: columns as wide as their widest cell, two blanks apart."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from proxysync.model.palette import paint
from proxysync.model.text import one_line

GAP = "  "
KEEP_ALL: Mapping[str, int] = MappingProxyType({})


@dataclass(frozen=True)
class Cell:
    """What stands in a table: words of whomever, made safe when they are shown."""

    text: str
    colour: str | None = None


Rows = Sequence[Sequence[Cell]]


def table(
    heads: Sequence[str],
    rows: Rows,
    *,
    width: int | None = None,
    shrink: Mapping[str, int] = KEEP_ALL,
    on: bool = False,
) -> str:
    """The table in lines, painted with `on`.

    Where it is wider than `width`, the columns with the heads of `shrink` are cut, the widest
    ones first, each to no less than so many characters.
    """
    widths = _widths(heads, rows)
    least = _least(heads, widths, shrink)
    while width is not None and _total(widths) > width and widths != least:
        rest = [w if w > small else 0 for w, small in zip(widths, least, strict=True)]
        widths[rest.index(max(rest))] -= 1
    lines = [[Cell(head, "bold") for head in heads], *rows]
    return "\n".join(_line(cells, widths, on=on) for cells in lines)


def width_of(heads: Sequence[str], rows: Rows, shrink: Mapping[str, int] = KEEP_ALL) -> int:
    """How many characters the table needs at least, its columns cut as `shrink` says."""
    return _total(_least(heads, _widths(heads, rows), shrink))


def _least(heads: Sequence[str], widths: Sequence[int], shrink: Mapping[str, int]) -> list[int]:
    return [min(w, shrink.get(head, w)) for head, w in zip(heads, widths, strict=True)]


def _widths(heads: Sequence[str], rows: Rows) -> list[int]:
    return [
        max([len(head), *(len(one_line(row[column].text)) for row in rows)])
        for column, head in enumerate(heads)
    ]


def _total(widths: Sequence[int]) -> int:
    return sum(widths) + len(GAP) * (len(widths) - 1)


def _line(cells: Sequence[Cell], widths: Sequence[int], *, on: bool) -> str:
    shown: list[str] = []
    for cell, width in zip(cells, widths, strict=True):
        text = one_line(cell.text)
        text = text if len(text) <= width else f"{text[: width - 1]}…"
        is_last = len(shown) + 1 == len(cells)
        shown.append(paint(text if is_last else text.ljust(width), cell.colour, on=on))
    return GAP.join(shown).rstrip()
