"""An entry as the file says it, to be compared with what another version of the file says."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any

from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from proxysync.kinds.base import Kind
from proxysync.model import Key, Keyed
from proxysync.model.position import Position


@dataclass(frozen=True)
class Wording:
    """What stands below one key of the file.

    `said` is that, in plain values, and `meant` the same in normal form with all that is usual,
    by which two of them are compared. What has no normal form, for want of a variable perhaps, is
    meant as it stands: so the same text means the same.
    """

    said: Mapping[str, Any]
    meant: Mapping[str, Any]


@dataclass(frozen=True)
class Written(Keyed):
    """One entry; `names` are the domains or ports that it asks for."""

    key: Key
    wording: Wording
    names: tuple[str, ...]
    source: Position


def written(kind: Kind, name: str, said: Mapping[str, Any], source: Position) -> Written:
    """The entry of which these are the fields, with their defaults."""
    names = tuple(claimed for _, claimed in kind.holders_in_file(said))
    return Written(Key(kind.name, name), wording_of(kind.entry_model, said), names, source)


def wording_of(model: type[BaseModel], said: Mapping[str, Any]) -> Wording:
    """Plain values and what they mean to this model."""
    readers = _readers(model)
    meant = {name: _read(readers.get(name), value) for name, value in said.items()}
    return Wording(said, {**usual(model), **meant})


@cache
def usual(model: type[BaseModel]) -> Mapping[str, Any]:
    """What each field is that is not said; None for one that has to be."""
    defaults = {name: info.get_default() for name, info in model.model_fields.items()}
    return {n: None if value is PydanticUndefined else value for n, value in defaults.items()}


@cache
def _readers(model: type[BaseModel]) -> Mapping[str, TypeAdapter[Any]]:
    return {name: TypeAdapter(_type_of(info)) for name, info in model.model_fields.items()}


def _type_of(info: FieldInfo) -> Any:
    return Annotated[(info.annotation, *info.metadata)] if info.metadata else info.annotation


def _read(reader: TypeAdapter[Any] | None, value: Any) -> Any:
    if reader is None:
        return value
    try:
        return reader.validate_python(value)
    except ValidationError:
        return value
