"""A change in the words of the file: what a person would have to edit to bring it about."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Any

from proxysync.kinds import KINDS, Kind
from proxysync.kinds.references import Named
from proxysync.model import Fields, Snapshot
from proxysync.plan.model import MARKER_FIELD, Change, Edit, FieldChange
from proxysync.plan.unknown_past import is_hidden

NO_NAMES: Named = MappingProxyType({})
NOBODY = Snapshot(objects=())

BY = "path"
"""What tells the items of a list of mappings apart."""


def edits_of(change: Change, named: Named = NO_NAMES) -> tuple[Edit, ...]:
    """What the change comes to; `named` are the names behind ids, by kind.

    What goes is told as a whole, and what is not in NPM yet by what its entry says.
    """
    if change.words is not None:
        return change.words.edits
    fields = {name: f for name, f in change.fields.items() if name != MARKER_FIELD}
    if change.desired is None:
        return ()
    kind = KINDS[change.kind]
    hidden = {name: field for name, field in fields.items() if _is_hidden(field)}
    shown = {name: field for name, field in fields.items() if name not in hidden}
    edits = [Edit(_path(kind, n), f.old, f.new) for n, f in hidden.items()]
    if not kind.can_be_imported:
        return tuple(Edit(_path(kind, n), f.old, f.new) for n, f in fields.items())
    there = change.live or change.takes
    before = kind.complete(there.fields if there else {})
    after = {**before, **{name: field.new for name, field in shown.items()}}
    before = {**before, **{name: f.old for name, f in shown.items() if there is not None}}
    old = _words(kind, before, named) if there else {}
    return (*edits, *_differences(kind, old, _words(kind, after, named), shown))


def edits_between(
    kind: Kind, before: Fields | None, after: Fields | None, named: Named = NO_NAMES
) -> tuple[Edit, ...]:
    """What makes one definition of an object, None where there is none, of another.

    Of one that goes, all that it was.
    """
    old, new = before or {}, after or {}
    differ = [name for name in {**old, **new} if old.get(name) != new.get(name)]
    if not kind.can_be_imported:
        return tuple(Edit(_path(kind, n), old.get(n), new.get(n)) for n in differ)
    hidden = {n for n in {**old, **new} if is_hidden(old.get(n)) or is_hidden(new.get(n))}
    if hidden:
        edits = (Edit(_path(kind, n), old.get(n), new.get(n)) for n in differ if n in hidden)
        was, now = (_without(hidden, fields) for fields in (before, after))
        return (*edits, *edits_between(kind, was, now, named))
    if after is None:
        gone = edits_between(kind, None, before, named) if before else ()
        return tuple(Edit(edit.path, edit.new, None) for edit in gone)
    was, now = kind.complete(before or {}), kind.complete(after)
    fields = [name for name in now if before is None or was[name] != now[name]]
    old_words = _words(kind, was, named) if before is not None else {}
    return tuple(_differences(kind, old_words, _words(kind, now, named), fields))


def _without(names: Collection[str], fields: Fields | None) -> Fields | None:
    return None if fields is None else {n: v for n, v in fields.items() if n not in names}


def _is_hidden(field: FieldChange) -> bool:
    return is_hidden(field.old) or is_hidden(field.new)


def _path(kind: Kind, name: str) -> str:
    return kind.wire_names.get(name, name)


def _words(kind: Kind, fields: Fields, named: Named) -> Mapping[str, Any]:
    fields = kind.normalise(fields)
    numbers = {
        (other, fields[field]): f"#{fields[field]}"
        for field, other in kind.refers_to.items()
        if fields[field]
    }
    return kind.entry_of(fields, NOBODY, {**numbers, **named}).fields


def _differences(
    kind: Kind, old: Mapping[str, Any], new: Mapping[str, Any], fields: Iterable[str]
) -> Iterator[Edit]:
    """The words that differ, those first that an entry must have; only what the change is about."""
    about = {_path(kind, name) for name in fields}
    every, optional = kind.entry_model.model_fields, kind.defaults_model.model_fields
    for name, info in sorted(every.items(), key=lambda item: item[0] in optional):
        before = old.get(name, info.default if old else None)
        after = new.get(name, info.default if old else None)
        if name in about and before != after:
            yield from within(name, before, after)


def within(path: str, old: Any, new: Any) -> Iterator[Edit]:
    """What differs: in the parts, where both sides are made of parts that are called alike."""
    if not (_is_made_of_parts(old) and _is_made_of_parts(new)):
        yield Edit(path, old, new)
        return
    was, now = ({item[BY]: item for item in side} for side in (old, new))
    for key in dict.fromkeys([*was, *now]):
        here = f'{path}["{key}"]'
        if key not in was or key not in now:
            yield Edit(here, _rest(was.get(key)), _rest(now.get(key)))
            continue
        for name in dict.fromkeys([*was[key], *now[key]]):
            if was[key].get(name) != now[key].get(name):
                yield Edit(f"{here}.{name}", was[key].get(name), now[key].get(name))
    if [key for key in was if key in now] != [key for key in now if key in was]:
        yield Edit(f"{path}, in this order", list(was), list(now))


def _is_made_of_parts(value: Any) -> bool:
    if not isinstance(value, list | tuple):
        return False
    keys = [item.get(BY) if isinstance(item, Mapping) else None for item in value]
    return None not in keys and len(set(keys)) == len(keys)


def _rest(item: Mapping[str, Any] | None) -> dict[str, Any] | None:
    return None if item is None else {name: value for name, value in item.items() if name != BY}
