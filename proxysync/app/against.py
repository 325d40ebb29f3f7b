"""What would change since another version of the file; NPM is not asked, nor anything else."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from proxysync.app.plan import PlanResult
from proxysync.config import revision, source
from proxysync.config.models import Settings
from proxysync.config.outline import Outline, outline
from proxysync.config.source import Source
from proxysync.model.redact import redact_text
from proxysync.plan.against import compare, edits_between
from proxysync.plan.render.edits import NO_NAMES


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
    notes = tuple(redact_text(note, secrets) for note in _notes(file, other, sources, before))
    places = {entry.key: entry.source for entry in now.entries}
    plan = replace(found, settings=settings)
    return PlanResult(plan, secrets, NO_NAMES, notes, places=places)


def _sources(file: Path, other: str) -> tuple[Source, ...]:
    return source.read(Path(other)) if os.path.lexists(other) else revision.read(file, other)


def _notes(file: Path, other: str, sources: Sequence[Source], before: Outline) -> list[str]:
    if not sources:
        return [f"Note: {file} is not in {other}, so every entry is new."]
    if before.error is None:
        return []
    more = ", and what cannot be read of it counts as missing" if before.unreadable else ""
    return [f"Warning: {other} is not valid{more}: {before.error.message}"]
