"""What is sent to us: JSON that means one thing, of a size and depth that an entry can have."""

import asyncio
import json
import math
from collections import Counter
from collections.abc import Iterator
from typing import Any, NoReturn

from starlette.requests import Request

from proxysync.web.answers import JSON, RequestError
from proxysync.web.guard import MAX_BODY

WITHIN = 10.0
"""Seconds that a body may take to come."""

DEEPEST = 20
LONGEST_NUMBER = 20
"""Characters."""


class BodyError(RequestError):
    """A body that cannot be meant."""

    code = "body.invalid"

    def __init__(self, message: str, *, hint: str | None = None, status: int = 400) -> None:
        super().__init__(message, hint=hint)
        self.status = status


async def read_object(request: Request) -> dict[str, Any]:
    """The JSON object that the body is. Raises BodyError."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != JSON:
        hint = f"Send it with `Content-Type: {JSON}`."
        raise BodyError("the body must be JSON, and said to be", hint=hint, status=415)
    content = bytearray()
    try:
        async with asyncio.timeout(WITHIN):
            async for chunk in request.stream():
                content += chunk
                if len(content) > MAX_BODY:
                    raise BodyError(f"the body is over {MAX_BODY // 1024} KiB", status=413)
    except TimeoutError as error:
        message = f"the body has not come within {WITHIN:g} seconds"
        raise BodyError(message, status=408) from error
    return parse_object(bytes(content))


def parse_object(content: bytes) -> dict[str, Any]:
    """The same of bytes. Raises BodyError."""
    try:
        found = json.loads(
            content.decode(),
            object_pairs_hook=_object,
            parse_int=_int,
            parse_float=_float,
            parse_constant=_no_number,
        )
        json.dumps(found, ensure_ascii=False).encode()
    except UnicodeError as error:
        raise BodyError("the body has characters that are no UTF-8 text") from error
    except RecursionError as error:
        raise _too_deep() from error
    except ValueError as error:
        raise BodyError(f"the body is no JSON: {error}") from error
    if not isinstance(found, dict):
        raise BodyError("the body must be a JSON object", hint="It is one entry: {…}.")
    for depth, _ in enumerate(_levels(found)):
        if depth >= DEEPEST:
            raise _too_deep()
    return found


def take_name(fields: dict[str, Any]) -> str | None:
    """The `name` that an entry came with, which is no field of it. Raises BodyError."""
    name = fields.pop("name", None)
    if name is not None and not isinstance(name, str):
        raise BodyError("name must be a text")
    return name


def _levels(value: Any) -> Iterator[list[Any]]:
    level = [value]
    while level:
        yield level
        lists = [list(each.values()) if isinstance(each, dict) else each for each in level]
        level = [item for each in lists if isinstance(each, list) for item in each]


def _too_deep() -> BodyError:
    return BodyError(f"the body is nested more than {DEEPEST} levels deep")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        (twice, _), *_ = Counter(name for name, _ in pairs).most_common(1)
        raise BodyError(f"the body has {json.dumps(twice[:100])} twice in one object")
    return found


def _int(text: str) -> int:
    return int(text) if len(text) <= LONGEST_NUMBER else _no_number(text)


def _float(text: str) -> float:
    found = float(text)
    return found if math.isfinite(found) else _no_number(text)


def _no_number(text: str) -> NoReturn:
    raise BodyError(f"{text[:LONGEST_NUMBER]} is no number that an entry can have")
