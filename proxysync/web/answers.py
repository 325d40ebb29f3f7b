"""What is sent: JSON with a tag that tells whether it has changed, and errors of one shape."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Self

from starlette.requests import Request
from starlette.responses import Response

from proxysync.model.errors import ProxysyncError

JSON = "application/json"
NOT_KEPT = {"Cache-Control": "no-store"}
STATUS = {
    "run.unknown": 404,
    "entry.unknown": 404,
    "entry.exists": 409,
    "config.invalid": 409,
    "config.edit": 409,
    "file.unwritable": 409,
    "file.changed": 412,
    "edit.stopped": 503,
    "state.error": 503,
    "git.no_checkout": 503,
}
"""By the code of an error. All else that a use case raises is about what was asked for."""


class RequestError(ProxysyncError):
    """A request that is not done; `status` and `headers` are those of its answer."""

    status = 400
    headers: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True)
class Json:
    """A value as JSON, and the tag that tells whether it has changed."""

    content: bytes
    tag: str

    @classmethod
    def of(cls, value: Any) -> Self:
        content = json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
        return cls(content, f'W/"{hashlib.blake2b(content, digest_size=12).hexdigest()}"')


def answer(request: Request, value: Any, headers: Mapping[str, str] | None = None) -> Response:
    """The value, or a Json made before, or 304 where the asker has it already."""
    found = value if isinstance(value, Json) else Json.of(value)
    sent = {"ETag": found.tag, "Cache-Control": "no-cache", **(headers or {})}
    if request.headers.get("if-none-match") == sent["ETag"]:
        return Response(status_code=304, headers=sent)
    return Response(found.content, media_type=JSON, headers=sent)


def error(
    status: int,
    code: str,
    message: str,
    hint: str | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """`{"error": {"code": …, "message": …, "hint": …}}`."""
    value = error_json(code, message, hint)
    content = json.dumps(value, ensure_ascii=False).encode(errors="replace")
    sent = {**NOT_KEPT, **(headers or {})}
    return Response(content, status, media_type=JSON, headers=sent)


def error_json(code: str, message: str, hint: str | None) -> dict[str, Any]:
    return {"error": {"code": code, "message": message, "hint": hint}}


def of_error(found: ProxysyncError) -> Response:
    """The same for what a use case raised."""
    if isinstance(found, RequestError):
        return error(found.status, found.code, found.message, found.hint, found.headers)
    status = STATUS.get(found.code, 503 if found.code.startswith("npm.") else 400)
    return error(status, found.code, found.message, found.hint)
