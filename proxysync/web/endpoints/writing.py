"""Edits of the file: `add`, `set` and `remove` as an API."""

import asyncio
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from anyio import to_thread
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from proxysync.app.apply_watch import ApplyResult, ApplyWatch
from proxysync.app.check_entry import name_for
from proxysync.app.edit import Edited, Editor
from proxysync.app.placing import path_of
from proxysync.app.validate import InvalidFile
from proxysync.config.api_settings import WRITE
from proxysync.config.errors import ConfigError
from proxysync.model import Key
from proxysync.model.errors import ProxysyncError
from proxysync.model.redact import redact
from proxysync.values.scalars import parse_duration
from proxysync.web.answers import NOT_KEPT, RequestError, error_json
from proxysync.web.body import BodyError, read_object, take_name
from proxysync.web.context import Context
from proxysync.web.endpoints.resources import PROXY
from proxysync.web.parameters import ParameterError, require_known
from proxysync.web.throttle import Throttle

LONGEST_WAIT = 120.0
"""Seconds that an answer may be kept back until an edit has reached NPM."""

POLL = 0.1
BURST, RATE, AT_ONCE = 100, 5.0, 8
"""Edits that may be asked for at once and then each second, and that may wait for their turn."""

Edit = Callable[[Editor, str], Edited]
"""Does it, if the file still has that fingerprint, or any where it is empty."""


class ForbiddenError(RequestError):
    """The API may not write, or not there."""

    code = "write.forbidden"
    status = 403


class ElsewhereError(RequestError):
    """The file is another's to edit."""

    code = "write.elsewhere"
    status = 409


@dataclass(frozen=True)
class Asked:
    """What is asked for beside the entry: to wait so many seconds, and for which file it is."""

    wait: float
    expected: str


def routes(context: Context) -> list[Route]:
    writer = Writer(context)

    def _new_name(fields: dict[str, Any]) -> str:
        return name_for(fields, PROXY, context.file.load())

    async def create(request: Request) -> Response:
        asked = writer.admit(request)
        fields = await read_object(request)
        given = take_name(fields)
        name = await to_thread.run_sync(_new_name, fields) if given is None else given
        key = Key(PROXY, name)

        def put(editor: Editor, expected: str) -> Edited:
            try:
                return editor.put(key, fields, new=True, expected=expected)
            except ConfigError as error:
                raise error if given is not None else error.within(path_of(key)) from error

        return await writer.run(key, put, asked, status=201)

    async def replace(request: Request) -> Response:
        asked = writer.admit(request)
        key = Key(PROXY, request.path_params["name"])
        fields = await read_object(request)
        if fields.pop("name", key.name) != key.name:
            raise BodyError("name is another one than that in the path", hint="Leave it out.")
        return await writer.run(key, lambda e, v: e.put(key, fields, new=False, expected=v), asked)

    async def delete(request: Request) -> Response:
        asked = writer.admit(request)
        key = Key(PROXY, request.path_params["name"])
        return await writer.run(key, lambda e, v: e.drop(key, expected=v), asked)

    return [
        Route("/api/proxies", create, methods=["POST"]),
        Route("/api/proxies/{name}", replace, methods=["PUT"]),
        Route("/api/proxies/{name}", delete, methods=["DELETE"]),
    ]


def why_not(context: Context) -> RequestError | None:
    """What keeps everybody from writing, if anything does."""
    if context.env.remote is not None:
        return ElsewhereError(
            f"the file comes from a git repository: {context.env.remote}",
            hint="Edit it in a clone and push; the daemon fetches it.",
        )
    if not context.settings.write:
        return ForbiddenError(
            f"the API may not change the file: {WRITE} is not set",
            hint=f"{WRITE}=1 allows it; or edit the file, or use `proxysync add`.",
        )
    return None


