"""Live events for any number of listeners: each event is made into bytes once, for all of them."""

import asyncio
import threading
from collections import deque
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass

from proxysync.model.event import Event
from proxysync.store.query import EventQuery
from proxysync.web.server_sent import message

PACE = 0.1
"""Seconds for which events are gathered, so that a burst of them wakes each listener seldom."""

MOST_WAITING = 5000
"""Events that wait for one listener; whoever has more is behind."""

RECENT = 1000
"""Events that are kept for listeners who were away for a moment, so that they need not be read."""

CHUNK = 16 * 1024
"""Bytes after which a chunk gets no more events: what is sent at once is held once for each."""


@dataclass(frozen=True)
class Frame:
    """An event as it is sent."""

    event: Event
    content: bytes


def frame(event: Event) -> Frame:
    return Frame(event, message(event.to_json(), number=event.id))


class Listener:
    """What one of them has yet to get. Everything here happens on the server's event loop.

    `last_id` is that of the last event that was taken. It is `ended` when nothing more will come,
    and `behind` where that is because it was too slow.
    """

    def __init__(self, query: EventQuery, last_id: int) -> None:
        self.last_id = last_id
        self.ended = self.behind = False
        self._query = query
        self._seen = last_id
        self._waiting: deque[Frame | bytes] = deque()
        self._woken = asyncio.Event()

    async def take(self, timeout: float) -> bytes:
        """What has come, once something has; nothing after `timeout` seconds or at the end."""
        if not self._waiting and not self.ended:
            self._woken.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(timeout):
                    await self._woken.wait()
        chunk = bytearray()
        while self._waiting and len(chunk) < CHUNK:
            found = self._waiting.popleft()
            if isinstance(found, Frame):
                self.last_id = found.event.id
                chunk += found.content
            else:
                chunk += found
        return bytes(chunk)

    def offer(self, frames: Iterable[Frame]) -> None:
        for found in frames:
            if found.event.id > self._seen and self._query.matches(found.event):
                self._waiting.append(found)
        if len(self._waiting) > MOST_WAITING:
            self._waiting.clear()
            self.behind = True
            self.end()
        self._woken.set()

    def reset(self, last_id: int) -> None:
        """The log is another one: what it has got says nothing of what is in there."""
        self._seen = self.last_id = last_id
        self._waiting.append(reset(last_id))

    def end(self) -> None:
        self.ended = True
        self._woken.set()


def reset(last_id: int) -> bytes:
    """Tells that the log is another one, which is to be read anew; it goes on after that id."""
    return message({"last_id": last_id}, kind="reset", number=last_id)


class Broadcast:
    """Hands events on to listeners, without waiting for any of them.

    `position` is the id up to which they have got all there is.
    """

    def __init__(self) -> None:
        self.position = 0
        self.ended = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._lock = threading.Lock()
        self._listeners: set[Listener] = set()
        self._gathered: list[Event] = []
        self._recent: deque[Frame] = deque(maxlen=RECENT)

    def begin(self, last_id: int) -> None:
        """What comes after this id is news."""
        self.position = last_id

    def covers(self, last_id: int) -> bool:
        """Whether `attach` gives all that comes after that id, and that id is of this log."""
        first = self._recent[0].event.id - 1 if self._recent else self.position
        return first <= last_id <= self.position

    def hear(self, events: Sequence[Event]) -> None:
        """What is new, in order; from whatever thread."""
        with self._lock:
            if self._loop is None:
                self.position = events[-1].id
                return
        with suppress(RuntimeError):  # a loop that has ended has no listeners
            self._loop.call_soon_threadsafe(self._gather, events)

    def end(self) -> None:
        """Lets all listeners go, from whatever thread."""
        self.ended = True
        with self._lock, suppress(RuntimeError):
            if self._loop is not None:
                self._loop.call_soon_threadsafe(self._let_go)

    def meet(self) -> None:
        """To be called on the server's loop before `position` is read there."""
        with self._lock:
            self._loop = asyncio.get_running_loop()

    def attach(self, query: EventQuery, last_id: int) -> Listener:
        """A listener to all that comes after that id; see `covers`."""
        listener = Listener(query, last_id)
        listener.offer(self._recent)
        self._listeners.add(listener)
        if self.ended:
            listener.end()
        return listener

    def detach(self, listener: Listener) -> None:
        self._listeners.discard(listener)

    def __len__(self) -> int:
        return len(self._listeners)

    def _gather(self, events: Sequence[Event]) -> None:
        assert self._loop is not None
        if not self._gathered:
            self._loop.call_later(PACE, self._deliver)
        self._gathered += events

    def _deliver(self) -> None:
        events, self._gathered = self._gathered, []
        if not events:
            return
        is_other = events[0].id <= self.position
        if is_other:
            self._recent.clear()
            for listener in self._listeners:
                listener.reset(events[0].id - 1)
        self.position = events[-1].id
        frames = [frame(event) for event in events]
        self._recent.extend(frames)
        for listener in tuple(self._listeners):
            listener.offer(frames)
            if listener.ended:
                self.detach(listener)

    def _let_go(self) -> None:
        self._deliver()
        for listener in self._listeners:
            listener.end()
