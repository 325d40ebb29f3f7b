"""Whether the file is valid, and whether what its entries lead to works; NPM is not asked."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from proxysync.app.choose import ALL, Only, choose
from proxysync.app.planning import OnProbe, nobody_watches
from proxysync.app.verdict import Verdict, count_upstreams, not_probed, probe_entries
from proxysync.config import source
from proxysync.config.errors import ConfigError
from proxysync.config.models import Config
from proxysync.config.outline import outline
from proxysync.kinds.entry import Resource
from proxysync.model import Key, Snapshot
from proxysync.model.redact import redact
from proxysync.plan.model import Note


@dataclass(frozen=True)
class ValidationResult:
    """What was found of each entry that was asked for; `secrets` are not to be shown."""

    verdicts: tuple[Verdict, ...]
    secrets: Mapping[str, str] = field(repr=False)
    notes: tuple[Note, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether no entry is kept out of NPM."""
        return not any(verdict.blocks for verdict in self.verdicts)

    def to_json(self) -> dict[str, Any]:
        """The shape of `validate --format json`, without secrets."""
        results = [verdict.to_json() for verdict in self.verdicts]
        value = {"results": results, **_warnings(self.notes)}
        masked: dict[str, Any] = redact(value, self.secrets)
        return masked


@dataclass(frozen=True)
class FileResult:
    """A valid file that was looked at and no more: the entries asked for, and how many it has."""

    keys: tuple[Key, ...]
    total: int
    secrets: Mapping[str, str] = field(repr=False)
    notes: tuple[Note, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """The shape of `validate --no-probe --format json`."""
        results = [
            {"kind": key.kind, "name": key.name, "ok": True, "steps": []} for key in self.keys
        ]
        return {"results": results, **redact(_warnings(self.notes), self.secrets)}


@dataclass(frozen=True)
class InvalidFile:
    """A file of which nothing can be said but what is wrong with it."""

    error: ConfigError

    def to_json(self) -> dict[str, Any]:
        return {"results": [], "problems": self.error.to_json()}


def validate(
    config: Config,
    names: Sequence[str] = (),
    *,
    only: Only = ALL,
    on_probe: OnProbe = nobody_watches,
) -> ValidationResult:
    """Probes the entries of these names, or all; one that is off is probed only if named.

    Raises ProxysyncError if there is no such entry.
    """
    entries = _chosen(config, names, only)
    probed = [entry for entry in entries if entry.is_on or names]
    advance = on_probe(count_upstreams(probed))
    found = probe_entries(probed, config.settings.validation, on_result=advance)
    verdicts = {verdict.key: verdict for verdict in found}
    return ValidationResult(
        tuple(verdicts.get(e.key) or not_probed(e, "enabled is false") for e in entries),
        config.secrets,
        notes_of(config, {entry.key for entry in entries}),
    )


def check_file(config: Config, names: Sequence[str] = (), *, only: Only = ALL) -> FileResult:
    """The same without a probe. Raises ProxysyncError."""
    keys = tuple(entry.key for entry in _chosen(config, names, only))
    return FileResult(keys, len(config.resources), config.secrets, notes_of(config, set(keys)))


def check_offline(
    file: Path, environ: Mapping[str, str], names: Sequence[str] = (), *, only: Only = ALL
) -> FileResult:
    """The same away from where the file is used, without variables and the files that it names.

    Raises ProxysyncError.
    """
    found = outline(source.read(file), str(file), environ)
    if found.error is not None:
        raise found.error
    known = [entry.key for entry in found.entries if only.kind in (None, entry.key.kind)]
    keys = choose(names, known) if names else known
    return FileResult(tuple(keys), len(known), found.secrets)


def notes_of(config: Config, keys: Collection[Key]) -> tuple[Note, ...]:
    """What a person should know of these entries, as far as the file alone tells."""
    return tuple(
        Note(desired.key, text)
        for desired in config.desired(Snapshot(objects=()))
        if desired.key in keys
        for text in desired.warnings
    )


def _warnings(notes: Sequence[Note]) -> dict[str, Any]:
    """As `plan --format json` shows them, if there are any."""
    shown = [{"kind": note.kind, "name": note.name, "message": note.message} for note in notes]
    return {"warnings": shown} if shown else {}


def _chosen(config: Config, names: Sequence[str], only: Only) -> list[Resource]:
    only.require_tag({tag for entry in config.resources for tag in entry.entry.tags})
    found = (r for r in config.resources if only.takes(r.key.kind, r.entry.tags))
    known = {entry.key: entry for entry in found}
    return [known[key] for key in choose(names, known)] if names else list(known.values())
