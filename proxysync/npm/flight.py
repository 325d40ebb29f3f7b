"""Writes that were sent and whose answer has not come: NPM may carry them out even later."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

from proxysync.model import Fields, Live
from proxysync.npm.errors import Fate, NpmError, NpmUnconfirmedError


@dataclass(frozen=True)
class Flight:
    """One such write, and what shows that NPM has it.

    `npm_id` is None for a creation. `shows` is what the object then has: None where it is then
    gone, and nothing in it where it was so before.
    """

    kind: str
    npm_id: int | None
    shows: Fields | None

    def trace(self, lives: tuple[Live, ...]) -> tuple[bool, Live | None]:
        """Whether these objects show that it has arrived, and the one that does."""
        same_kind = [live for live in lives if live.kind == self.kind]
        if self.npm_id is not None:
            same_kind = [live for live in same_kind if live.npm_id == self.npm_id]
        if self.shows is None:
            return not same_kind, None
        found = (live for live in same_kind if self.shows and _has(live, self.shows))
        live = next(found, None)
        return live is not None, live


class Recorder(Protocol):
    """Remembers flights, so that the next process knows of them, too."""

    def sent(self, flight: Flight) -> int:
        """Called before the request; returns what the flight is called from then on."""

    def ended(self, number: int) -> None:
        """It was answered, or never sent."""

    def given_up(self, number: int) -> None:
        """It is no longer on its way: only NPM itself may still be at work on it."""


@contextmanager
def recorded(recorder: Recorder | None, flight: Flight) -> Iterator[None]:
    """In here a request is sent, whose errors tell what became of it."""
    if recorder is None:
        yield
        return
    number = recorder.sent(flight)
    try:
        yield
    except NpmUnconfirmedError as error:
        error.flight = number
        if error.fate is Fate.GIVEN_UP:
            recorder.given_up(number)
        elif error.fate is Fate.ENDED:
            recorder.ended(number)
        raise
    except NpmError:
        recorder.ended(number)
        raise
    recorder.ended(number)


def changes(live: Live, fields: Fields) -> Fields:
    """`fields` if the object does not have them yet, else nothing that could be told later."""
    return {} if _has(live, fields) else fields


def _has(live: Live, fields: Fields) -> bool:
    return all(live.fields.get(name) == value for name, value in fields.items())
