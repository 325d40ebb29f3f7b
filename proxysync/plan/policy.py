"""What the caller allows a plan to do, and what it knows of earlier attempts."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from proxysync.model import Fields, Key
from proxysync.values.limits import DeleteLimit

DEFAULT_LIMIT = DeleteLimit(share=0.3)


@dataclass(frozen=True)
class Policy:
    """The settings that bear on a plan, and what was allowed for this one run.

    `max_delete_override` and `recreate` are a person's word that a refusal is to be waived;
    `adopting` names the entries that may take over a foreign host, and `delete_orphans` lets
    hosts go that the state knows nothing of. `maybe_truncated` means that the file may have
    been read while it was being written. `state` is the id of this state folder, if there is
    one. `back_to` is the run before which all is to be as it was, None where the file says how
    it is to be. The entries `unserved` are not served at the edge, whatever NPM says of their
    hosts. `contested` are the fields that somebody else has put back too often. `unknown_texts`
    may hold secrets that the state does not know (see `unknown_past`). `secret_key` is what the
    state tells secrets apart by (see `secrets`). What nginx refused `as_found` is left as it is.
    No entry has one of `unknown_tags`, by which they were to be chosen.
    """

    instance: str = "default"
    state: str | None = None
    drift: Literal["fix", "report"] = "fix"
    prune: bool = True
    max_delete: DeleteLimit = DEFAULT_LIMIT
    max_delete_override: DeleteLimit | None = None
    recreate: bool = False
    delete_orphans: bool = False
    maybe_truncated: bool = False
    adopting: frozenset[Key] = frozenset()
    back_to: int | None = None
    unserved: frozenset[Key] = frozenset()
    contested: Mapping[Key, frozenset[str]] = field(default_factory=dict)
    unknown_texts: frozenset[str] = frozenset()
    secret_key: bytes = field(default=b"", repr=False)
    as_found: frozenset[Key] = frozenset()
    unknown_tags: tuple[str, ...] = ()

    @property
    def command(self) -> str:
        """What a person types to make such a plan."""
        return "apply" if self.back_to is None else f"rollback {self.back_to}"


@dataclass(frozen=True)
class Failure:
    """A definition that was written, did not work and was rolled back.

    `live` is what NPM had after the roll back, None if nothing was left. One that is `as_found`
    was taken over so, and never written by us.
    """

    key: Key
    fields: Fields
    live: Fields | None
    reason: str
    as_found: bool = False
