"""What the daemon has said and need not repeat: one event as long as its cause goes on."""

from collections.abc import Collection

from proxysync.model.event import Emit, NewEvent
from proxysync.plan.adoption import advice
from proxysync.plan.model import Change, HoldKind

HELD_EVENTS = {HoldKind.DRIFT: "proxy.drift", HoldKind.WAITING: "proxy.waiting"}


class Alerts:
    """Active alerts of this process, by topic. Unlike those of `store.alerts`, a restart ends them.

    An alert is told anew when it says something else than before.
    """

    def __init__(self, emit: Emit) -> None:
        self._emit = emit
        self._active: dict[str, str] = {}

    def __contains__(self, topic: str) -> bool:
        return topic in self._active

    def fire(self, topic: str, event: NewEvent, *, cause: str | None = None) -> None:
        """Raises the event unless the topic's alert is active for the same `cause`.

        That is the message, if none is given.
        """
        cause = event.message if cause is None else cause
        if self._active.get(topic) != cause:
            self._active[topic] = cause
            self._emit(event)

    def end(self, topic: str) -> bool:
        """Lets the topic fire again; whether its alert was active."""
        return self._active.pop(topic, None) is not None

    def resolve(self, topic: str, event: NewEvent) -> bool:
        """Raises the event that ends the topic's alert, if that is active; whether it was."""
        ended = self.end(topic)
        if ended:
            self._emit(event)
        return ended

    def keep_only(self, prefix: str, topics: Collection[str]) -> None:
        """Ends the alerts whose topic begins with `prefix` and is none of these."""
        for topic in [t for t in self._active if t.startswith(prefix) and t not in topics]:
            del self._active[topic]


def change_event(change: Change, label: str) -> NewEvent | None:
    """What to say of a change that cannot be made, and of which nobody else says it."""
    if change.action == "conflict":
        reason = f"{change.reason}{advice(change, label)}"
        return NewEvent("proxy.conflict", f"{change.name}: {reason}", change.key)
    event = HELD_EVENTS.get(change.hold.kind) if change.hold else None
    if event is None or change.hold is None:
        return None
    message = f"{change.name} is left as it is: {change.hold.reason}"
    return NewEvent(event, message, change.key)
