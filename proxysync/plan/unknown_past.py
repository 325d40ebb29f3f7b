"""What a plan must not show where the state was lost: values that may have been secret.

The state knows every value that a secret has had. Of a host with our marker that it has no row for,
or that another state folder has written since, it does not know which part was one. What such a
host had is in the journal once it was written over, and comes back with a rollback, so that these
texts are remembered: whoever has one of them later is not shown either.
"""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

from proxysync.kinds import KINDS, Kind
from proxysync.model import Applied, Fields
from proxysync.plan.match import same_host
from proxysync.plan.model import Change, FieldChange
from proxysync.plan.policy import Policy

Rows = Mapping[tuple[str, int, str | None], Applied]
"""Rows of the state, each by the kind, id and creation date of its host."""

HIDDEN = "(not shown: without the state that wrote it nobody knows what of it was secret)"


def by_host(applied: Sequence[Applied]) -> Rows:
    """The rows of the state by what they are of; the first where there are several."""
    return {(row.kind, row.npm_id, row.created_on): row for row in reversed(applied)}


def hide_unknown_past(change: Change, applied: Rows, policy: Policy) -> Change:
    """The change without the free texts that may hold a secret of ours that nobody knows.

    These are what the host has, and in a rollback what it is to get back.
    """
    known, unknown = _is_known(change, applied, policy), policy.unknown_texts
    row = _row(change, applied)

    def is_shown(name: str, value: Any) -> bool:
        return known and text_of(value) not in unknown and text_of(_last(row, name)) not in unknown

    fields = dict(change.fields)
    for name in KINDS[change.kind].free_text & fields.keys():
        old, new = fields[name].old, fields[name].new
        if not is_shown(name, old):
            old = _hidden(old)
        if policy.back_to is not None and text_of(new) in unknown:
            new = _hidden(new)
        fields[name] = FieldChange(old, new)
    return replace(change, fields=fields)


def unknown_texts(change: Change) -> frozenset[str]:
    """What the host has and the plan does not show, to be remembered before it is written over."""
    if change.live is None:
        return frozenset()
    hidden = [n for n, field in change.fields.items() if is_hidden(field.old)]
    return frozenset(text_of(change.live.fields[name]) for name in hidden)


def is_hidden(value: Any) -> bool:
    """Whether the value stands for one that is not shown."""
    return value in (HIDDEN, [HIDDEN])


def without_unknown(kind: Kind, fields: Fields | None, unknown: Collection[str]) -> Fields | None:
    """A definition as it may be shown, given those texts of which nobody knows what was secret."""
    if fields is None:
        return None
    return {
        name: _hidden(value) if name in kind.free_text and text_of(value) in unknown else value
        for name, value in fields.items()
    }


def text_of(value: Any) -> str:
    """One text for the value of a field, by which it is known again."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True)


def _is_known(change: Change, applied: Rows, policy: Policy) -> bool:
    live = change.live
    if live is None or live.marker is None:
        return True
    return live.marker.state in (None, policy.state) and _row(change, applied) is not None


def _row(change: Change, applied: Rows) -> Applied | None:
    live = change.live
    row = applied.get((live.kind, live.npm_id, live.created_on)) if live else None
    return row if row and live and same_host(row, live) else None


def _last(row: Applied | None, name: str) -> Any:
    return row.fields.get(name) if row else None


def _hidden(value: Any) -> Any:
    if not value:
        return value
    return [HIDDEN] if isinstance(value, list) else HIDDEN
