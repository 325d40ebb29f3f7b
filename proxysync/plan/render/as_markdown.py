"""`plan --format markdown`: for a comment on a pull request.

Values come from files and servers that others write to. They stand only in code fences
longer than any run of backticks in them, and in HTML blocks, escaped and on one line, where
Markdown is not read; inside `<code>` nothing becomes a mention or a link either.

GitHub refuses a comment that is too long, so what there is no room for is counted instead.
"""

import html
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from proxysync.kinds.references import Named
from proxysync.plan.model import Change, Edit, Plan
from proxysync.plan.render.as_text import SYMBOLS, total
from proxysync.plan.render.edits import NO_NAMES, edits_of
from proxysync.plan.render.values import (
    NO_MASK,
    Line,
    Mask,
    compared,
    domains,
    how_to_adopt,
    in_order_of_concern,
    is_long,
    is_new,
    lines,
    masked,
    nothing_to_do,
    safe,
    said,
    why_held,
)

MARKER = "<!-- proxysync plan -->"
"""By which a comment is found again, to be edited in place; nobody sees it."""

MOST = 65_000
"""Characters, of the 65,536 that GitHub takes: what posts it may add a line of its own."""

GAP = "\n\n"
LEFT_OUT = "not shown, for a comment has no room for it."
ROOM_TO_SAY_SO = 300


def to_markdown(plan: Plan, mask: Mask = NO_MASK, named: Named = NO_NAMES) -> str:
    """A heading, a table of the counts, and a fold-out with a diff for each change."""
    label = plan.label_of
    head, tail = [f"{MARKER}\n## proxysync plan"], []
    if plan.refused is not None:
        head.append(
            f"<p><strong>Refused, nothing will be changed:</strong> {_code(plan.refused, mask)}</p>"
        )
    if plan.empty:
        head.append(f"<p>{html.escape(nothing_to_do(plan))}</p>")
    else:
        if plan.against is not None:
            head.append(f"<p>{html.escape(compared(plan))}</p>")
        head.append(_table(plan))
        if hint := how_to_adopt(plan):
            tail.append(f"<p>{_code(hint)}</p>")
        tail.append(total(plan))
    notes = [
        f"<p>Warning: {_code(label(note.key))}: {_code(note.message, mask)}</p>"
        for note in plan.notes
    ]
    room = _Room(MOST - sum(len(part) + len(GAP) for part in (*head, *tail)) - ROOM_TO_SAY_SO)
    shown = [*_settings(plan, mask, room), *_changes(plan, mask, named, room)]
    warned = [*_notes(notes, room)]
    return GAP.join([*head, *shown, *tail, *warned]) + "\n"


class _Room:
    """What is left of a comment."""

    def __init__(self, characters: int) -> None:
        self._left = characters

    def take(self, block: str) -> bool:
        """Whether the block fits in, which then has its place."""
        size = len(block) + len(GAP)
        if size > self._left:
            return False
        self._left -= size
        return True


def _changes(plan: Plan, mask: Mask, named: Named, room: _Room) -> Iterator[str]:
    """Each change as a whole, or without its diff, as far as there is room; then how many not."""
    label, left_out = plan.label_of, Counter[str]()
    for change in in_order_of_concern(plan):
        head, why = _head(change, label(change.key), mask), _why(change, mask)
        if found := _fitting(head, why, _diff(change, mask, named), room):
            yield found
        else:
            left_out[change.action] += 1
    if left_out:
        counts = ", ".join(f"{action} {number}" for action, number in left_out.items())
        yield f"**More changes ({counts}): {LEFT_OUT}** `proxysync plan` prints all of them."


def _settings(plan: Plan, mask: Mask, room: _Room) -> Iterator[str]:
    if plan.settings:
        diff = [line for edit in plan.settings for line in _edit(edit, mask, alone=False)]
        head = f"<code>{SYMBOLS['update']}</code> update <code>settings</code>"
        yield _fitting(head, [], diff, room) or f"**The settings change: {LEFT_OUT}**"


def _fitting(head: str, why: list[str], diff: list[Line], room: _Room) -> str | None:
    """A change with its diff, or without if there is no room; None if there is none at all."""
    forms = [_folded(head, [*why, _fence(diff)] if diff else why)]
    if diff:
        forms.append(_folded(head, [*why, f"<p>Its diff has {len(diff)} lines: {LEFT_OUT}</p>"]))
    return next(filter(room.take, forms), None)


def _notes(notes: Sequence[str], room: _Room) -> Iterator[str]:
    shown = [note for note in notes if room.take(note)]
    yield from shown
    if len(shown) < len(notes):
        yield f"**More warnings ({len(notes) - len(shown)}): {LEFT_OUT}**"


def _table(plan: Plan) -> str:
    summary = {word: number for word, number in plan.summary.items() if word != "held"}
    summary = {**summary, **{kind: n for kind, n in plan.holds.items() if kind not in summary}}
    return "\n".join(
        (
            f"| {' | '.join(summary)} |",
            f"|{'---:|' * len(summary)}",
            f"| {' | '.join(str(number) for number in summary.values())} |",
        )
    )


def _head(change: Change, label: str, mask: Mask) -> str:
    number = f" #{change.npm_id}" if change.npm_id is not None else ""
    where = domains(change, mask)
    held = f", {change.hold.kind}" if change.hold else ""
    return (
        f"<code>{html.escape(SYMBOLS[change.action])}</code> {change.action} "
        f"{_code(label + number)}{f' {_code(where)}' if where else ''}{held}"
    )


def _why(change: Change, mask: Mask) -> list[str]:
    hold = change.hold
    held = [f"{hold.kind.capitalize()}: {_code(why_held(hold, mask))}"] if hold is not None else []
    return [f"<p>{text}</p>" for text in (_code(change.reason, mask), *held)]


def _diff(change: Change, mask: Mask, named: Named) -> list[Line]:
    alone = is_new(change)
    return [line for edit in edits_of(change, named) for line in _edit(edit, mask, alone=alone)]


def _folded(head: str, parts: Iterable[str]) -> str:
    return GAP.join([f"<details><summary>{head}</summary>", *parts, "</details>"])


def _edit(edit: Edit, mask: Mask, *, alone: bool) -> Iterator[Line]:
    if is_long(edit):
        yield Line(" ", f"{safe(edit.path)}:")
        yield from lines(edit, mask)
        return
    if not alone:
        yield Line("-", f"{safe(edit.path)}: {said(edit.old, mask)}")
    yield Line("+", f"{safe(edit.path)}: {said(edit.new, mask)}")


def _fence(diff: list[Line]) -> str:
    body = "\n".join(f"{line.sign} {line.text}" for line in diff)
    longest = max((len(run) for run in re.findall("`+", body)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}diff\n{body}\n{fence}"


def _code(text: str, mask: Mask = NO_MASK) -> str:
    return f"<code>{html.escape(safe(masked(text, mask)))}</code>"
