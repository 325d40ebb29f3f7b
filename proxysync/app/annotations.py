"""What is wrong with a file, or with what its entries lead to, as notes at their places in it."""

from collections.abc import Iterable, Iterator

from proxysync.app.validate import FileResult, ValidationResult
from proxysync.config.errors import ConfigError
from proxysync.config.models import Config
from proxysync.model import label_among
from proxysync.model.annotation import Annotation
from proxysync.model.errors import ProxysyncError
from proxysync.model.position import Position
from proxysync.model.redact import redact_text


def of_error(error: ProxysyncError) -> Iterator[Annotation]:
    """Each problem of the file, or whatever else keeps a command from its work."""
    if not isinstance(error, ConfigError):
        yield Annotation("error", str(error), None)
        return
    for problem in error.problems:
        what = f"{problem.path}: {problem.message}" if problem.path else problem.message
        text = f"{what}\n{problem.hint}" if problem.hint else what
        yield Annotation("error", text, Position(problem.file, problem.line, problem.column))


def of_validation(found: ValidationResult | FileResult, config: Config) -> Iterator[Annotation]:
    """What failed, and what a person should know besides."""
    for each in _of_validation(found, config):
        yield Annotation(each.level, redact_text(each.message, found.secrets), each.at)


def _of_validation(found: ValidationResult | FileResult, config: Config) -> Iterable[Annotation]:
    label = label_among(resource.key for resource in config.resources)
    places = {resource.key: resource.source for resource in config.resources}
    verdicts = found.verdicts if isinstance(found, ValidationResult) else ()
    for verdict in verdicts:
        if verdict.failure is not None:
            text = f"{label(verdict.key)}: {verdict.reason}\n{verdict.hint or ''}".rstrip()
            yield Annotation("error" if verdict.blocks else "warning", text, places[verdict.key])
    for note in found.notes:
        yield Annotation("warning", f"{label(note.key)}: {note.message}", places[note.key])
