"""The file away from where it is used: what it says, whatever variables are not handed over."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from proxysync.config.attachments import Attachments
from proxysync.config.document import plain
from proxysync.config.entries import Reader
from proxysync.config.errors import ConfigError, Problems
from proxysync.config.expansion import Budget
from proxysync.config.interpolate import Interpolation
from proxysync.config.load import document_of, read_all
from proxysync.config.models import Settings
from proxysync.config.source import Source
from proxysync.config.variables import Variables
from proxysync.kinds import KINDS
from proxysync.kinds.written import Wording, Written, wording_of, written


@dataclass(frozen=True)
class Outline:
    """The entries and settings of a file, good or not; `error` is what is wrong with it.

    `${NAME}` stays in its texts if nothing, or a secret, was handed over for it; `secrets` are
    the latter's values, which may stand in the file as such. With `unreadable`, there may be more
    in the file than this.
    """

    entries: tuple[Written, ...]
    settings: Wording
    error: ConfigError | None
    unreadable: bool
    secrets: Mapping[str, str] = field(repr=False)


def outline(sources: Sequence[Source], whole: str, environ: Mapping[str, str]) -> Outline:
    """Reads these files as one, which messages call `whole`."""
    problems, budget, attachments = Problems(), Budget(), Attachments()
    interpolation = Interpolation(Variables(environ), budget, problems, keeps_names=True)
    reader = Reader(interpolation, budget, problems, attachments, outline_only=True)
    documents = [document_of(each, problems) for each in sources]
    read_all(reader, documents, whole)
    settings = plain(reader.settings) if reader.settings else {}
    return Outline(
        entries=tuple(
            written(KINDS[key.kind], key.name, plain(value), value.at)
            for key, value in reader.values.items()
        ),
        settings=wording_of(Settings, settings),
        error=problems.error(interpolation.secrets, {}) if problems else None,
        unreadable=not all(documents),
        secrets=interpolation.secrets,
    )
