"""Edits of the file on a person's word: checked as a whole, and then written, or not at all."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from proxysync.app.choose import choose, did_you_mean
from proxysync.app.new_file import ChangedError, write_file
from proxysync.app.placing import (
    UTF8_MARK,
    Change,
    EntryError,
    OutdatedError,
    content_of,
    file_for,
    problem_with,
    untagged,
    with_fields,
)
from proxysync.app.planning import OnProbe, nobody_watches
from proxysync.app.verdict import Verdict, count_upstreams, probe_entries
from proxysync.config import edit as text_edit
from proxysync.config.document import scalar
from proxysync.config.edit import EditError
from proxysync.config.errors import ConfigError
from proxysync.config.load import fingerprint, load, load_with
from proxysync.config.models import Config
from proxysync.config.source import Source
from proxysync.kinds import KINDS
from proxysync.model import Key
from proxysync.model.errors import ProxysyncError
from proxysync.model.redact import redact
from proxysync.values.invalid import InvalidValue
from proxysync.values.names import entry_name

Assignment = tuple[Sequence[str], Any]
"""What leads to a value within an entry, and the value."""


class StoppedError(ProxysyncError):
    """An edit was given up."""

    code = "edit.stopped"


@dataclass(frozen=True)
class Edited:
    """What became of an edit: the file before and after, and what validation says of the entry.

    `written` tells whether the file has it.
    """

    key: Key
    file: Path
    before: str
    after: str
    config: Config
    verdict: Verdict | None
    written: bool

    def to_json(self) -> dict[str, Any]:
        """The shape of `add`, `set` and `remove --format json`."""
        checked = self.verdict.to_json() if self.verdict else None
        value = {
            "kind": self.key.kind,
            "name": self.key.name,
            "file": str(self.file),
            "written": self.written,
            "validation": checked,
        }
        masked: dict[str, Any] = redact(value, self.config.secrets)
        return masked


@dataclass(frozen=True)
class Editor:
    """Edits one file, or the files of a folder; `tags` are as for `load`.

    Once `stop` gives true, a probe is given up, and nothing is written. Each method raises
    ProxysyncError.
    """

    path: Path
    environ: Mapping[str, str]
    tags: Sequence[str] = ()
    probe: bool = True
    on_probe: OnProbe = nobody_watches
    stop: Callable[[], bool] | None = None

    def put(self, key: Key, fields: Mapping[str, Any], *, new: bool, expected: str = "") -> Edited:
        """The file with exactly these fields in an entry, which must be `new`, or there already.

        With `expected`, the file must still have this fingerprint.
        """
        config = load(self.path, self.environ, tags=self.tags)
        _require_version(config, expected)
        if new == (config.resource(key) is not None):
            raise _unexpected(key, config)
        try:
            entry_name(key.name)
        except InvalidValue as error:
            raise problem_with(key.name, error.message, error.hint) from error
        file = file_for(key, config, self.path)
        return self._edit(key, file, config, with_fields(key, fields, new=new), must_be_there=True)

    def drop(self, key: Key, *, expected: str = "") -> Edited:
        """The file without this very entry; `expected` as for `put`."""
        config = load(self.path, self.environ, tags=self.tags)
        _require_version(config, expected)
        if config.resource(key) is None:
            raise _unexpected(key, config)
        return self._removed(key, config)

    def add(self, kind: str, name: str, values: Sequence[Assignment]) -> Edited:
        """One more entry, where others of its kind stand."""
        config = load(self.path, self.environ, tags=self.tags)
        key, section = Key(kind, name), KINDS[kind].section
        if config.resource(key) is not None:
            raise ProxysyncError(
                f"there is a {KINDS[kind].noun} named {name} already",
                hint=f"`proxysync set {name} KEY=VALUE` changes it.",
            )
        fields: dict[str, Any] = {}
        for keys, value in values:
            _put(fields, keys, value)
        file = file_for(key, config, self.path)
        return self._edit(key, file, config, lambda t: text_edit.add(t, section, name, fields))

    def change(
        self, name: str, values: Sequence[Assignment], unset: Sequence[Sequence[str]] = ()
    ) -> Edited:
        """Other values in an entry; those of `unset` are taken out."""
        config = load(self.path, self.environ, tags=self.tags)
        key = _chosen(name, config)
        section = KINDS[key.kind].section

        def changed(text: str) -> str:
            for keys, value in values:
                text = text_edit.change(text, section, key.name, keys, value)
            for keys in unset:
                text = text_edit.unset(text, section, key.name, keys)
            return text

        return self._edit(key, file_for(key, config, self.path), config, changed)

    def remove(self, name: str) -> Edited:
        """The file without the entry."""
        config = load(self.path, self.environ, tags=self.tags)
        return self._removed(_chosen(name, config), config)

    def _removed(self, key: Key, config: Config) -> Edited:
        section = KINDS[key.kind].section
        return self._edit(
            key,
            file_for(key, config, self.path),
            config,
            lambda t: text_edit.remove(t, section, key.name),
        )

    def _edit(
        self,
        key: Key,
        file: Path,
        config: Config,
        change: Change,
        *,
        must_be_there: bool = False,
    ) -> Edited:
        content = content_of(file, self.path)
        if fingerprint(self.path) != config.fingerprint:
            raise ChangedError(file)
        text = content.decode().removeprefix(UTF8_MARK)
        after = change(text)
        try:
            config_after = load_with(
                self.path, Source(str(file), after.encode()), self.environ, tags=self.tags
            )
        except ConfigError as error:
            raise error.without_lines() from error
        _require_only(key, config, config_after)
        if must_be_there and config_after.resource(key) is None:
            raise problem_with(f"{key.name}.tags", *untagged(self.tags))
        verdict = self._verdict(key, config_after)
        blocks = verdict is not None and verdict.blocks
        if not blocks and after != text:
            mark = UTF8_MARK if content.decode().startswith(UTF8_MARK) else ""
            write_file(file, mark + after, replace=True, instead_of=content)
        return Edited(key, file, text, after, config_after, verdict, not blocks)

    def _verdict(self, key: Key, config: Config) -> Verdict | None:
        entry = config.resource(key)
        if not self.probe or entry is None or not entry.is_on:
            return None
        advance = self.on_probe(count_upstreams([entry]))
        found = probe_entries(
            [entry], config.settings.validation, on_result=advance, stop=self.stop
        )
        if self.stop and self.stop():
            raise StoppedError("proxysync is stopping, and nothing was written")
        return next(iter(found), None)


def assignment(text: str) -> Assignment:
    """From `health.path=/x` or `domains=[a, b]`. Raises ProxysyncError."""
    name, equals, value = text.partition("=")
    if not equals or not all(name.split(".")):
        raise ProxysyncError(f'"{text}" is no KEY=VALUE', hint="Write it like websockets=true.")
    if not value:
        raise ProxysyncError(
            f"{name} has nothing behind it", hint=f"--unset {name} takes it out of the entry."
        )
    if value[0] not in "[{":
        return name.split("."), scalar(value)
    try:
        return name.split("."), yaml.safe_load(value)
    except yaml.YAMLError as error:
        raise ProxysyncError(
            f"{name} is neither a list nor a mapping",
            hint="Write it like [a, b] or {path: /x}, in quotes for your shell.",
        ) from error


def _put(fields: dict[str, Any], keys: Sequence[str], value: Any) -> None:
    """Sets the value; what stands on the way and is no mapping gives way, as in `change`."""
    for key in keys[:-1]:
        if not isinstance(fields.get(key), dict):
            fields[key] = {}
        fields = fields[key]
    fields[keys[-1]] = value


def _chosen(name: str, config: Config) -> Key:
    (key,) = choose([name], [resource.key for resource in config.resources])
    return key


def _unexpected(key: Key, config: Config) -> EntryError:
    """That there is the entry already; or that there is none, and which one may be meant."""
    if config.resource(key) is not None:
        return EntryError(key, exists=True)
    names = {resource.name for resource in config.resources if resource.key.kind == key.kind}
    return EntryError(
        key, exists=False, hint=redact(did_you_mean([key.name], names), config.secrets)
    )


def _require_only(key: Key, before: Config, after: Config) -> None:
    """Raises EditError if anything else than the entry is another than it was."""

    def others(config: Config) -> dict[Key, Any]:
        return {r.key: r.entry for r in config.resources if r.key != key}

    if others(before) != others(after) or before.settings != after.settings:
        raise EditError(
            f"the edit of {key.name} would change other entries, too",
            hint="Edit the file by hand.",
        )


def _require_version(config: Config, expected: str) -> None:
    if expected and config.fingerprint != expected:
        raise OutdatedError(
            "the file is another one than this edit is meant for",
            hint="Read the entry again, and make the change to that.",
        )
