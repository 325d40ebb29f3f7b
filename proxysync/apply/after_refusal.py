"""What is done with a host whose new definition is refused. Pure: decided here, done elsewhere.

| what was there before          | and what is known to have worked          | the host is |
|--------------------------------|-------------------------------------------|-------------|
| nothing                        |                                           | deleted     |
| a definition that was online   | that definition                           | restored    |
| one that was not online        | never any (the first write went wrong)    | deleted     |
| one that was not online        | nothing is known, or just what it has now | left        |
| one that was not online        | the last applied definition               | restored    |
"""

from dataclasses import dataclass

from proxysync.model import Applied, Fields, Live


@dataclass(frozen=True)
class DeleteHost:
    """It never worked, so that it goes; `told` says so to a person."""

    told: str


@dataclass(frozen=True)
class LeaveHost:
    """There is nothing better to put there."""

    told: str


@dataclass(frozen=True)
class RestoreHost:
    """It gets a definition that worked."""

    fields: Fields


AfterRefusal = DeleteHost | LeaveHost | RestoreHost


def after_refusal(
    now: Live, before: Live | None, last: Applied | None, previous: Fields | None = None
) -> AfterRefusal:
    """What to do with a host that NPM has as `now`, and had as `before` until it was written.

    `last` is what was last applied. `previous` is what to restore instead of the fields of
    `before`, where those are only half of a domain move.
    """
    if before is None:
        return DeleteHost("the new host was removed again")
    if before.online is True:
        return RestoreHost(before.fields if previous is None else previous)
    if last is not None and not last.fields:
        return DeleteHost("the host had never worked and was removed again")
    if last is None or last.fields == now.fields:
        return LeaveHost("it was offline before, and nothing is known that worked")
    return RestoreHost(last.fields)


def after_rehearsal(before: Live | None, last: Applied | None) -> AfterRefusal:
    """What to do with a host when its new definition was refused on a throwaway host."""
    if before is None or before.online is True:
        return LeaveHost("the live host was not touched")
    return after_refusal(before, before, last)
