"""`plan --format json`."""

from collections.abc import Iterable
from typing import Any

from proxysync.kinds.references import Named
from proxysync.plan.adoption import adopt_command
from proxysync.plan.model import Change, Edit, Plan
from proxysync.plan.render.edits import NO_NAMES, edits_of
from proxysync.plan.render.values import NO_MASK, Mask, masked


def to_json(plan: Plan, mask: Mask = NO_MASK, named: Named = NO_NAMES) -> dict[str, Any]:
    """The plan in JSON types: `fields` by NPM's names, `edits` in the words of the file.

    A held change says so under an extra key `held`, and a conflict that ends by taking over a host
    names that under `takes`; what a person should know besides stands under `warnings`, and the
    command that takes over all that can be under `adopt`, if there is anything. A plan against
    another version of the file says so under `against`, with the edits of its `settings`, and of
    its changes there are `edits` only. A plan that shows some entries only counts the other
    changes under `not_shown`.
    """
    result = {
        "summary": plan.summary,
        "changes": [_change(change, mask, named) for change in plan.changes],
        "refused": masked(plan.refused, mask),
    }
    if plan.notes:
        result["warnings"] = [
            {"kind": note.kind, "name": note.name, "message": masked(note.message, mask)}
            for note in plan.notes
        ]
    if plan.whole is not None:
        result["not_shown"] = plan.not_shown
    if plan.against is not None:
        result["against"] = plan.against
        result["settings"] = edits_to_json(plan.settings, mask)
    if command := adopt_command(plan):
        result["adopt"] = command
    return result


def edits_to_json(edits: Iterable[Edit], mask: Mask) -> list[dict[str, Any]]:
    return [
        {"path": edit.path, "from": masked(edit.old, mask), "to": masked(edit.new, mask)}
        for edit in edits
    ]


def _change(change: Change, mask: Mask, named: Named) -> dict[str, Any]:
    result = {
        "action": change.action,
        "kind": change.kind,
        "name": change.name,
        "npm_id": change.npm_id,
        "drift": change.drift,
        "fields": {
            name: {"from": masked(field.old, mask), "to": masked(field.new, mask)}
            for name, field in change.fields.items()
        },
        "edits": edits_to_json(edits_of(change, named), mask),
        "reason": masked(change.reason, mask),
    }
    if change.takes is not None:
        result["takes"] = {"npm_id": change.takes.npm_id}
    if change.hold is not None:
        result["held"] = {
            "kind": change.hold.kind.value,
            "reason": masked(change.hold.reason, mask),
        }
    return result
