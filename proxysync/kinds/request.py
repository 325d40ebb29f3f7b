"""A definition as a request to NPM carries it, and how large that may be."""

import json
from collections.abc import Mapping
from typing import Any

from proxysync.model import Fields

MAX_REQUEST = 100 * 1024
"""Bytes of a request's body that NPM takes."""

RESERVED = 1024
"""Bytes for what stands beside a definition: our marker, ids, and what NPM keeps in `meta`."""


def encode(payload: Mapping[str, Any]) -> bytes:
    """The body as it is sent: UTF-8, for `\\u00e9` in place of an é takes thrice the room."""
    try:
        return json.dumps(payload, ensure_ascii=False, separators=(",", ":")).encode()
    except UnicodeEncodeError:  # half a surrogate pair, which somebody has put into `meta`
        return json.dumps(payload, separators=(",", ":")).encode()


def sent(fields: Fields) -> dict[str, Any]:
    """The fields as they are sent: a location without what it leaves blank."""
    if "locations" not in fields:
        return dict(fields)
    locations = [{k: v for k, v in item.items() if v != ""} for item in fields["locations"]]
    return {**fields, "locations": locations}


def is_surely_small(data: object) -> bool:
    """Whether the definition that an entry's plain data means can only be far below MAX_REQUEST.

    JSON writes a character in 6 bytes at most, and nothing of the data more than once; what stands
    around it is about as long there as here.
    """
    return len(str(data)) * 12 < MAX_REQUEST


def request_size(fields: Fields) -> int:
    """Bytes that writing this definition takes, at most."""
    return len(encode(sent(fields))) + RESERVED
