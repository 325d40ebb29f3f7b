"""What would change since another version of the file; NPM is not asked, nor anything else."""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from proxysync.app.plan import PlanResult
from proxysync.config import revision, source
from proxysync.config.models import Settings
from proxysync.config.outline import Outline, outline
from proxysync.config.source import Source
from proxysync.kinds import KINDS
from proxysync.kinds.written import Written
from proxysync.model.redact import redact_text
from proxysync.plan.against import compare, edits_between
from proxysync.plan.guards import is_too_much
from proxysync.plan.render.edits import NO_NAMES
from proxysync.values.limits import DeleteLimit


def plan_against(file: Path, other: str, environ: Mapping[str, str]) -> PlanResult:
    """The plan from `other`, a file, a folder or a revision of git's, to the file.

    No variable needs to be handed over. The other version need not be valid, so that what is wrong
    with it can be put right. Raises ConfigError for the file, and ProxysyncError.
    """
    now = outline(source.read(file), str(file), environ)
    if now.error is not None:
        raise now.error
    sources = _sources(file, other)
    before = outline(sources, other, environ)
    found = compare(before.entries, now.entries, against=other)
    settings = edits_between(Settings, before.settings, now.settings)
    secrets = {**before.secrets, **now.secrets}
    notes = [*_notes(file, other, sources, before), *_too_much_goes(other, before, now)]
    notes = [redact_text(note, secrets) for note in notes]
    places = {entry.key: entry.source for entry in now.entries}
    plan = replace(found, settings=settings)
    tags = {entry.key: _tags_of(entry) for entry in now.entries}
    return PlanResult(plan, secrets, NO_NAMES, tuple(notes), places=places, tags=tags)


def _sources(file: Path, other: str) -> tuple[Source, ...]:
    return source.read(Path(other)) if os.path.lexists(other) else revision.read(file, other)


def _too_much_goes(other: str, before: Outline, now: Outline) -> Iterator[str]:
    """A warning where so many hosts go that an NPM which has all of `other` would be kept."""
    limit = now.settings.meant.get("max_delete")
    stay = {entry.key for entry in now.entries if _is_served(entry)}
    served = [entry for entry in before.entries if _is_served(entry)]
    # One that is called otherwise now is the same host if it has a name of before.
    names = {name for entry in now.entries if entry.key in stay for name in entry.names}
    gone = [e for e in served if e.key not in stay and names.isdisjoint(e.names)]
    if isinstance(limit, DeleteLimit) and is_too_much(len(gone), len(served), limit):
        yield (
            f"Warning: this takes down {len(gone)} of the {len(served)} hosts of {other}, and "
            f"max_delete is {limit}: where NPM has all of them, `apply` refuses it\n"
            "  hint: If that is meant, let it pass once with `proxysync apply --max-delete 100%`."
        )


def _tags_of(entry: Written) -> tuple[str, ...]:
    """Its tags; none where a variable stands for all of them."""
    found = entry.wording.meant["tags"]
    return () if isinstance(found, str) else tuple(found or ())


def _is_served(entry: Written) -> bool:
    kind = KINDS[entry.kind]
    return kind.is_host and kind.is_enabled(entry.wording.meant)


def _notes(file: Path, other: str, sources: Sequence[Source], before: Outline) -> list[str]:
    if not sources:
        return [f"Note: {file} is not in {other}, so every entry is new."]
    if before.error is None:
        return []
    more = ", and what cannot be read of it counts as missing" if before.unreadable else ""
    return [f"Warning: {other} is not valid{more}: {before.error.message}"]
