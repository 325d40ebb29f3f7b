"""What a plan must not show where the state is lost: values that may have been secret.

The state knows every value that a secret has had. Of a host with our marker that it has no row for,
or that another state folder has written since, it does not know which part was one.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from proxysync.kinds import KINDS
from proxysync.model import Applied
from proxysync.plan.match import same_host
from proxysync.plan.model import Change, FieldChange

HIDDEN = "(not shown: without the state that wrote it nobody knows what of it was secret)"


def hide_unknown_past(change: Change, applied: Sequence[Applied], state: str | None) -> Change:
    """The change without the free texts that the host has, where they may hold a secret of ours.

    `state` is the id of this state folder.
    """
    live = change.live
    if live is None or live.marker is None:
        return change
    if live.marker.state in (None, state) and any(same_host(row, live) for row in applied):
        return change
    free = KINDS[change.kind].free_text
    fields = {
        name: FieldChange(_hidden(field.old), field.new) if name in free else field
        for name, field in change.fields.items()
    }
    return replace(change, fields=fields)


def _hidden(old: Any) -> Any:
    if not old:
        return old
    return [HIDDEN] if isinstance(old, list) else HIDDEN
