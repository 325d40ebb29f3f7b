"""`plan --format text`: for a person at a terminal."""

from collections.abc import Iterator
from typing import Any

from proxysync.model.palette import paint
from proxysync.plan.model import Action, Change, Plan
from proxysync.plan.render.values import (
    NO_MASK,
    NO_NAMES,
    IdNames,
    Mask,
    domains,
    how_to_adopt,
    is_long,
    is_one_sided,
    lines,
    masked,
    safe,
    short,
    why_held,
    worth_showing,
)

SYMBOLS: dict[Action, str] = {
    "create": "+",
    "update": "~",
    "delete": "-",
    "adopt": ">",
    "release": "<",
    "conflict": "!",
}
COLOURS = {"+": "green", "~": "yellow", "-": "red", ">": "cyan", "<": "cyan", "!": "magenta"}


def to_text(
    plan: Plan, *, colour: bool = False, mask: Mask = NO_MASK, names: IdNames = NO_NAMES
) -> str:
    """The plan in lines, without a newline at the end; `colour` adds ANSI colours."""
    label = plan.label_of
    notes = [f"Warning: {safe(masked(f'{label(n.key)}: {n.message}', mask))}" for n in plan.notes]
    if plan.empty:
        return "\n".join(["Nothing to do: NPM is in sync with the file.", *notes])
    parts = []
    if plan.refused is not None:
        refused = f"Refused, nothing will be changed: {safe(masked(plan.refused, mask))}."
        parts += [paint(refused, "bold red", on=colour), ""]
    for change in plan.changes:
        parts += [*_change(change, label(change.key), colour, mask, names), ""]
    hint = how_to_adopt(plan)
    return "\n".join([*parts, *notes, *([hint] if hint else []), total(plan)])


def total(plan: Plan) -> str:
    """The last line: what will be done, and what will not."""
    summary = plan.summary
    adopt = f", {summary['adopt']} to adopt" if summary["adopt"] else ""
    release = f", {summary['release']} to release" if "release" in summary else ""
    others = [
        f"{summary['unchanged']} unchanged",
        *([f"{_count(summary['conflict'], 'conflict')}"] if summary["conflict"] else []),
        *([f"{summary['blocked']} blocked"] if summary["blocked"] else []),
        *([f"{summary['held']} held"] if summary["held"] else []),
    ]
    return (
        f"Plan: {summary['create']} to create, {summary['update']} to update, "
        f"{summary['delete']} to delete{adopt}{release}; {', '.join(others)}."
    )


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _change(
    change: Change,
    label: str,
    colour: bool,  # noqa: FBT001
    mask: Mask,
    names: IdNames,
) -> Iterator[str]:
    symbol = SYMBOLS[change.action]
    number = f" #{change.npm_id}" if change.npm_id is not None else ""
    where = domains(change, mask)
    head = f"{symbol} {safe(label)}{number}" + (f" ({where})" if where else "")
    yield f"{paint(head, COLOURS[symbol], on=colour)}: {safe(masked(change.reason, mask))}"
    if change.hold is not None:
        yield f"    held, {change.hold.kind}: {why_held(change.hold, mask)}"
    for name, field in worth_showing(change).items():
        if is_long(field):
            yield f"    {name}:"
            for line in lines(field, mask):
                yield paint(f"      {line.sign} {line.text}", COLOURS.get(line.sign), on=colour)
            continue
        sides: list[Any] = [field.old, field.new]
        if is_one_sided(change):
            sides = [field.old if field.new is None else field.new]
        yield f"    {name}: {' -> '.join(short(name, side, mask, names) for side in sides)}"
