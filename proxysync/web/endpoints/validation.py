"""Whether an entry would do: `validate` for one that does not stand in the file yet."""

import asyncio
import threading
from collections.abc import AsyncGenerator, Callable
from dataclasses import replace
from ipaddress import ip_address
from typing import Any

from anyio import to_thread
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from proxysync.app.check_entry import EntryCheck
from proxysync.app.verdict import OnStep
from proxysync.kinds.answers import UpstreamProbe
from proxysync.model.errors import ProxysyncError
from proxysync.probe.model import Step
from proxysync.web.answers import NOT_KEPT, error, error_json
from proxysync.web.body import read_object, take_name
from proxysync.web.context import Context
from proxysync.web.endpoints.resources import PROXY
from proxysync.web.parameters import require_known
from proxysync.web.server_sent import EventStream, message
from proxysync.web.throttle import Throttle

BURST, RATE, AT_ONCE = 40, 1.0, 4
"""Upstreams that may be probed at once and then each second, and entries at a time."""

Work = Callable[[OnStep, Callable[[], bool]], dict[str, Any]]
"""Checks the entry, telling of each step, until it is to stop."""


def routes(context: Context) -> list[Route]:
    throttle = Throttle(burst=BURST, rate=RATE, at_once=AT_ONCE)
    path, _ = context.env.located
    check = EntryCheck(
        path,
        context.environ,
        tags=context.env.tags,
        never_local=not context.settings.validate_local,
        admit=lambda count: throttle.take(count - 1),
    )

    def work(fields: dict[str, Any]) -> Work:
        name = take_name(fields)

        def run(on_step: OnStep, stop: Callable[[], bool]) -> dict[str, Any]:
            config = context.file.load()
            _, root = context.env.located
            now = replace(check, root=root, stop=lambda: stop() or context.broadcast.ended)
            # No secret is in there; to mask a text that was sent would tell that it is one.
            return now.run(config, PROXY, name, fields, on_step).to_json()

        return run

    async def validate(request: Request) -> Response:
        require_known(request.query_params, ())
        if context.settings.token is None and not _is_from_here(request):
            return error(403, "token.missing", "without a token only this machine may ask for that")
        todo = work(await read_object(request))
        throttle.take()
        with throttle.place():
            if "text/event-stream" not in request.headers.get("accept", ""):
                found = await to_thread.run_sync(todo, _nobody, _never)
                return JSONResponse(found, headers=NOT_KEPT)
        return EventStream(_told(todo, throttle))

    return [Route("/api/proxies/validate", validate, methods=["POST"])]


async def _told(work: Work, throttle: Throttle) -> AsyncGenerator[bytes]:
    """Each step as it ends, then the result."""
    loop, left = asyncio.get_running_loop(), threading.Event()
    queue: asyncio.Queue[bytes | None] = asyncio.Queue()

    def put(item: bytes | None) -> None:
        loop.call_soon_threadsafe(queue.put_nowait, item)

    def on_step(each: UpstreamProbe, step: Step) -> None:
        about = {"location": each.label, "upstream": str(each.upstream), **step.to_json()}
        put(message(about, kind="step"))

    def run() -> None:
        try:
            with throttle.place():
                put(message(work(on_step, left.is_set), kind="result"))
        except ProxysyncError as found:
            put(message(error_json(found.code, found.message, found.hint), kind="error"))
        finally:
            put(None)

    done = asyncio.ensure_future(to_thread.run_sync(run))
    try:
        while (item := await queue.get()) is not None:
            yield item
        await done
    finally:
        left.set()


def _nobody(_each: UpstreamProbe, _step: Step) -> None:
    """Hears of a step where nobody waits for it."""


def _never() -> bool:
    return False


def _is_from_here(request: Request) -> bool:
    try:
        return request.client is not None and ip_address(request.client.host).is_loopback
    except ValueError:
        return False
