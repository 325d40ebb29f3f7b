"""What the renderings share: values as safe text, secrets masked, and lines of difference."""

import json
from collections.abc import Iterator, Mapping
from difflib import unified_diff
from types import MappingProxyType
from typing import Any, NamedTuple

from proxysync.kinds import KINDS
from proxysync.model.redact import redact_text
from proxysync.model.text import one_line
from proxysync.plan.adoption import adopt_command
from proxysync.plan.model import Change, FieldChange, Hold, HoldKind, Plan

Mask = Mapping[str, str]
"""Secret values and what is shown in their place."""

IdNames = Mapping[tuple[str, int], str]
"""What an id means to a person: `("certificate_id", 3)` to the certificate's name."""

safe = one_line
"""One line that shows as it is: control and invisible characters escaped."""

NO_MASK: Mask = MappingProxyType({})
NO_NAMES: IdNames = MappingProxyType({})

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
    kind = KINDS[change.kind]
    fields = change.target or change.desired or (change.live.fields if change.live else None)
    names = sorted(kind.claims(fields)) if fields else []
    shown = ", ".join(safe(masked(name, mask)) for name in names[:most])
    return shown + (f" and {len(names) - most} more" if len(names) > most else "")


def why_held(hold: Hold, mask: Mask) -> str:
    """Why a change is not made; for one that waits for a person, what ends that, too."""
    end = UNTIL_EDITED if hold.kind is HoldKind.FAILED else ""
    return safe(masked(hold.reason, mask)) + end


def is_one_sided(change: Change) -> bool:
    """Whether there is nothing to compare with: a host that is not there, or is to go."""
    return (change.live or change.takes) is None or change.action == "delete"


def how_to_adopt(plan: Plan) -> str | None:
    """One sentence for all conflicts that end by taking over what is there."""
    command = adopt_command(plan)
    if command is None:
        return None
    number = sum(change.takes is not None for change in plan.changes)
    what = "this host" if number == 1 else f"these {number} hosts"
    return f"To take over {what}, with the changes that are shown: `{command}` asks first."


def worth_showing(change: Change) -> dict[str, FieldChange]:
    """The fields of a change but for the switches and blanks that every new host starts with."""
    if not is_one_sided(change):
        return dict(change.fields)
    defaults = KINDS[change.kind].defaults
    return {
        name: field
        for name, field in change.fields.items()
        if not _says_nothing(field.old if field.new is None else field.new, defaults.get(name))
    }


def _says_nothing(value: Any, default: Any) -> bool:
    return value == default if isinstance(value, bool) else not value


def is_long(field: FieldChange) -> bool:
    """Whether a field is better shown as lines than as `old -> new`."""
    return any(
        (isinstance(value, str) and "\n" in value)
        or (isinstance(value, list) and any(isinstance(item, Mapping) for item in value))
        for value in (field.old, field.new)
    )


def short(name: str, value: Any, mask: Mask, names: IdNames) -> str:
    """A value on one line, with the name behind an id where it is known."""
    text = safe(json.dumps(masked(value, mask), ensure_ascii=False))
    label = names.get((name, value)) if isinstance(value, int) else None
    return f"{text} ({safe(masked(label, mask))})" if label else text


def lines(field: FieldChange, mask: Mask) -> Iterator[Line]:
    """A long field as a small unified diff."""
    old, new = (_split(masked(value, mask)) for value in (field.old, field.new))
    for line in list(unified_diff(old, new, lineterm="", n=2))[2:]:
        if line.startswith("@@"):
            yield Line(" ", line)
        else:
            yield Line(line[0], safe(line[1:]))


def _split(value: Any) -> list[str]:
    if value is None or value == "":
        return []
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=2)
    return text.split("\n")
