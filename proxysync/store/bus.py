"""Live events inside the process, for listeners that may be slower than the daemon."""

import threading
from collections import deque
from dataclasses import dataclass
from types import TracebackType

from proxysync.model.event import Event


@dataclass(frozen=True)
class Gap:
    """Stands where `missed` events were dropped, for the listener was too slow for them.

    They are in `event_log`, between the ids of the events on both sides.
    """

    missed: int


class Subscription:
    """What one listener has yet to hear: an iterator that waits, and ends once it is closed.

    It never holds more than `size` events; of more, the oldest are dropped and a Gap takes
    their place.
    """

    def __init__(self, bus: "Bus", size: int) -> None:
        self._bus = bus
        self._waiting: deque[Event] = deque()
        self._size = size
        self._missed = 0
        self._closed = False
        self._changed = threading.Condition()

    def get(self, timeout: float | None = None) -> Event | Gap | None:
        """The next one; None if there is none within `timeout` seconds, or ever after `close`."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._closed, timeout)
            if self._missed:
                gap, self._missed = Gap(self._missed), 0
                return gap
            return self._waiting.popleft() if self._waiting else None

    def close(self) -> None:
        """Ends it, from whatever thread: what waits can still be got, and nothing is added."""
        self._bus.forget(self)
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def offer(self, event: Event) -> None:
        with self._changed:
            if len(self._waiting) == self._size:
                self._waiting.popleft()
                self._missed += 1
            self._waiting.append(event)
            self._changed.notify()

    def __iter__(self) -> "Subscription":
        return self

    def __next__(self) -> Event | Gap:
        item = self.get()
        if item is None:
            raise StopIteration
        return item

    def __enter__(self) -> "Subscription":
        return self

    def __exit__(
        self,
        _type: type[BaseException] | None,
        _value: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        self.close()


class Bus:
    """Passes each event on to all subscriptions, without waiting for any of them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._subscriptions: tuple[Subscription, ...] = ()

    def subscribe(self, size: int) -> Subscription:
        subscription = Subscription(self, size)
        with self._lock:
            self._subscriptions += (subscription,)
        return subscription

    def forget(self, subscription: Subscription) -> None:
        with self._lock:
            self._subscriptions = tuple(s for s in self._subscriptions if s is not subscription)

    def publish(self, event: Event) -> None:
        for subscription in self._subscriptions:
            subscription.offer(event)
