"""What the renderings share: values as safe text, secrets masked, and lines of difference."""

import json
from collections.abc import Iterable, Iterator, Mapping
from difflib import unified_diff
from types import MappingProxyType
from typing import Any, NamedTuple

from proxysync.kinds import KINDS
from proxysync.model.redact import redact_text
from proxysync.model.text import one_line
from proxysync.plan.adoption import adopt_command
from proxysync.plan.model import Change, Edit, Hold, HoldKind, Plan

Mask = Mapping[str, str]
"""Secret values and what is shown in their place."""

safe = one_line
"""One line that shows as it is: control and invisible characters escaped."""

NO_MASK: Mask = MappingProxyType({})

UNTIL_EDITED = (
    "; it is tried again when the entry is edited, or its host, certificate or access list is "
    "another in NPM"
)


class Line(NamedTuple):
    """One line of a difference: `-`, `+` or a blank, and safe text."""

    sign: str
    text: str


def masked(value: Any, mask: Mask) -> Any:
    """`value` with each secret in its strings replaced; the names of fields are left alone."""
    if isinstance(value, str):
        return redact_text(value, mask)
    if isinstance(value, Mapping):
        return {key: masked(item, mask) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [masked(item, mask) for item in value]
    return value


def domains(change: Change, mask: Mask, most: int = 3) -> str:
    """The domains that a change is about, for beside its name."""
    names = sorted(_claimed(change))
    shown = ", ".join(safe(masked(name, mask)) for name in names[:most])
    return shown + (f" and {len(names) - most} more" if len(names) > most else "")


def _claimed(change: Change) -> Iterable[str]:
    if change.words is not None:
        return change.words.names
    fields = change.target or change.desired or (change.live.fields if change.live else None)
    return KINDS[change.kind].claims(fields) if fields else ()


def why_held(hold: Hold, mask: Mask) -> str:
    """Why a change is not made; for one that waits for a person, what ends that, too."""
    end = UNTIL_EDITED if hold.kind is HoldKind.FAILED else ""
    return safe(masked(hold.reason, mask)) + end


def is_new(change: Change) -> bool:
    """Whether there is nothing to compare with."""
    if change.words is not None:
        return change.action == "create"
    return (change.live or change.takes) is None


def nothing_to_do(plan: Plan) -> str:
    """What is said of a plan without changes."""
    if plan.whole is not None:
        return f"No changes to these entries.{and_others(plan)}"
    if plan.against is None:
        return "Nothing to do: NPM is in sync with the file."
    return f"No changes: the file says what {safe(plan.against)} says."


def and_others(plan: Plan) -> str:
    """What is said of the changes that nobody asked for; nothing where there are none."""
    if plan.not_shown == 0:
        return ""
    noun, verb = ("change", "is") if plan.not_shown == 1 else ("changes", "are")
    return f" {plan.not_shown} other {noun} {verb} not shown."


def compared(plan: Plan) -> str:
    """What a plan was made of that is not for NPM."""
    return f"Compared with {safe(plan.against or 'NPM')}; NPM was not asked."


def how_to_adopt(plan: Plan) -> str | None:
    """One sentence for all conflicts that end by taking over what is there."""
    command = adopt_command(plan)
    if command is None:
        return None
    taken = [KINDS[change.kind] for change in plan.changes if change.takes is not None]
    what = f"this {taken[0].label}" if len(taken) == 1 else f"all {len(taken)} that could be"
    return f"To take over {what}, with the changes that are shown: `{command}` asks first."


def in_order_of_concern(plan: Plan) -> list[Change]:
    """The changes as people read them: first what cannot be made, last what goes."""
    return sorted(plan.changes, key=lambda c: (c.is_open, c.action == "delete"))


def is_list(edit: Edit) -> bool:
    """Whether both sides are lists of single values, of which some come and some go."""
    return all(
        isinstance(side, list | tuple) and not any(isinstance(i, Mapping) for i in side)
        for side in (edit.old, edit.new)
    )


def is_long(edit: Edit) -> bool:
    """Whether an edit is better shown as lines than as `old → new`."""
    return any(map(_is_long, (edit.old, edit.new)))


def _is_long(value: Any) -> bool:
    if isinstance(value, str):
        return "\n" in value
    if isinstance(value, Mapping):
        return any(map(_is_long, value.values()))
    return isinstance(value, list | tuple) and any(isinstance(i, Mapping) for i in value)


def said(value: Any, mask: Mask) -> str:
    """A value on one line, as it would stand in the file."""
    return safe(_said(masked(value, mask)))


def _said(value: Any) -> str:
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key}: {_said(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_said, value)) + "]"
    return str(value) if str(value).strip() else json.dumps(value, ensure_ascii=False)


def what_moved(edit: Edit, mask: Mask) -> str:
    """`- old.example.com, + new.example.com`; the whole lists where only their order differs."""
    gone = [f"- {said(item, mask)}" for item in edit.old if item not in edit.new]
    new = [f"+ {said(item, mask)}" for item in edit.new if item not in edit.old]
    return ", ".join([*gone, *new]) or f"{said(edit.old, mask)} → {said(edit.new, mask)}"


def lines(edit: Edit, mask: Mask) -> Iterator[Line]:
    """A long edit as a small unified diff."""
    old, new = (_split(masked(value, mask)) for value in (edit.old, edit.new))
    if not old or not new:
        yield from (Line("-", safe(line)) for line in old)
        yield from (Line("+", safe(line)) for line in new)
        return
    for line in list(unified_diff(old, new, lineterm="", n=2))[2:]:
        if line.startswith("@@"):
            yield Line(" ", line)
        else:
            yield Line(line[0], safe(line[1:]))


def _split(value: Any) -> list[str]:
    if value is None or value == "":
        return []
    if isinstance(value, Mapping):
        return [line for name, item in value.items() for line in _item(name, item)]
    if isinstance(value, list | tuple):
        return [f"- {_said(item)}" for item in value]
    return str(value).split("\n")


def _item(name: str, value: Any) -> list[str]:
    if not _is_long(value):
        return [f"{name}: {_said(value)}"]
    return [f"{name}:", *(f"  {line}" for line in _split(value))]
