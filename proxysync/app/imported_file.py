"""Entries as the text of a file: what most have in common in `defaults`, the rest with each."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from proxysync.config.models import AllDefaults
from proxysync.config.writing import INDENT, lines_of, without_variables
from proxysync.kinds import KINDS, Kind
from proxysync.kinds.answers import AsEntry
from proxysync.model import Key
from proxysync.model.text import visible
from proxysync.values.scalars import NONE

HEADER = """\
# What Nginx Proxy Manager has, written by `proxysync import`. To let proxysync keep it so:
#   proxysync plan          shows what it would take over
#   proxysync adopt --all   takes it over: from then on, what is changed here is changed in NPM
"""


@dataclass(frozen=True)
class ImportedEntry:
    """One object of NPM as it stands in the file; with `problems`, as a comment only.

    `label` is how messages call the object: `redirection host #3`. `warning` is what a person
    should know before adopting it, though the file can express it.
    """

    key: Key
    label: str
    entry: AsEntry
    problems: tuple[str, ...] = ()
    warning: str | None = None

    @property
    def kind(self) -> Kind:
        return KINDS[self.key.kind]

    def value(self, field: str) -> Any:
        """What the entry means by this field, whether it says it or not."""
        usual = self.kind.entry_model.model_fields[field].default
        return self.entry.fields.get(field, usual)


def common_defaults(entries: Sequence[ImportedEntry]) -> dict[str, Any]:
    """The values that make the file shorter when they stand in `defaults`."""
    found: dict[str, Any] = {}
    for field, info in AllDefaults.model_fields.items():
        every = [entry for entry in entries if _may_be_common(entry.kind, field)]
        concerned = [entry for entry in every if field not in entry.entry.ineffective]
        counts = Counter(entry.value(field) for entry in concerned)
        without = sum(field in entry.entry.fields for entry in concerned)
        for value, times in sorted(counts.items(), key=lambda item: (-item[1], str(item[0]))):
            # Those for which it means nothing may mean it one day: they count against it.
            is_usual = 2 * times > len(every)
            if value != info.default and is_usual and 1 + len(concerned) - times < without:
                found[field] = value
                break
    return found


def to_text(
    entries: Sequence[ImportedEntry],
    *,
    instance: str | None = None,
    secrets: Mapping[str, str] | None = None,
    remarks: Sequence[str] = (),
) -> str:
    """The whole file; `instance` is in it where one is given, `remarks` are comments at its top."""
    defaults = common_defaults([entry for entry in entries if not entry.problems])
    top: dict[str, Any] = {"version": 1}
    if instance:
        top["settings"] = {"instance": instance}
    if defaults:
        top["defaults"] = without_variables(defaults, {})
    lines = [HEADER + "".join(f"# {visible(remark)}\n" for remark in remarks)]
    lines += _spaced(lines_of({key: value}) for key, value in top.items())
    for kind in KINDS.values():
        of_kind = sorted((e for e in entries if e.kind is kind), key=lambda e: e.key.name)
        if of_kind or kind.is_essential:
            lines += ["", *_section(kind, of_kind, defaults, secrets or {})]
    return "\n".join(lines) + "\n"


def _section(
    kind: Kind,
    entries: Sequence[ImportedEntry],
    defaults: Mapping[str, Any],
    secrets: Mapping[str, str],
) -> Iterator[str]:
    is_empty = all(entry.problems for entry in entries)
    yield f"{kind.section}: {{}}" if is_empty else f"{kind.section}:"
    blocks = (_block(entry, defaults, secrets) for entry in entries)
    yield from _spaced(blocks)


def _block(
    entry: ImportedEntry, defaults: Mapping[str, Any], secrets: Mapping[str, str]
) -> Iterator[str]:
    fields = without_variables(dict(_in_order(entry, defaults)), secrets)
    lines = lines_of({entry.key.name: fields}, INDENT)
    if not entry.problems:
        yield from lines
        return
    yield f"{INDENT}# Left out: {entry.label}, which this file cannot express as it is:"
    yield from (f"{INDENT}#   {visible(problem)}" for problem in entry.problems)
    yield from (f"{INDENT}# {line.removeprefix(INDENT)}".rstrip() for line in lines)


def _in_order(entry: ImportedEntry, defaults: Mapping[str, Any]) -> Sequence[tuple[str, Any]]:
    """What the entry must have first, what takes many lines last."""
    model, own = entry.kind.entry_model.model_fields, entry.kind.defaults_model.model_fields
    order = {field: (field in own, index) for index, field in enumerate(model)}

    def place(item: tuple[str, Any]) -> tuple[bool, bool, int]:
        field, value = item
        is_long = field in own and (isinstance(value, tuple) or "\n" in str(value))
        return (is_long, *order[field])

    return sorted(_said(entry, defaults).items(), key=place)


def _said(entry: ImportedEntry, defaults: Mapping[str, Any]) -> dict[str, Any]:
    """The fields that an entry has to say, given these defaults."""
    known = entry.kind.defaults_model.model_fields
    common = {f: value for f, value in defaults.items() if f in known}
    said = {f: v for f, v in entry.entry.fields.items() if f not in common or common[f] != v}
    for field, value in common.items():
        own = entry.value(field)
        if field not in said and own != value and field not in entry.entry.ineffective:
            said[field] = NONE if own is None else own
    return said


def _may_be_common(kind: Kind, field: str) -> bool:
    """Whether entries of this kind have the field, and it says how, not what, they serve."""
    info = kind.defaults_model.model_fields.get(field)
    if info is None or field == kind.wire_names.get(kind.switch, kind.switch):
        return False
    return info.default is None or isinstance(info.default, bool | int)


def _spaced(blocks: Iterator[Iterator[str]]) -> Iterator[str]:
    """The lines of all blocks, with an empty one between two."""
    for index, block in enumerate(blocks):
        if index:
            yield ""
        yield from block
