"""What was applied: when, why, what, and how it ended."""

from collections.abc import Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from proxysync.app.state_folder import earlier_secrets, nothing_there, read_folder
from proxysync.apply.lock import is_writing
from proxysync.model import Key
from proxysync.model.redact import redact_text
from proxysync.store.journal import JournalEntry, Run


@dataclass(frozen=True)
class AppliedChange:
    """One write of a run; `outcome` is None where nobody knows how it ended."""

    action: str
    key: Key
    npm_id: int | None
    outcome: str | None
    message: str

    def to_json(self) -> dict[str, Any]:
        return {
            "action": self.action,
            "kind": self.key.kind,
            "name": self.key.name,
            "npm_id": self.npm_id,
            "outcome": self.outcome,
            "message": self.message,
        }


@dataclass(frozen=True)
class AppliedRun:
    """One run and its writes; `ended` and `outcome` are None while it is under way, or was cut.

    `state` is the outcome in any case.
    `commit` is None where the file came from no repository.
    """

    id: int
    started: str
    ended: str | None
    trigger: str
    outcome: str | None
    changes: tuple[AppliedChange, ...]
    commit: str | None = None
    is_under_way: bool = False

    @property
    def state(self) -> str:
        return self.outcome or ("under way" if self.is_under_way else "interrupted")

    def to_json(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "started": self.started,
            "ended": self.ended,
            "why": self.trigger,
            "outcome": self.outcome,
            "under_way": self.is_under_way,
            "commit": self.commit,
            "changes": [change.to_json() for change in self.changes],
        }


@dataclass(frozen=True)
class History:
    """The newest runs, newest first, without secrets; `notes` are for a person."""

    runs: tuple[AppliedRun, ...]
    notes: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """The shape of `history --format json`."""
        return {"runs": [run.to_json() for run in self.runs]}


def history(state_dir: Path, limit: int) -> History:
    """The last `limit` runs, at least one. Raises StateError."""
    secrets = earlier_secrets(state_dir)
    with closing(read_folder(state_dir)) as stored:
        journal = stored.journal
        runs = journal.runs(max(1, limit)) if journal else ()
        found = tuple(
            applied_run(run, journal.entries(since=run.id, until=run.id), secrets)
            for run in runs
            if journal
        )
    # Only the newest can be: there is one writer at a time.
    if found and found[0].ended is None and is_writing(state_dir):
        found = (replace(found[0], is_under_way=True), *found[1:])
    return History(found, (*stored.warnings, *nothing_there(state_dir)))


def applied_run(
    run: Run, entries: Iterable[JournalEntry], secrets: Mapping[str, str]
) -> AppliedRun:
    """A run and the writes that were made in it, without secrets."""
    return AppliedRun(
        id=run.id,
        started=run.started,
        ended=run.ended,
        trigger=redact_text(run.trigger, secrets),
        outcome=None if run.outcome is None else redact_text(run.outcome, secrets),
        changes=tuple(_change(entry, secrets) for entry in entries if entry.is_change),
        commit=run.commit,
    )


def _change(entry: JournalEntry, secrets: Mapping[str, str]) -> AppliedChange:
    return AppliedChange(
        action=entry.action,
        key=Key(entry.kind, redact_text(entry.name, secrets)),
        npm_id=entry.npm_id,
        outcome=None if entry.outcome is None else redact_text(entry.outcome, secrets),
        message=redact_text(entry.message, secrets),
    )
