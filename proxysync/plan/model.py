"""The plan: one frozen value from which text, JSON, Markdown and the writes are all drawn."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, Literal

from proxysync.model import Applied, Fields, Key, Keyed, Live, label_among

Action = Literal["create", "update", "delete", "adopt", "release", "conflict"]

MARKER_FIELD = "meta.proxysync"
"""Where a change of our marker stands among the fields of a change."""


@dataclass(frozen=True)
class FieldChange:
    """One field's value in NPM and the one it is to have; None where there is none."""

    old: Any
    new: Any


@dataclass(frozen=True)
class Edit:
    """One value of an entry as it is and as it is to be; None where there is none.

    `path` leads to it within the entry: `upstream`, `locations["/v1"].upstream`.
    """

    path: str
    old: Any
    new: Any


@dataclass(frozen=True)
class Words:
    """A change in the words of the file, where NPM was not asked: the domains or ports that it is
    about, and what differs.
    """

    names: tuple[str, ...]
    edits: tuple[Edit, ...]


HOST = "host"
"""Stands for the host as a whole among the fields that a change puts right."""

PASSWORDS = "passwords"
"""Stands for all that NPM never shows among the fields that a change puts right."""


class HoldKind(StrEnum):
    """Why a change is shown but not made.

    BLOCKED: it failed validation. FAILED: it was rolled back earlier and is not tried again.
    DRIFT: `settings.drift` is `report`. PRUNE: `settings.prune` is off. WAITING: another
    entry has to go first. ORPHAN: the state has no row that makes the host ours to delete.
    CONTESTED: somebody else has put it back again and again.
    """

    BLOCKED = "blocked"
    FAILED = "failed"
    DRIFT = "drift"
    PRUNE = "prune"
    WAITING = "waiting"
    ORPHAN = "orphan"
    CONTESTED = "contested"


UNFINISHED = frozenset({HoldKind.BLOCKED, HoldKind.FAILED, HoldKind.WAITING, HoldKind.CONTESTED})
"""Holds that leave NPM short of what the file and its settings ask for."""


@dataclass(frozen=True)
class Hold:
    """Why a change is not to be made now, for a person."""

    kind: HoldKind
    reason: str


@dataclass(frozen=True)
class Change(Keyed):
    """One difference between the file and NPM.

    `fields` says what differs, by NPM's field names. `target` is the definition to write
    (None for a delete or a conflict); `desired` the one to record as last applied when it
    has been written (None for a delete or a release). `live` is the host as NPM has it, the
    foreign one for an adopt. `undoes` are the fields that somebody changed in NPM and that get
    back what was last applied. A change with a `hold` is shown but must not be made. `secrets` are
    written beside the target, and are known by their `digests` from then on; those are others with
    each state, and no part of what two changes are compared by. A conflict that ends if the entry
    takes over somebody else's host has that in `takes`; its `fields` are then what would change in
    it. Of a change against another version of the file there are only `words`.
    """

    action: Action
    key: Key
    npm_id: int | None
    drift: bool
    fields: Mapping[str, FieldChange]
    reason: str
    target: Fields | None
    desired: Fields | None
    live: Live | None
    hold: Hold | None = None
    undoes: frozenset[str] = frozenset()
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)
    digests: Mapping[str, str] = field(default_factory=dict, compare=False)
    takes: Live | None = None
    words: Words | None = None

    @property
    def is_open(self) -> bool:
        """Whether nothing but a refusal of the whole plan keeps it from being made."""
        return self.hold is None and self.action != "conflict"


@dataclass(frozen=True)
class Note(Keyed):
    """Something that a person should know about an entry, though it hinders nothing."""

    key: Key
    message: str


@dataclass(frozen=True)
class Plan:
    """The full difference, in the order of the file, deletes last.

    `refused` says why the whole plan must not be made. `records` are rows of the state to
    write without touching NPM, `forget` the keys to drop from it. A plan `against` another version
    of the file is for a person only; `settings` is then what differs in those. One that shows some
    entries only has the `whole`.
    """

    changes: tuple[Change, ...]
    unchanged: tuple[Key, ...]
    refused: str | None = None
    records: tuple[Applied, ...] = ()
    forget: tuple[Key, ...] = ()
    notes: tuple[Note, ...] = ()
    against: str | None = None
    settings: tuple[Edit, ...] = ()
    whole: "Plan | None" = None

    def only(self, keep: Callable[[Key], bool]) -> "Plan":
        """The same for some entries alone, to be shown."""
        return replace(
            self,
            changes=tuple(change for change in self.changes if keep(change.key)),
            unchanged=tuple(filter(keep, self.unchanged)),
            notes=tuple(note for note in self.notes if keep(note.key)),
            whole=self,
        )

    @property
    def not_shown(self) -> int:
        """How many changes the whole plan has besides."""
        return 0 if self.whole is None else len(self.whole.changes) - len(self.changes)

    @property
    def label_of(self) -> Callable[[Key], str]:
        """How texts that show the plan call its entries."""
        if self.whole is not None:
            return self.whole.label_of
        changed, noted = (change.key for change in self.changes), (note.key for note in self.notes)
        return label_among([*changed, *self.unchanged, *noted])

    @property
    def to_make(self) -> tuple[Change, ...]:
        """The changes to carry out now: none when the plan is refused."""
        if self.refused is not None:
            return ()
        return tuple(change for change in self.changes if change.is_open)

    @property
    def summary(self) -> dict[str, int]:
        """Counts as `plan --format json` shows them; a held change is not under its action.

        `held` are those that wait for something else than their validation. `release` is only
        there where something is: no file asks for it.
        """
        ready = [change.action for change in self.changes if change.is_open]
        released = ready.count("release")
        return {
            "create": ready.count("create"),
            "update": ready.count("update"),
            "delete": ready.count("delete"),
            "adopt": ready.count("adopt"),
            "unchanged": len(self.unchanged),
            "conflict": sum(change.action == "conflict" for change in self.changes),
            "blocked": len(self.held(HoldKind.BLOCKED)),
            "drift": sum(change.drift for change in self.changes),
            "held": len(self.held(*HoldKind)) - len(self.held(HoldKind.BLOCKED)),
            **({"release": released} if released else {}),
        }

    @property
    def holds(self) -> dict[str, int]:
        """How many changes are held for which reason, in the words of `status`."""
        counts = {kind.value: len(self.held(kind)) for kind in HoldKind}
        return {kind: number for kind, number in counts.items() if number}

    @property
    def in_sync(self) -> bool:
        """Whether NPM is as the file and its settings want it."""
        return self.refused is None and not any(
            change.is_open
            or change.action == "conflict"
            or (change.hold is not None and change.hold.kind in UNFINISHED)
            for change in self.changes
        )

    @property
    def empty(self) -> bool:
        """Whether there is nothing at all to show."""
        return not self.changes and not self.settings and self.refused is None

    def held(self, *kinds: HoldKind) -> tuple[Change, ...]:
        """The changes that are held for one of these reasons."""
        return tuple(c for c in self.changes if c.hold is not None and c.hold.kind in kinds)
