"""The file, or a folder of files, to a Config; or a ConfigError with everything that is wrong."""

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from proxysync.config import source
from proxysync.config.attachments import Attachments
from proxysync.config.document import Document, parse
from proxysync.config.entries import Reader
from proxysync.config.errors import ConfigError, Problem, Problems
from proxysync.config.expansion import Budget
from proxysync.config.interpolate import Interpolation
from proxysync.config.models import Config, Settings
from proxysync.config.source import Source
from proxysync.config.variables import Variables
from proxysync.kinds.entry import Resource
from proxysync.model.position import Position

__all__ = ["ConfigError", "Problem", "fingerprint", "load", "load_text"]

_UTF8_MARK = b"\xef\xbb\xbf"
_UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ufffe\uffff]")


def load(
    path: Path,
    environ: Mapping[str, str] = os.environ,
    *,
    root: Path = Path(),
    tags: Sequence[str] = (),
) -> Config:
    """Reads the file, or the `*.yaml` files of a folder as one, which are below `root`.

    `environ` and the files that it names are what `${NAME}` may read (see `variables`). With
    `tags`, nothing else counts than the entries with one of them, and what these refer to.

    Raises ConfigError.
    """
    sources = source.read(path, root)
    files = tuple(root / each.name for each in sources)
    return _load(sources, str(path), files, Variables(environ), Attachments(root), tags)


def load_with(
    path: Path,
    changed: Source,
    environ: Mapping[str, str] = os.environ,
    *,
    root: Path = Path(),
    tags: Sequence[str] = (),
    hides_secrets: bool = False,
) -> Config:
    """As `load`, with other content in one of the files; `hides_secrets` is `Variables.hides`.

    Raises ConfigError.
    """
    sources = tuple(changed if s.name == changed.name else s for s in source.read(path, root))
    files = tuple(root / each.name for each in sources)
    variables = Variables(environ, hides=hides_secrets)
    return _load(sources, str(path), files, variables, Attachments(root), tags)


def load_text(text: str | bytes, name: str, environ: Mapping[str, str] = os.environ) -> Config:
    """The same for a file in memory that messages call `name`.

    Raises ConfigError.
    """
    content = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
    if len(content) > source.MAX_BYTES:
        raise source.failure(name, f"is too large: proxysync reads {source.MAX_BYTES} bytes")
    return _load((Source(name, content),), name, (), Variables(environ), Attachments())


def fingerprint(path: Path) -> str | None:
    """The `Config.fingerprint` that loading would give; None if there is nothing to be read."""
    try:
        return source.digest(source.read(path))
    except ConfigError:
        return None


def _load(
    sources: Sequence[Source],
    whole: str,
    files: tuple[Path, ...],
    variables: Variables,
    attachments: Attachments,
    tags: Sequence[str] = (),
) -> Config:
    problems = Problems()
    budget = Budget()
    interpolation = Interpolation(variables, budget, problems)
    reader = Reader(interpolation, budget, problems, attachments, tags=tags)
    documents = [document_of(each, problems) for each in sources]
    settings, resources = read_all(reader, documents, whole)
    if problems:
        raise problems.error(interpolation.secrets, attachments.digests)
    return Config(
        settings=settings,
        resources=resources,
        selection=reader.selection,
        maybe_truncated=any(
            document.block_style and not each.content.endswith(b"\n")
            for document, each in zip(documents, sources, strict=True)
            if document
        ),
        fingerprint=source.digest(sources),
        files=files,
        attachments=attachments.digests,
        secrets=interpolation.secrets,
        variables=variables.found,
    )


def read_all(
    reader: Reader, documents: Sequence[Document | None], whole: str
) -> tuple[Settings, tuple[Resource, ...]]:
    """What `Reader.finish` makes of these; None is a file in which nothing can be read."""
    for document in documents:
        if document and document.root:
            reader.add(document.root)
    first = Position(whole, 1, 1) if len(documents) == 1 else Position(whole)
    # A file that cannot be read may hold what seems to be missing.
    return reader.finish(first, complete=bool(documents) and all(documents))


def document_of(each: Source, problems: Problems) -> Document | None:
    """What is in a file; None, and a problem, if that is nothing."""
    text = _text(each, problems)
    if text is None:
        return None
    document = parse(text, each.name, problems)
    if document is not None and (document.root is None or document.root.data is None):
        problems.add(
            Position(each.name, 1, 1),
            (),
            "is empty",
            "write `proxies: {}` where no proxies are meant; `proxysync demo` shows a file",
        )
        return None
    return document


def _text(each: Source, problems: Problems) -> str | None:
    """The content as text; None, and a problem, if it is none."""
    if each.content.startswith(_UTF16_MARKS):
        problems.add(Position(each.name, 1, 1), (), "is UTF-16", "save it as UTF-8")
        return None
    content = each.content.removeprefix(_UTF8_MARK)
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        before = content[: error.start].decode()
        problems.add(_end(before, each.name), (), "is no UTF-8 text", "save it as UTF-8")
        return None
    if control := _CONTROL.search(text):
        problems.add(
            _end(text[: control.start()], each.name),
            (),
            f"holds the control character {ord(control[0]):#04x}, so it is no YAML text",
            "is it the right file?",
        )
        return None
    return text


def _end(text: str, name: str) -> Position:
    """Where `text` ends."""
    return Position(name, text.count("\n") + 1, len(text) - text.rfind("\n"))
