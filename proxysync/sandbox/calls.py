"""One request and its answer, and what a handler reads out of the request."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from email.parser import BytesParser
from email.policy import HTTP
from typing import Any

from proxysync.sandbox.auth import Access
from proxysync.sandbox.errors import internal_error

BODY_LIMIT = 102400
"""Bytes of JSON that NPM reads."""

MISSING = object()
"""The body of a request that is not JSON."""

_EXPAND = re.compile(r"(\w+)(?:\.(?:\[([\w, ]*)\]|(\w+)))?(?:,|$)")


@dataclass(frozen=True)
class Request:
    """One request to the API; `path` is without `/api`, `raw` is a JSON body's bytes or None.

    `files` are the texts that a form uploads, by their names, or None if it is no form.
    """

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    token: str | None = None
    raw: bytes | None = None
    files: Mapping[str, str] | None = None


@dataclass(frozen=True)
class Reply:
    """Status and JSON value of an answer."""

    status: int
    payload: Any


@dataclass(frozen=True)
class Call:
    """A request on its way to a handler; `row` is the id in the path as it was sent."""

    request: Request
    access: Access
    body: Any
    row: str = ""

    @property
    def written_id(self) -> int | None:
        """The id for a write, or None where it is not a number."""
        return int(self.row) if self.row.isdecimal() else None

    @property
    def read_id(self) -> int:
        """The id for a read. Raises ApiError 400 where it is not a positive number."""
        if not self.written_id:
            raise internal_error(400)
        return self.written_id


def read_body(raw: bytes | None) -> Any:
    """The JSON value of a body, or MISSING. Raises ApiError as NPM's parser does."""
    if raw is None:
        return MISSING
    if len(raw) > BODY_LIMIT:
        raise internal_error(413)
    if not raw.strip():
        return {}
    try:
        body = json.loads(raw)
    except ValueError:
        raise internal_error(400) from None
    if not isinstance(body, dict | list):
        raise internal_error(400)
    return body


def read_files(raw: bytes, content_type: str) -> dict[str, str]:
    """The files of a multipart form, by the names of their fields."""
    head = f"Content-Type: {content_type}\r\n\r\n".encode()
    found = {}
    for part in BytesParser(policy=HTTP).parsebytes(head + raw).walk():
        name = part.get_param("name", header="content-disposition")
        content = part.get_payload(decode=True)
        if part.get_filename() and isinstance(content, bytes):
            found[str(name)] = content.decode(errors="replace")
    return found


def expand_of(request: Request, allowed: Sequence[str]) -> tuple[str, ...]:
    """The relations asked for: `access_list.[clients,items]` is two, the second with its parts.

    Raises ApiError 500 for one that there is not.
    """
    text = request.query.get("expand", "")
    found: list[str] = []
    at = 0
    while at < len(text):
        part = _EXPAND.match(text, at)
        if part is None or part[1] not in allowed:
            raise internal_error()
        nested = part[2] or part[3]
        if nested and part[1] != "access_list":
            raise internal_error()
        found.append(part[1])
        if nested:
            names = [name.strip() for name in nested.split(",")]
            if not set(names) <= {"items", "clients"}:
                raise internal_error()
            found.append(f"access_list.{','.join(names)}")
        at = part.end()
    return tuple(found)


def query_of(request: Request) -> str | None:
    """What a list is searched for. Raises ApiError 400 if it is too long."""
    query = request.query.get("query")
    if query is not None and len(query) > 255:
        raise internal_error(400)
    return query