class Writer:
    """Edits the file, one edit at a time."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._lock = threading.Lock()
        self._throttle = Throttle(burst=BURST, rate=RATE, at_once=AT_ONCE)

    def admit(self, request: Request) -> Asked:
        """Raises ProxysyncError where nothing may be written, or not as it is asked for."""
        if (refused := why_not(self._context)) is not None:
            raise refused
        require_known(request.query_params, ("wait",))
        wait = _seconds(request.query_params.get("wait", "0s"))
        expected = request.headers.get("if-match", "*").strip().removeprefix("W/").strip('"')
        if not expected:
            hint = "It is the `fingerprint` of the file; leave it out where any will do."
            raise ParameterError("If-Match is empty", hint=hint)
        return Asked(wait, "" if expected == "*" else expected)

    async def run(self, key: Key, edit: Edit, asked: Asked, status: int = 200) -> Response:
        """The answer to an edit that has been carried out, or was not."""
        self._throttle.take()
        with self._throttle.place():
            try:
                done, watch = await to_thread.run_sync(self._edited, edit, asked.expected)
            except _InvalidEntryError as found:
                return _invalid(found.code, found.message, InvalidFile(found.cause).to_json())
            if not done.written:
                return self._blocked(done)
            self._context.board.hear(())  # whoever reads next finds the edit
        result = await self._awaited(done, watch, asked.wait) if asked.wait else None
        value = {
            **done.to_json(),
            "fingerprint": done.config.fingerprint,
            "apply": result.to_json() if result else None,
        }
        masked = redact(value, self._context.secrets)
        headers = {**NOT_KEPT, "ETag": f'"{done.config.fingerprint}"'}
        if status == 201:
            headers["Location"] = f"/api/proxies/{key.name}"
        return JSONResponse(masked, status, headers)

    def _edited(self, edit: Edit, expected: str) -> tuple[Edited, ApplyWatch]:
        context = self._context
        editor = Editor(
            context.env.file,
            context.environ,
            tags=context.env.tags,
            stop=lambda: context.broadcast.ended,
        )
        with self._lock:
            context.file.load()  # what is wrong with the file as it is, is another matter
            after, began = context.broadcast.position, time.monotonic()
            try:
                done = edit(editor, expected)
            except ConfigError as error:
                raise _InvalidEntryError(error) from error
        times = (began, time.monotonic())
        folder, vitals = context.env.state_dir, context.vitals
        return done, ApplyWatch(folder, vitals, done.key, done.config, after, times)

    def _blocked(self, done: Edited) -> Response:
        assert done.verdict is not None
        value: Any = redact(done.verdict.to_json(), done.config.secrets)
        return _invalid("entry.invalid", done.verdict.reason, {"results": [value]})

    async def _awaited(self, done: Edited, watch: ApplyWatch, wait: float) -> ApplyResult:
        if done.before == done.after:
            return ApplyResult("unchanged")
        context, loop = self._context, asyncio.get_running_loop()
        end = loop.time() + wait
        while True:
            result = await to_thread.run_sync(watch.look)
            left = end - loop.time()
            if result.outcome != "pending" or left <= 0 or context.broadcast.ended:
                return result
            await asyncio.sleep(min(POLL, left))


class _InvalidEntryError(ProxysyncError):
    """The file would have errors with it."""

    code = "entry.invalid"

    def __init__(self, cause: ConfigError) -> None:
        super().__init__("with this edit the file would have errors")
        self.cause = cause


def _invalid(code: str, message: str, found: dict[str, Any]) -> Response:
    """422 with all that validation found, in the shape of `validate --format json`."""
    hint = "Nothing was written. See results and problems."
    return JSONResponse({**error_json(code, message, hint), **found}, 422, NOT_KEPT)


def _seconds(text: str) -> float:
    try:
        found = parse_duration(text)
    except (ValueError, OverflowError):
        found = None
    if found is None or not 0 <= found <= LONGEST_WAIT:
        raise ParameterError(f"wait is a time up to {LONGEST_WAIT:g}s, such as 30s")
    return found
