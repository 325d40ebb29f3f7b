"""Events as they happen: `events --follow` as server-sent events."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import replace
from functools import partial

from anyio import CapacityLimiter, to_thread
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from proxysync.app.events import EventsAfter, events_after
from proxysync.store.database import StateError
from proxysync.store.query import LARGEST_ID, EventQuery
from proxysync.web.answers import error
from proxysync.web.broadcast import Broadcast, frame, reset
from proxysync.web.context import Context
from proxysync.web.parameters import FILTERS, event_query, number
from proxysync.web.server_sent import HEADERS, EventStream, message

HEARTBEAT = 15.0
"""Seconds without an event after which a comment says that the connection lives."""

RETRY = 3000
"""Milliseconds after which a listener whose connection broke is to come again."""

MOST_LISTENERS = 2000

CATCH_UP = 50
"""Events that are read at a time for a listener that was away: it may be slow to take them."""

READERS = 2
"""Listeners that may read the log at a time, so that it stays free for the daemon."""


def routes(context: Context) -> list[Route]:
    broadcast = context.broadcast
    limiter = CapacityLimiter(READERS)

    async def read(query: EventQuery, after: int) -> EventsAfter:
        work = partial(events_after, context.env.state_dir, query, after)
        return await to_thread.run_sync(work, limiter=limiter)

    async def stream(request: Request) -> Response:
        query = replace(event_query(request.query_params, (*FILTERS, "after")), limit=CATCH_UP)
        after = _after(request)
        if len(broadcast) >= MOST_LISTENERS:
            return error(
                503,
                "listeners.too_many",
                f"{MOST_LISTENERS} listen already",
                "Close pages that nobody looks at.",
                {"Retry-After": "30"},
            )
        broadcast.meet()
        if after is None:
            after = broadcast.position if query.since is None else 0
        if not broadcast.covers(after):
            await read(replace(query, limit=1), after)  # what fails here is answered as an error
        if request.method == "HEAD":
            return Response(media_type=EventStream.media_type, headers=HEADERS)
        return EventStream(_sent(broadcast, query, partial(read, query), after))

    return [Route("/api/events/stream", stream)]


async def _sent(
    broadcast: Broadcast,
    query: EventQuery,
    read: Callable[[int], Awaitable[EventsAfter]],
    after: int,
) -> AsyncGenerator[bytes]:
    """What has come after that id, and then what comes, with no event twice and none left out.

    Nothing is awaited between the last look into the log, which has all up to `position`, and
    the moment from which on news are heard.
    """
    yield f"retry: {RETRY}\n\n".encode()
    while not broadcast.covers(after):
        position = broadcast.position
        try:
            found = await read(after)
        except StateError:
            return  # it is tried again when the listener comes back
        if found.whole and found.reached < after:
            yield reset(found.reached)
        after, whole = found.reached, found.whole
        missed = b"".join(frame(event).content for event in found.events)
        del found  # the listener may take its time
        if missed:
            yield missed
        is_other = after < position  # and news of it will say so
        if whole and (after >= broadcast.position or is_other):
            break
    listener = broadcast.attach(query, after)
    try:
        # A message without data is none, but its id is where the listener begins again.
        yield f"id: {after}\n\n".encode()
        while not listener.ended:
            yield await listener.take(HEARTBEAT) or b": heartbeat\n\n"
        while chunk := await listener.take(0):
            yield chunk
        if listener.behind:
            yield message({"last_id": listener.last_id}, kind="behind")
    finally:
        broadcast.detach(listener)


def _after(request: Request) -> int | None:
    """The last id that the listener knows of; a browser says it as a header when it comes again."""
    again = request.headers.get("last-event-id")
    query = request.query_params if again is None else {"after": again}
    return number(query, "after", LARGEST_ID, least=0)
