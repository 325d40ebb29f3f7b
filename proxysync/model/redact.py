"""Secrets are shown as their `${NAME}`, in whatever shape a text may hold them."""

import html
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from functools import lru_cache
from typing import Any
from urllib.parse import quote, quote_plus

SHORTEST = 4
"""Shorter values are no secrets, and masking them would garble the rest."""

SHORTEST_PART = 8
"""The same for a line or a word of a secret: nginx complains of the word that it stumbled on."""

CUT = "…"
"""Stands where a text was cut short."""

_WORD = re.compile(r"[^\s;{}\"'\\$]+")


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
    """One text with each secret in it replaced, the longest first, in upper or lower case."""
    if not secrets:
        return text
    folded = text.lower()
    forms = _forms(frozenset(secrets.items()))
    found = [(form, shown) for form, shown in forms if form in folded]
    text = _replaced(text, found) if found else text
    return _without_beginnings(text, forms) if CUT in text else text


def _replaced(text: str, found: Sequence[tuple[str, str]]) -> str:
    pattern = "|".join(f"({re.escape(form)})" for form, _ in found)
    return re.sub(
        pattern, lambda match: found[(match.lastindex or 1) - 1][1], text, flags=re.IGNORECASE
    )


def _without_beginnings(text: str, forms: Sequence[tuple[str, str]]) -> str:
    """A secret in a text that was cut short is there with its first part only."""
    *parts, last = text.split(CUT)
    return CUT.join([*(_without_end(part, forms) for part in parts), last])


def _without_end(text: str, forms: Sequence[tuple[str, str]]) -> str:
    for form, shown in forms:
        for size in range(min(len(form) - 1, len(text)), SHORTEST_PART - 1, -1):
            if text[-size:].lower() == form[:size]:
                return text[:-size] + shown
    return text


@lru_cache(maxsize=8)
def _forms(secrets: frozenset[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    """How the secrets may stand in a text, in lower case, the longest first."""
    forms: dict[str, str] = {}
    for value, shown in sorted(secrets):
        if len(value) >= SHORTEST:
            for form in _spellings(value):
                forms.setdefault(form.lower(), shown)
            for part in _parts(value):
                forms.setdefault(part.lower(), shown)
    return tuple(sorted(forms.items(), key=lambda item: len(item[0]), reverse=True))


def _spellings(value: str) -> Iterator[str]:
    """The value as it stands, and as JSON, URLs, HTML, messages and DNS write it."""
    yield value
    yield json.dumps(value)[1:-1]
    yield json.dumps(value, ensure_ascii=False)[1:-1]
    yield quote(value, safe="")
    yield quote(value)
    yield quote_plus(value)
    yield html.escape(value)
    yield value.encode("unicode_escape").decode()
    with suppress(UnicodeError):
        yield value.encode("idna").decode()


def _parts(value: str) -> Iterator[str]:
    """Lines, and words as nginx reads them, that say much of the value by themselves."""
    for part in (*value.splitlines(), *_WORD.findall(value)):
        if len(part.strip()) >= SHORTEST_PART:
            yield from _spellings(part.strip())
