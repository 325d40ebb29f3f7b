"""`plan --format text`: for a person at a terminal."""

from collections.abc import Iterator

from proxysync.kinds.references import Named
from proxysync.model.palette import paint
from proxysync.plan.model import Action, Change, Edit, Plan
from proxysync.plan.render.edits import NO_NAMES, edits_of
from proxysync.plan.render.values import (
    NO_MASK,
    Mask,
    and_others,
    compared,
    domains,
    how_to_adopt,
    in_order_of_concern,
    is_list,
    is_long,
    is_new,
    lines,
    masked,
    nothing_to_do,
    safe,
    said,
    what_moved,
    why_held,
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
    plan: Plan, *, colour: bool = False, mask: Mask = NO_MASK, named: Named = NO_NAMES
) -> str:
    """The plan in lines, without a newline at the end; `colour` adds ANSI colours."""
    label = plan.label_of
    notes = [f"Warning: {safe(masked(f'{label(n.key)}: {n.message}', mask))}" for n in plan.notes]
    if plan.empty:
        return "\n".join([nothing_to_do(plan), *notes])
    parts = []
    if plan.refused is not None:
        refused = f"Refused, nothing will be changed: {safe(masked(plan.refused, mask))}."
        parts += [paint(refused, "bold red", on=colour), ""]
    if plan.settings:
        parts += [*settings_lines(plan, mask, colour=colour), ""]
    for change in in_order_of_concern(plan):
        parts += change_lines(change, label(change.key), colour=colour, mask=mask, named=named)
    if plan.changes:
        parts.append("")
    hint = how_to_adopt(plan)
    end = [compared(plan)] if plan.against is not None else []
    return "\n".join([*parts, *notes, *([hint] if hint else []), total(plan), *end])


def total(plan: Plan) -> str:
    """The last line: what will be done, and what will not."""
    if plan.refused is not None:
        return f"{_counts(plan)}{and_others(plan)} Refused, as said above: nothing will be changed."
    return f"{_counts(plan)}{and_others(plan)}"


def _counts(plan: Plan) -> str:
    summary = plan.summary
    adopt = f", {summary['adopt']} to adopt" if summary["adopt"] else ""
    release = f", {summary['release']} to release" if "release" in summary else ""
    others = [
        f"{summary['unchanged']} unchanged",
        *([f"{_count(summary['conflict'], 'conflict')}"] if summary["conflict"] else []),
        *(f"{number} {kind}" for kind, number in plan.holds.items()),
    ]
    return (
        f"Plan: {summary['create']} to create, {summary['update']} to update, "
        f"{summary['delete']} to delete{adopt}{release}; {', '.join(others)}."
    )


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def settings_lines(plan: Plan, mask: Mask, *, colour: bool = False) -> Iterator[str]:
    """What differs in the settings."""
    yield f"{paint('~ settings', COLOURS['~'], on=colour)}: changed in the file"
    for edit in plan.settings:
        yield from edit_lines(edit, mask, colour=colour, alone=False)


def change_lines(
    change: Change, label: str, *, mask: Mask, named: Named, colour: bool = False
) -> Iterator[str]:
    """One change: what it is, why, and what it comes to."""
    symbol = SYMBOLS[change.action]
    number = f" #{change.npm_id}" if change.npm_id is not None else ""
    where = domains(change, mask)
    head = f"{symbol} {safe(label)}{number}" + (f" ({where})" if where else "")
    yield f"{paint(head, COLOURS[symbol], on=colour)}: {safe(masked(change.reason, mask))}"
    if change.hold is not None:
        yield f"    {change.hold.kind}: {why_held(change.hold, mask)}"
    for edit in edits_of(change, named):
        yield from edit_lines(edit, mask, colour=colour, alone=is_new(change))


def edit_lines(edit: Edit, mask: Mask, *, colour: bool, alone: bool) -> Iterator[str]:
    """One edit; `alone` where there is nothing that it takes the place of."""
    path = safe(edit.path)
    if is_long(edit):
        yield f"    {path}:"
        for line in lines(edit, mask):
            yield paint(f"      {line.sign} {line.text}", COLOURS.get(line.sign), on=colour)
    elif alone:
        yield f"    {path}: {said(edit.new, mask)}"
    elif is_list(edit):
        yield f"    {path}: {what_moved(edit, mask)}"
    else:
        yield f"    {path}: {said(edit.old, mask)} → {said(edit.new, mask)}"
