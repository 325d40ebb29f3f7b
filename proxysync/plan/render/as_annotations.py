"""`plan --format github`: a note at the entry of each change."""

from collections.abc import Iterator, Mapping

from proxysync.kinds.references import Named
from proxysync.model import Key
from proxysync.model.annotation import Annotation, Level
from proxysync.model.position import Position
from proxysync.plan.model import UNFINISHED, Change, Plan
from proxysync.plan.render.as_text import change_lines, settings_lines
from proxysync.plan.render.edits import NO_NAMES
from proxysync.plan.render.values import NO_MASK, Mask, in_order_of_concern, masked


def to_annotations(
    plan: Plan,
    places: Mapping[Key, Position],
    whole: Position,
    mask: Mask = NO_MASK,
    named: Named = NO_NAMES,
) -> Iterator[Annotation]:
    """What cannot be made first, for a CI server shows the first few only; what has left the file
    is told of the `whole`.
    """
    label = plan.label_of
    if plan.refused is not None:
        text = f"Refused, nothing will be changed: {masked(plan.refused, mask)}."
        yield Annotation("error", text, whole)
    if plan.settings:
        yield Annotation("notice", "\n".join(settings_lines(plan, mask)), whole)
    for change in in_order_of_concern(plan):
        text = "\n".join(change_lines(change, label(change.key), mask=mask, named=named))
        yield Annotation(_level(change), text, places.get(change.key, whole))
    for note in plan.notes:
        text = f"{label(note.key)}: {masked(note.message, mask)}"
        yield Annotation("warning", text, places.get(note.key, whole))


def _level(change: Change) -> Level:
    if change.action == "conflict":
        return "error"
    return "warning" if change.hold is not None and change.hold.kind in UNFINISHED else "notice"
