"""Where in the file an entry stands or is to stand, and the edit that brings it there."""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from proxysync.app.new_file import ChangedError
from proxysync.config import edit as text_edit
from proxysync.config import source
from proxysync.config.edit import EditError
from proxysync.config.errors import ConfigError, Problem
from proxysync.config.models import Config
from proxysync.kinds import KINDS
from proxysync.model import Key
from proxysync.model.errors import ProxysyncError

UTF8_MARK = "\ufeff"

Change = Callable[[str], str]
"""From the text of a file to the one that is meant."""


class EntryError(ProxysyncError):
    """There is such an entry already, or there is none."""

    def __init__(self, key: Key, *, exists: bool, hint: str | None = None) -> None:
        noun = KINDS[key.kind].noun
        there = f"there is a {noun} named {key.name} already"
        absent = f"there is no {noun} named {key.name}"
        super().__init__(there if exists else absent, hint=hint)
        self.code = "entry.exists" if exists else "entry.unknown"


class OutdatedError(ProxysyncError):
    """The file is not the one that an edit was meant for."""

    code = "file.changed"


def file_for(key: Key, config: Config, path: Path, root: Path = Path()) -> Path:
    """The file that an entry stands in, as messages call it.

    For a new one it is the one with most entries of its kind; where there is none, one that has
    its section, or else the first.
    """
    if (found := config.resource(key)) is not None:
        return Path(found.source.file)
    if alike := [r.source.file for r in config.resources if r.key.kind == key.kind]:
        return Path(max(alike, key=alike.count))
    start = f"\n{KINDS[key.kind].section}:".encode()
    sources = source.read(path, root)
    sections = [each.name for each in sources if start in b"\n" + each.content]
    return Path(sections[0] if sections else sources[0].name)


def content_of(file: Path, path: Path, root: Path = Path()) -> bytes:
    """What is in one of the files of `path`. Raises ChangedError where it has gone."""
    for each in source.read(path, root):
        if each.name == str(file):
            return each.content
    raise ChangedError(file)


def path_of(key: Key) -> tuple[str, str]:
    """What leads to an entry."""
    return KINDS[key.kind].section, key.name


def problem_with(path: str, message: str, hint: str | None) -> ConfigError:
    """What is wrong with an entry that stands nowhere yet."""
    return ConfigError([Problem("", 0, 0, path, message, hint)])


def untagged(tags: Sequence[str]) -> tuple[str, str]:
    """What is wrong with an entry that has none of the tags for this NPM, and what to do."""
    told = ", ".join(tags)
    return f"has none of {told}: this NPM would not get it", f"Give it `tags: [{tags[0]}]`."


def with_fields(key: Key, fields: Mapping[str, Any], *, new: bool) -> Change:
    """The edit after which the entry has exactly these fields. It raises EditError."""
    section = KINDS[key.kind].section

    def stands_in(text: str) -> bool:
        try:
            text_edit.read(text, section, key.name)
        except EditError:
            return False
        return True

    def change(text: str) -> str:
        if new and stands_in(text):
            raise EntryError(key, exists=True, hint="It is for another NPM, by its tags.")
        edit = text_edit.add if new else text_edit.replace
        after = edit(text, section, key.name, fields)
        try:
            found = text_edit.read(after, section, key.name)
        except EditError:
            return after  # loading says what is wrong with it
        # What is equal in Python may be another thing in a file: 1, 1.0 and true.
        if json.dumps(found, sort_keys=True) != json.dumps(fields, sort_keys=True):
            raise EditError(
                f"{key.name} cannot be written as it is meant: an alias or a merge stands there, "
                "or a number that YAML knows in another way",
                hint="Edit the file by hand.",
            )
        return after

    return change
