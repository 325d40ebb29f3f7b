"""One run that was applied: what each of its changes was, in the words of the file."""

from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from proxysync.app.history import AppliedRun, applied_run
from proxysync.app.state_folder import earlier_secrets, read_folder
from proxysync.apply.lock import is_writing
from proxysync.kinds import KINDS, Kind
from proxysync.kinds.references import Named
from proxysync.model import Fields, Key
from proxysync.model.errors import ProxysyncError
from proxysync.model.redact import redact
from proxysync.plan.model import Edit
from proxysync.plan.render import edit_lines, edits_to_json
from proxysync.plan.render.edits import edits_between
from proxysync.plan.unknown_past import without_unknown
from proxysync.store.journal import JournalEntry

LARGEST = 2**62


@dataclass(frozen=True)
class RunDetails:
    """A run, with what was changed by each of its changes; `secrets` are not to be shown."""

    run: AppliedRun
    edits: tuple[tuple[Edit, ...], ...]
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)

    def to_json(self) -> dict[str, Any]:
        """The shape of `history ID --format json`."""
        value = self.run.to_json()
        for change, edits in zip(value["changes"], self.edits, strict=True):
            change["edits"] = edits_to_json(edits, self.secrets)
        masked: dict[str, Any] = redact(value, self.secrets)
        return masked

    def lines(self, index: int, *, colour: bool) -> Iterator[str]:
        """What one change was, for a person: old and new where there were both."""
        action = self.run.changes[index].action
        for edit in self.edits[index]:
            shown = Edit(edit.path, None, edit.old) if action == "delete" else edit
            alone = action in ("create", "delete")
            yield from edit_lines(shown, self.secrets, colour=colour, alone=alone)


def run_details(state_dir: Path, run_id: int) -> RunDetails:
    """The run of this number. Raises ProxysyncError if there is none."""
    secrets = earlier_secrets(state_dir)
    with closing(read_folder(state_dir)) as stored:
        journal, state = stored.journal, stored.state
        if not 0 < run_id < LARGEST or journal is None or state is None:
            raise _missing(run_id)
        found = journal.run(run_id)
        if found is None:
            raise _missing(run_id)
        entries = [e for e in journal.entries(since=run_id, until=run_id) if e.is_change]
        unknown = state.unknown_texts()
        now: Named = {(row.key.kind, row.npm_id): row.key.name for row in state.applied()}
        edits = tuple(_edits(entry, unknown, now) for entry in entries)
        is_newest = journal.runs(1)[0].id == run_id
    under_way = is_newest and found.ended is None and is_writing(state_dir)
    run = replace(applied_run(found, entries, secrets), is_under_way=under_way)
    return RunDetails(run, edits, secrets)


def _missing(run_id: int) -> ProxysyncError:
    return ProxysyncError(
        f"there is no run {run_id}",
        hint="`proxysync history` lists what was applied.",
        code="run.unknown",
    )


def _edits(entry: JournalEntry, unknown: frozenset[str], now: Named) -> tuple[Edit, ...]:
    """What the change was; `now` has the names that managed objects go by."""
    kind = KINDS[entry.kind]
    before, after = (without_unknown(kind, f, unknown) for f in (entry.before, entry.after))
    named = {**_references(kind, before), **_references(kind, after), **now}
    return edits_between(kind, before, after, named)


def _references(kind: Kind, fields: Fields | None) -> Named:
    """What was not in NPM yet goes by the name of its entry."""
    ids = {other: (fields or {}).get(name) for name, other in kind.refers_to.items()}
    found: dict[Any, str] = {
        (other, text): Key.parse(text).name for other, text in ids.items() if isinstance(text, str)
    }
    return found
