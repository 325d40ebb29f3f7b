"""From the tree of one or several files to settings and entries, every problem on the way."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path as FilePath
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from proxysync.config.attachments import Attachments
from proxysync.config.document import Value, plain
from proxysync.config.errors import Path, Problems, to_text
from proxysync.config.expansion import Budget
from proxysync.config.explain import explain, locate, unknown_key
from proxysync.config.interpolate import Interpolation
from proxysync.config.models import AllDefaults, Settings
from proxysync.config.selection import Selection, tagged, tags_of
from proxysync.config.snippets import Snippets
from proxysync.config.variables import SECRET
from proxysync.kinds import KINDS, Kind
from proxysync.kinds.answers import Flaw
from proxysync.kinds.base import NONE_OWN
from proxysync.kinds.entry import MERGED, NEVER_BLANK, Entry, Resource
from proxysync.kinds.request import MAX_REQUEST, is_surely_small, request_size
from proxysync.model import Key, Snapshot
from proxysync.model.position import Position
from proxysync.model.text import visible
from proxysync.values.access import KEEP
from proxysync.values.invalid import InvalidField, InvalidValue, describe
from proxysync.values.names import entry_name, variable_name

VERSION = 1
SECTIONS: dict[str, Kind] = {kind.section: kind for kind in KINDS.values()}
NAMES: dict[str, Callable[[object], str]] = {"vars": variable_name, "snippets": entry_name}
"""What is a mapping of names to texts for all files, and what such a name is."""

KEYS = ("version", "settings", *NAMES, "defaults", *SECTIONS)

AnyModel = TypeVar("AnyModel", bound=BaseModel)


class Reader:
    """Reads the top-level mapping of each file, then puts all together.

    `outline_only` is for a file that is read away from where it is used: the files that its
    entries name are not looked at, and there are no entries but as `values`. With `tags`, the file
    has no other entries than those with one of them, and what these refer to.
    """

    def __init__(
        self,
        interpolation: Interpolation,
        budget: Budget,
        problems: Problems,
        attachments: Attachments,
        *,
        outline_only: bool = False,
        tags: Sequence[str] = (),
    ) -> None:
        self._interpolate = interpolation
        self._budget = budget
        self._problems = problems
        self._attachments = attachments
        self._outline_only = outline_only
        self._tags = tuple(tags)
        self.selection = Selection()
        self._named: dict[str, dict[str, Value]] = {key: {} for key in NAMES}
        self._snippets = Snippets({}, budget, problems)
        self._once: dict[str, Value] = {}
        self._entries: list[tuple[Kind, str, Value]] = []
        self._folded: dict[tuple[str, str], Value] = {}
        self._holders: dict[str, tuple[Path, Position]] = {}
        self._has_entries = False
        self.values: dict[Key, Value] = {}
        """The entries with their defaults, good or not."""
        self.settings: Value | None = None

    def add(self, root: Value) -> None:
        """Takes in one file's top-level mapping."""
        if not isinstance(root.data, dict):
            self._has_entries = True  # whatever is missing, that is not what is wrong
            self._problems.add(
                root.at,
                (),
                # It may be another file than was meant (by a link, say): no word of it is shown.
                f"must be a mapping with `proxies`, not a {'list' if root.data == () else 'text'}",
                "see `proxysync demo` for a file that works",
            )
            return
        for key, value in root.data.items():
            if key in ("settings", "defaults"):
                self._section(key, value)
            elif key in NAMES:
                self._names(key, value)
            elif key in SECTIONS:
                self._section_of(SECTIONS[key], value)
            elif key == "version":
                self._version(value)
            elif not key.startswith("x-"):
                self._problems.add(value.at, (key,), *unknown_key(key, KEYS))

    def finish(
        self, whole: Position, *, complete: bool = True
    ) -> tuple[Settings, tuple[Resource, ...]]:
        """Settings and entries, which count only if there is no problem then.

        `complete` is False where a file could not be taken in.
        """
        if complete and not self._has_entries:
            self._problems.add(
                whole,
                ("proxies",),
                "is missing: nothing says which proxies there are",
                "write `proxies: {}` where none is meant",
            )
        self._interpolate.define(self._named["vars"])
        self._snippets = Snippets(self._read_snippets(), self._budget, self._problems)
        settings = self._settings()
        defaults = self._defaults()
        resources = self._chosen(defaults, settings)
        self._check_among(resources)
        return settings, tuple(resources)

    def _chosen(self, defaults: Mapping[str, Value], settings: Settings) -> list[Resource]:
        """The entries that are for this NPM, in the order of the file."""
        read: dict[int, Resource | None] = {}
        chosen = tagged(self._entries, self._tags)
        while chosen:
            read |= {i: self._resource(*self._entries[i], defaults, settings) for i in chosen}
            named = {item for r in read.values() if r for item in r.entry.named.items()}
            chosen = [
                index
                for index, (kind, name, _) in enumerate(self._entries)
                if index not in read and (kind.name, name) in named
            ]
        carried = {tag for _, _, value in self._entries for tag in tags_of(value) or ()}
        unknown = tuple(tag for tag in self._tags if tag not in carried)
        self.selection = Selection(self._tags, len(read), len(self._entries), unknown)
        return [found for _, found in sorted(read.items()) if found is not None]

    def _check_among(self, resources: Sequence[Resource]) -> None:
        """What is wrong with entries given those that refer to them."""
        users: dict[Key, list[Entry]] = defaultdict(list)
        for resource in resources:
            for other, name in resource.entry.named.items():
                if name is not None:
                    users[Key(other, name)].append(resource.entry)
        for resource in resources:
            kind, value = KINDS[resource.key.kind], self.values[resource.key]
            for flaw in kind.flaws_among(resource.entry, users[resource.key]):
                self._add_flaw(flaw, value, (kind.section, resource.name))

    def _version(self, value: Value) -> None:
        if value.data is not None and (value.data is True or value.data != VERSION):
            self._problems.add(
                value.at,
                ("version",),
                f"is {describe(value.data)}: this release of proxysync knows version "
                f"{VERSION} only",
                f"write version: {VERSION}, or update proxysync",
            )

    def _section(self, key: str, value: Value) -> None:
        first = self._once.setdefault(key, value)
        if first is not value:
            self._problems.add(
                value.at,
                (key,),
                f"stands in two files, the other is {first.at}: keep it in one, it holds for all",
            )

    def _names(self, key: str, value: Value) -> None:
        """Takes in the names of one file; those of all files are one set."""
        if value.data is None:
            return
        if not isinstance(value.data, dict):
            self._problems.add(
                value.at, (key,), f"must be a mapping of names to texts, not {describe(value.data)}"
            )
            return
        for name, text in value.data.items():
            first = self._named[key].setdefault(name, text)
            try:
                NAMES[key](name)
            except InvalidValue as error:
                self._problems.add(text.at, (key, name), str(error))
            if first is not text:
                self._problems.add(
                    text.at, (key, name), f"stands in two files, the other is {first.at}: keep one"
                )

    def _read_snippets(self) -> dict[str, Value]:
        return {
            name: self._interpolate(value, ("snippets", name))
            for name, value in self._named["snippets"].items()
        }

    def _section_of(self, kind: Kind, value: Value) -> None:
        self._has_entries = True
        if not isinstance(value.data, dict):
            self._problems.add(
                value.at,
                (kind.section,),
                f"must be a mapping of names to {kind.nouns}, not {describe(value.data)}",
                f"write `{kind.section}: {{}}` where none is meant",
            )
            return
        for name, entry in value.data.items():
            self._entry(kind, name, entry)

    def _entry(self, kind: Kind, name: str, value: Value) -> None:
        path: Path = (kind.section, name)
        self._entries.append((kind, name, value))
        try:
            entry_name(name)
        except InvalidValue as error:
            self._problems.add(value.at, path, str(error))
        first = self._folded.setdefault((kind.section, name.lower()), value)
        if first is not value:
            self._problems.add(
                value.at,
                path,
                f"stands a second time, first at {first.at}: each {kind.noun} needs a name of "
                "its own, and upper and lower case do not make one",
            )

    def _settings(self) -> Settings:
        value = self.settings = self._read_section("settings")
        if value is None:
            return Settings()
        return self._validate(Settings, value, ("settings",), plain(value)) or Settings()

    def _defaults(self) -> dict[str, Value]:
        """The fields of `defaults` that are good, so that no proxy complains of the others."""
        value = self._read_section("defaults")
        if value is None or not isinstance(value.data, dict):
            return {}
        value = self._snippets.compose(value, ("defaults",))
        assert isinstance(value.data, dict)
        self._check_blanks(value, ("defaults",), {})
        good = self._validate(AllDefaults, value, ("defaults",), plain(value)) is not None
        return value.data if good or self._outline_only else {}

    def _read_section(self, key: str) -> Value | None:
        if key not in self._once or self._once[key].data is None:
            return None
        value = self._interpolate(self._once[key], (key,))
        if isinstance(value.data, dict):
            return value
        self._problems.add(
            value.at, (key,), f"must be a mapping, not {describe(self._once[key].data)}"
        )
        return None

    def _resource(
        self,
        kind: Kind,
        name: str,
        value: Value,
        defaults: Mapping[str, Value],
        settings: Settings,
    ) -> Resource | None:
        path: Path = (kind.section, name)
        value = self._snippets.compose(self._interpolate(value, path), path)
        if not isinstance(value.data, dict):
            found = describe(value.data) if value.shown is None else value.shown
            message = f"must be a mapping with {kind.example()}, not {found}"
            self._problems.add(value.at, path, message)
            return None
        defaults = {k: v for k, v in defaults.items() if k in kind.defaults_model.model_fields}
        self._check_blanks(value, path, defaults)
        value = self.values[Key(kind.name, name)] = with_defaults(value, defaults)
        data = plain(value)
        entry = self._validate(kind.entry_model, value, path, data)
        if not self._outline_only:
            entry = entry and self._with_files(entry, value, path)
        for flaw in kind.flaws(data):
            self._add_flaw(flaw, value, path)
        self._check_literals(kind, value, path)
        self._check_holders(kind, value, path, data)
        if entry is None or self._problems or self._outline_only:
            return None
        complete = entry.with_settings(settings.health)
        resource = Resource(Key(kind.name, name), complete, value.at)
        if complete.files or not is_surely_small(data):
            self._check_size(kind, resource, path)
        return resource

    def _with_files(self, entry: Entry, value: Value, path: Path) -> Entry | None:
        """The entry with what is in the files that it names; None if that is not good."""
        contents = {}
        for field, name in entry.files.items():
            try:
                contents[field] = self._attachments.read(_beside(value, field, name))
            except InvalidValue as error:
                self._add_of_file(InvalidField(field, error), entry, value, path)
        if contents.keys() != entry.files.keys():
            return None
        try:
            return entry.with_files(contents) if contents else entry
        except InvalidField as error:
            self._add_of_file(error, entry, value, path)
            return None

    def _add_of_file(self, error: InvalidField, entry: Entry, value: Value, path: Path) -> None:
        field, cause = error.field, error.cause
        found = locate(value, (field,))
        name = found.shown or str(_beside(value, field, entry.files[field]))
        self._problems.add(found.at, (*path, field), f"{visible(name)} {cause.message}", cause.hint)

    def _check_size(self, kind: Kind, resource: Resource, path: Path) -> None:
        size = request_size(kind.desired(resource, Snapshot(objects=()), NONE_OWN).fields)
        if size > MAX_REQUEST:
            self._problems.add(
                resource.source,
                path,
                f"makes a request of {size} bytes, and NPM takes {MAX_REQUEST}",
                "put long parts of advanced_config into a file below NPM's /data/nginx/custom, and "
                "write `include /data/nginx/custom/that-file.conf;` in their place",
            )

    def _check_blanks(self, value: Value, path: Path, defaults: Mapping[str, Value]) -> None:
        """Keys with nothing behind them that would take away a protection, or a default."""
        assert isinstance(value.data, dict)
        for key, item in value.data.items():
            default = defaults.get(key)
            if item.data is not None:
                continue
            if what := NEVER_BLANK.get(key):
                self._problems.add(
                    item.at,
                    (*path, key),
                    "has nothing behind it, which could open up a site",
                    f"write the name of the {what}, or `{key}: none`",
                )
            elif default is not None and default.data is not None:
                self._problems.add(
                    item.at,
                    (*path, key),
                    f"has nothing behind it, although {default.at} sets a default",
                    "write a value, or leave the key out for the default",
                )

    def _add_flaw(self, flaw: Flaw, value: Value, path: Path) -> None:
        at = locate(value, flaw.path).at
        self._problems.add(at, (*path, *flaw.path), flaw.message, flaw.hint)

    def _check_literals(self, kind: Kind, value: Value, path: Path) -> None:
        """Texts that must be secret, and stand in a file that is in git."""
        assert isinstance(value.data, dict)
        for name in kind.only_secret & value.data.keys():
            items = value.data[name].data
            for key, item in items.items() if isinstance(items, dict) else ():
                if item.shown is None and item.data != KEEP:
                    self._problems.add(
                        item.at,
                        (*path, name, key),
                        "must come from a secret variable, for what stands here is in git",
                        f"write ${{NAME}} and hand it over as {SECRET}NAME=…, or write {KEEP} for "
                        "what NPM has",
                    )

    def _check_holders(self, kind: Kind, value: Value, path: Path, data: Any) -> None:
        for place, name in kind.holders_in_file(data):
            here: Path = (*path, *place)
            at = locate(value, tuple(place)).at
            holder, first = self._holders.setdefault(name, (here, at))
            if holder != here:
                self._problems.add(
                    at,
                    here,
                    f"{name} is already a {kind.claim_noun} of {to_text(holder[:2])} at {first}: "
                    f"a {kind.claim_noun} has one holder",
                )

    def _validate(
        self, model: type[AnyModel], value: Value, path: Path, data: Any
    ) -> AnyModel | None:
        try:
            return model.model_validate(data)
        except ValidationError as error:
            explain(error, model, value, path, self._problems)
            return None


def _beside(value: Value, field: str, name: str) -> FilePath:
    """The path of a file that a field names."""
    return FilePath(locate(value, (field,)).at.file).parent / name


def with_defaults(value: Value, defaults: Mapping[str, Value]) -> Value:
    """An entry with the defaults of what it leaves out; a null of its own is no leaving out."""
    assert isinstance(value.data, dict)
    merged = {**defaults, **value.data}
    for key in MERGED:
        own, default = value.data.get(key), defaults.get(key)
        if own and default and isinstance(own.data, dict) and isinstance(default.data, dict):
            merged[key] = replace(own, data={**default.data, **own.data})
    return value.holding(merged)
