"""A plan against another version of the file: what differs between two versions, entry by entry.

NPM is not asked, so nothing is said of it; entries are known by their names, and one that has
another name now by its domains or ports, or else by all that it says.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

from pydantic import BaseModel

from proxysync.kinds import KINDS
from proxysync.kinds.written import Wording, Written, usual
from proxysync.model import Key
from proxysync.plan.model import Action, Change, Edit, Plan, Words
from proxysync.plan.render.edits import within


def compare(old: Sequence[Written], new: Sequence[Written], *, against: str) -> Plan:
    """What one version makes of another, which is called `against`."""
    before, now = ({entry.key: entry for entry in version} for version in (old, new))
    gone = {key: entry for key, entry in before.items() if key not in now}
    changes: list[Change] = []
    unchanged: list[Key] = []
    for key, entry in now.items():
        was = before.get(key) or _renamed(entry, gone)
        gone = {other: left for other, left in gone.items() if left is not was}
        change = _change(was, entry)
        if change is None:
            unchanged.append(key)
        else:
            changes.append(change)
    changes += [_deleted(entry) for entry in gone.values()]
    return Plan(tuple(changes), tuple(unchanged), against=against)


def edits_between(model: type[BaseModel], old: Wording, new: Wording) -> tuple[Edit, ...]:
    """What differs in meaning, in the words of each side; first what has to be said."""
    return tuple(
        edit
        for name in _order(model, {**old.said, **new.said})
        if old.meant.get(name) != new.meant.get(name)
        for edit in _parts(name, _said(model, old, name), _said(model, new, name))
    )


def _renamed(entry: Written, gone: Mapping[Key, Written]) -> Written | None:
    """The entry of before that this one must be."""
    for other in gone.values():
        same_names = bool(set(other.names) & set(entry.names))
        if other.kind == entry.kind and (same_names or other.wording.meant == entry.wording.meant):
            return other
    return None


def _change(old: Written | None, new: Written) -> Change | None:
    model = KINDS[new.kind].entry_model
    if old is None:
        edits = [
            Edit(name, None, new.wording.said[name]) for name in _order(model, new.wording.said)
        ]
        return _made("create", new, "new in the file", edits)
    found = edits_between(model, old.wording, new.wording)
    if old.key != new.key:
        return _made("update", new, f"renamed from {old.name}", found)
    return _made("update", new, "changed in the file", found) if found else None


def _deleted(old: Written) -> Change:
    return _made("delete", old, "removed from the file", ())


def _made(action: Action, entry: Written, reason: str, edits: Sequence[Edit]) -> Change:
    return Change(
        action=action,
        key=entry.key,
        npm_id=None,
        drift=False,
        fields={},
        reason=reason,
        target=None,
        desired=None,
        live=None,
        words=Words(entry.names, tuple(edits)),
    )


def _order(model: type[BaseModel], said: Iterable[str]) -> list[str]:
    """Some fields, those first that an entry must have, and last what is no field."""
    fields = model.model_fields
    order = sorted(fields, key=lambda name: not fields[name].is_required())
    names = set(said)
    return [*(name for name in order if name in names), *sorted(names - fields.keys())]


def _said(model: type[BaseModel], wording: Wording, name: str) -> Any:
    """What stands there; where nothing does, what that means, if that can be said in a word."""
    meant = wording.meant.get(name)
    if isinstance(meant, tuple) and meant and all(isinstance(item, str) for item in meant):
        return meant  # also where one text stands for a list of one
    if name in wording.said:
        return wording.said[name]
    default = usual(model).get(name)
    if default is None or isinstance(default, bool | int | str):
        return default
    return None if isinstance(default, BaseModel | Collection) else str(default)


def _parts(path: str, old: Any, new: Any) -> Iterator[Edit]:
    if not (isinstance(old, Mapping) and isinstance(new, Mapping)):
        yield from within(path, old, new)
        return
    for name in dict.fromkeys([*old, *new]):
        if old.get(name) != new.get(name):
            yield from _parts(f"{path}.{name}", old.get(name), new.get(name))
