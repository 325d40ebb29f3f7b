"""Waits until no write of an earlier run can be under way in NPM any more.

A write that arrives late would undo what was written since, and two at once take sites down.
"""

import time
from collections.abc import Sequence

from proxysync.apply.hooks import Hooks
from proxysync.kinds import KINDS
from proxysync.model import Live, Snapshot
from proxysync.npm import transport
from proxysync.npm.client import NpmClient
from proxysync.npm.errors import NpmStoppedError
from proxysync.store.flights import Flights, Sent

LONGEST_WRITE = transport.WRITE_TIMEOUT
"""Seconds after which a write has ended, or never will arrive: its sender waits no longer."""

AT_WORK = 5.0
"""Seconds that NPM may be at work on a write that it has: with 400 hosts it takes 2.3 s."""

LAST_TEST = 1.0
"""Seconds that a write still takes once the object says what nginx thinks of it: one more test
of nginx, which takes 0.6 s with 400 hosts, and a reload."""

POLL = 1.0
"""Seconds between two looks at whether it has arrived."""

WORTH_TELLING = 2.0
"""Seconds of waiting that a person does not notice."""


def wait(npm: NpmClient, flights: Flights, hooks: Hooks, snapshot: Snapshot) -> Snapshot:
    """NPM as it is once all writes that were recorded have ended.

    Raises NpmStoppedError if the process is to end first, and other NpmErrors.
    """
    open_, seen = flights.open(), dict[int, float]()
    start, told = time.monotonic(), False
    while (left := _left(open_, seen, start, snapshot)) > 0:
        if not told and left > WORTH_TELLING:
            told = True
            hooks.note(
                f"waiting up to {left:.0f} s: a write of an earlier run, which ended before the "
                "answer came, may still be under way in NPM"
            )
        hooks.pause(min(left, POLL))
        if hooks.stop():
            raise NpmStoppedError("stopped by signal while an earlier write may be under way")
        snapshot = npm.snapshot()
    for sent in open_:
        flights.ended(sent.number)
    return snapshot


def _left(open_: Sequence[Sent], seen: dict[int, float], start: float, snapshot: Snapshot) -> float:
    """Seconds until the last of them has ended; `seen` is when each was found to have arrived."""
    now = time.monotonic()
    lives = (*snapshot.objects, *snapshot.canaries)
    left = 0.0
    for sent in open_:
        longest = min(AT_WORK, LONGEST_WRITE) if sent.given_up else LONGEST_WRITE
        rest = longest - max(sent.since.age(), now - start)
        arrived, live = sent.flight.trace(lives)
        if arrived:
            first = seen.setdefault(sent.number, now)
            rest = min(rest, (LAST_TEST if _is_tested(live) else AT_WORK) - (now - first))
        left = max(left, rest)
    return left


def _is_tested(live: Live | None) -> bool:
    """Whether NPM has written down what nginx thinks of it, which a write forgets at first."""
    if live is None or live.online is None:
        return False
    return KINDS[live.kind].is_enabled(live.fields)
