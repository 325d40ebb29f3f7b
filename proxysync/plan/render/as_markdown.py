"""`plan --format markdown`: for a comment on a pull request.

Values come from files and servers that others write to. They stand only in code fences
longer than any run of backticks in them, and in HTML blocks, escaped and on one line, where
Markdown is not read; inside `<code>` nothing becomes a mention or a link either.
"""

import html
import re
from collections.abc import Iterator

from proxysync.kinds.references import Named
from proxysync.plan.model import Change, Plan
from proxysync.plan.render.as_text import SYMBOLS, total
from proxysync.plan.render.edits import NO_NAMES, Edit, edits_of
from proxysync.plan.render.values import (
    NO_MASK,
    Line,
    Mask,
    domains,
    how_to_adopt,
    in_order_of_concern,
    is_long,
    is_new,
    lines,
    masked,
    safe,
    said,
    why_held,
)


def to_markdown(plan: Plan, mask: Mask = NO_MASK, named: Named = NO_NAMES) -> str:
    """A heading, a table of the counts, and a fold-out with a diff for each change."""
    label = plan.label_of
    parts = ["## proxysync plan"]
    if plan.refused is not None:
        parts.append(
            f"<p><strong>Refused, nothing will be changed:</strong> {_code(plan.refused, mask)}</p>"
        )
    if plan.empty:
        parts.append("Nothing to do: NPM is in sync with the file.")
    else:
        parts += [
            _table(plan),
            *(_change(c, label(c.key), mask, named) for c in in_order_of_concern(plan)),
        ]
        if hint := how_to_adopt(plan):
            parts.append(f"<p>{_code(hint)}</p>")
        parts.append(total(plan))
    for note in plan.notes:
        parts.append(f"<p>Warning: {_code(label(note.key))}: {_code(note.message, mask)}</p>")
    return "\n\n".join(parts) + "\n"


def _table(plan: Plan) -> str:
    summary = plan.summary
    return "\n".join(
        (
            f"| {' | '.join(summary)} |",
            f"|{'---:|' * len(summary)}",
            f"| {' | '.join(str(number) for number in summary.values())} |",
        )
    )


def _change(change: Change, label: str, mask: Mask, named: Named) -> str:
    number = f" #{change.npm_id}" if change.npm_id is not None else ""
    where = domains(change, mask)
    held = f", held ({change.hold.kind})" if change.hold else ""
    head = (
        f"<code>{html.escape(SYMBOLS[change.action])}</code> {change.action} "
        f"{_code(label + number)}{f' {_code(where)}' if where else ''}{held}"
    )
    parts = [f"<details><summary>{head}</summary>", f"<p>{_code(change.reason, mask)}</p>"]
    if change.hold is not None:
        parts.append(f"<p>Held: {_code(why_held(change.hold, mask))}</p>")
    alone = is_new(change)
    diff = [line for edit in edits_of(change, named) for line in _edit(edit, mask, alone=alone)]
    if diff:
        parts.append(_fence(diff))
    return "\n\n".join([*parts, "</details>"])


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
