"""What happened: a page of the event log, or what comes from now on."""

from collections.abc import Generator, Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from proxysync.app.choose import did_you_mean
from proxysync.app.state_folder import DATABASE, earlier_secrets, nothing_there
from proxysync.model.clock import now
from proxysync.model.event import Event
from proxysync.model.redact import redact, redact_text
from proxysync.store.database import Database, StateError, open_for_reading
from proxysync.store.query import (
    EventQuery,
    Follower,
    last_id,
    names_in_log,
    select,
    select_after,
)
from proxysync.values.scalars import parse_duration


@dataclass(frozen=True)
class EventPage:
    """Events without secrets; `next_before` is where the next page begins, None on the last.

    `notes` are for a person.
    """

    events: tuple[Event, ...]
    next_before: int | None = None
    notes: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """The shape of `events --format json`."""
        found = [event.to_json() for event in self.events]
        return {"events": found, "next_before": self.next_before}


@dataclass(frozen=True)
class NewEvents:
    """What came since the last look, oldest first; or `error`, why nothing can be read now."""

    events: tuple[Event, ...] = ()
    error: str | None = None


def events(state_dir: Path, query: EventQuery) -> EventPage:
    """What the query asks for, newest first. Raises StateError."""
    path = state_dir / DATABASE
    database = open_for_reading(path)
    if database is None:
        return EventPage((), notes=_too_old(path) if path.exists() else nothing_there(state_dir))
    with closing(database):
        found = select(database, query)
        notes = () if found or query.name is None else _not_there(query.name, database)
    if not found:
        return EventPage((), notes=notes)
    is_full = len(found) == query.limit
    return EventPage(_masked(found, earlier_secrets(state_dir)), found[-1].id if is_full else None)


def follow(state_dir: Path, query: EventQuery) -> Generator[NewEvents]:
    """What the query asks for, then what is new each time that it is asked, without end.

    There may be nothing new: whoever iterates waits in between. Raises StateError at the start.
    """
    secrets = earlier_secrets(state_dir)
    with closing(Follower(state_dir / DATABASE, query)) as follower:
        yield NewEvents(_masked(follower.begin(), secrets))
        while True:
            try:
                found = follower.new()
            except StateError as error:
                yield NewEvents(error=str(error))
                continue
            if found:
                secrets = earlier_secrets(state_dir)
            yield NewEvents(_masked(found, secrets))


@dataclass(frozen=True)
class EventsAfter:
    """What comes next after an id, oldest first; up to the id `reached`, nothing else does.

    `whole` tells that `reached` is the newest of the log: there was no more at that moment.
    """

    events: tuple[Event, ...]
    reached: int
    whole: bool = True


def events_after(state_dir: Path, query: EventQuery, after: int) -> EventsAfter:
    """Up to `limit` events of the query with a higher id. Raises StateError."""
    database = open_for_reading(state_dir / DATABASE)
    if database is None:
        return EventsAfter((), 0)
    with closing(database):
        newest = last_id(database)
        found = select_after(database, query, after)
    last = found[-1].id if found else 0
    masked = _masked(found, earlier_secrets(state_dir)) if found else ()
    if len(found) == query.limit:
        return EventsAfter(masked, last, whole=False)
    return EventsAfter(masked, max(newest, last))


def parse_since(text: str) -> datetime:
    """The time that an age or a time in ISO 8601 means; without a zone it is local.

    Raises ValueError.
    """
    try:
        age = parse_duration(text)
        if age is not None:
            return now() - timedelta(seconds=age)
        return datetime.fromisoformat(text).astimezone()
    except OverflowError as error:
        raise ValueError(text) from error


def _masked(found: list[Event], secrets: Mapping[str, str]) -> tuple[Event, ...]:
    return tuple(
        replace(
            event, message=redact_text(event.message, secrets), data=redact(event.data, secrets)
        )
        for event in found
    )


def _not_there(name: str, database: Database) -> tuple[str, ...]:
    """What to say where nothing ever happened to an entry of this name, but to one like it."""
    known = names_in_log(database)
    hint = None if name in known else did_you_mean([name], known)
    return (f"Note: no event is about an entry named {name}\n  hint: {hint}",) if hint else ()


def _too_old(path: Path) -> tuple[str, ...]:
    note = (
        f"Warning: {path} is of an older release, so no events can be shown\n"
        "  hint: The next `proxysync run` or `proxysync apply` brings it up to date."
    )
    return (note,)
