"""Values that came in through `${VAR}` are shown as `${VAR}`: they may be secrets."""

import re
from collections.abc import Mapping
from typing import Any

SHORTEST = 4
"""Shorter values (a port, `on`) are no secrets, and masking them would garble the rest."""


def redact(value: Any, secrets: Mapping[str, str]) -> Any:
    """`value` with each secret in its texts replaced; `secrets` maps a value to its `${NAME}`."""
    if isinstance(value, str):
        return redact_text(value, secrets)
    if isinstance(value, Mapping):
        return {redact(k, secrets): redact(v, secrets) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [redact(item, secrets) for item in value]
    return value


def redact_text(text: str, secrets: Mapping[str, str]) -> str:
    """One text with each secret in it replaced, the longest first."""
    known = [s for s in sorted(secrets, key=len, reverse=True) if len(s) >= SHORTEST]
    if not known:
        return text
    return re.sub("|".join(map(re.escape, known)), lambda found: secrets[found[0]], text)
