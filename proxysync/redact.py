"""Values that came in through `${VAR}` are shown as `${VAR}`: they may be secrets."""

from collections.abc import Mapping
from typing import Any

SHORTEST = 4
"""Shorter values (a port, `on`) are no secrets, and masking them would garble the rest."""


def redact(value: Any, secrets: Mapping[str, str]) -> Any:
    """`value` with each secret in its texts replaced; `secrets` maps a value to its `${NAME}`."""
    known = {text: name for text, name in secrets.items() if len(text) >= SHORTEST}
    return _redact(value, known) if known else value


def _redact(value: Any, secrets: Mapping[str, str]) -> Any:
    if isinstance(value, str):
        for text in sorted(secrets, key=len, reverse=True):
            value = value.replace(text, secrets[text])
        return value
    if isinstance(value, Mapping):
        return {_redact(k, secrets): _redact(v, secrets) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_redact(item, secrets) for item in value]
    return value
