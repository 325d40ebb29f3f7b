"""Writes that were sent and whose answer has not come: NPM may carry them out even later."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from proxysync.model import Fields, Live
from proxysync.model.flight import Flight, has_fields
from proxysync.npm.errors import Fate, NpmError, NpmUnconfirmedError


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
    return {} if has_fields(live, fields) else fields
