"""From what the models refuse to problems that name the place and what was meant."""

from collections.abc import Sequence
from difflib import get_close_matches

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from proxysync.config.document import Value
from proxysync.config.errors import Path, Problems
from proxysync.config.models import AllDefaults, Settings
from proxysync.kinds import KINDS
from proxysync.kinds.entry import Health
from proxysync.values.fields import nested_model
from proxysync.values.invalid import InvalidValue, describe

NPM_NAMES = {wire: ours for kind in KINDS.values() for wire, ours in kind.wire_names.items()}
"""NPM's own names of what the file calls otherwise; people copy them from its API."""

LONGEST_KEY = 60


def explain(
    error: ValidationError,
    model: type[BaseModel],
    value: Value,
    path: Path,
    problems: Problems,
) -> None:
    """Adds a problem for each thing that `model` refuses in `value`, which stands at `path`."""
    for details in error.errors(include_url=False):
        if problems.full:
            return
        location = details["loc"]
        found = locate(value, location)
        kind = details["type"]
        if kind == "extra_forbidden":
            key = str(location[-1])
            known = list((_model_at(model, location[:-1]) or model).model_fields)
            message, hint = unknown_key(key, known, model)
        elif kind == "missing":
            message, hint = f"is missing: add `{_example(model, location)}`", None
        else:
            message, hint = _refusal(details, model, found)
        about_key = kind == "extra_forbidden"
        problems.add(found.at, (*path, *location), message, hint, about_key=about_key)


def unknown_key(
    key: str, known: Sequence[str], model: "type[BaseModel] | None" = None
) -> tuple[str, str | None]:
    """Message and hint for a key that has no meaning where it stands."""
    message = "is not known here"
    if model is AllDefaults:
        for kind in KINDS.values():
            if key in kind.entry_model.model_fields:
                return f"cannot be a default: each {kind.noun} needs its own", None
    if known_as := NPM_NAMES.get(key):
        if known_as in known:
            return message, f"NPM's {key} is {known_as} in this file"
    elif model is Settings and key in (*Health.model_fields, *AllDefaults.model_fields):
        return message, "set it for a proxy, or for all in `defaults`"
    near = get_close_matches(key, known, 1) if len(key) <= LONGEST_KEY else []
    if near:
        return message, f"did you mean {near[0]}?"
    return message, f"known are {', '.join(known)}"


def locate(value: Value, location: Path) -> Value:
    """The value at `location` below `value`, or the deepest one on the way there."""
    for part in location:
        data = value.data
        if isinstance(data, dict) and part in data:
            value = data[str(part)]
        elif isinstance(data, tuple) and isinstance(part, int) and part < len(data):
            value = data[part]
        else:
            break
    return value


def _refusal(details: ErrorDetails, model: type[BaseModel], value: Value) -> tuple[str, str | None]:
    cause = details.get("ctx", {}).get("error")
    if not isinstance(cause, InvalidValue):
        example = _example(model, details["loc"]).partition(": ")[2]
        message = f"must be a mapping such as {example}, not {{found}}"
        cause = InvalidValue(message, details["input"])
    return shown_refusal(cause, value)


def shown_refusal(error: InvalidValue, value: Value) -> tuple[str, str | None]:
    """Message and hint for a value that is not what it should be, without its secrets."""
    shown = describe(error.found) if value.shown is None else value.shown
    # A hint may hold a part of the value, and that may be a secret.
    return error.message.replace("{found}", shown), error.hint if value.shown is None else None


def _model_at(model: type[BaseModel], location: Path) -> type[BaseModel] | None:
    found: type[BaseModel] | None = model
    for part in location:
        if isinstance(part, str) and found is not None:
            found = nested_model(found, part)
    return found


def _example(model: type[BaseModel], location: Path) -> str:
    """`upstream: http://10.0.0.5:8096`, the way it would stand in the file."""
    name = str(next(part for part in reversed(location) if isinstance(part, str)))
    owner = _model_at(model, location[: location.index(name)]) or model
    example = (owner.model_fields[name].examples or [None])[0]
    if isinstance(location[-1], int) and isinstance(example, list):
        example = example[0]
    flow = yaml.safe_dump(example, default_flow_style=True, width=200).removesuffix("\n...\n")
    return f"{name}: {flow.strip()}"
