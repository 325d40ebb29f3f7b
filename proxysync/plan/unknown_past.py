"""What a plan must not show where the state is lost: values that may have been secret.

The state knows every value that a secret has had. Without a row of it for a host that carries our
marker, nobody knows which part of its configuration was one.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from proxysync.kinds import KINDS
from proxysync.model import Applied, Live
from proxysync.plan.model import Change, FieldChange

HIDDEN = "(not shown: without the state nobody knows what of it was secret)"


def hide_unknown_past(change: Change, applied: Sequence[Applied]) -> Change:
    """The change without the free texts that the host has, where they may hold a secret of ours."""
    live = change.live
    if live is None or live.marker is None or any(_is_of(row, live) for row in applied):
        return change
    free = KINDS[change.kind].free_text
    fields = {
        name: FieldChange(_hidden(field.old), field.new) if name in free else field
        for name, field in change.fields.items()
    }
    return replace(change, fields=fields)


def _is_of(row: Applied, live: Live) -> bool:
    same = (row.kind, row.npm_id) == (live.kind, live.npm_id)
    return same and row.created_on in (None, live.created_on)


def _hidden(old: Any) -> Any:
    if not old:
        return old
    return [HIDDEN] if isinstance(old, list) else HIDDEN
