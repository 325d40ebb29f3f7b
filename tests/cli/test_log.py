"""The daemon's log on stderr, read at once, late or never."""

import json
import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any, TextIO

import pytest

from proxysync.cli import log
from proxysync.cli.log import printed
from proxysync.model.event import Event
from proxysync.store.bus import Bus
from tests.keys import key
from tests.world import PATIENCE, eventually, sooner_than

LONG = "x" * 1000
Printing = Callable[[Bus], AbstractContextManager[None]]


def event(number: int, message: str = "up", **more: Any) -> Event:
    data = more.pop("data", {})
    return Event(number, "", "warn", "health", "health.changed", key("media"), message, data)


@pytest.fixture
def pipe() -> Iterator[tuple[int, TextIO]]:
    """Both ends: what reads, and what is to be stderr."""
    reading, writing = os.pipe()
    with open(writing, "w") as stderr:  # noqa: PTH123 - it has no path
        yield reading, stderr
        os.close(reading)
        # The descriptor must not be another test's while a thread still writes to it.
        eventually(lambda: all(thread.name != "log" for thread in threading.enumerate()))


@pytest.fixture
def printing(pipe: tuple[int, TextIO], monkeypatch: pytest.MonkeyPatch) -> Printing:
    """`printed`, with the pipe for stderr; pytest puts in its own before a test is called."""

    def begin(bus: Bus) -> AbstractContextManager[None]:
        monkeypatch.setattr(sys, "stderr", pipe[1])
        return printed(bus)

    return begin


@pytest.fixture
def reader(pipe: tuple[int, TextIO]) -> int:
    return pipe[0]


def lines(reader: int) -> list[dict[str, Any]]:
    os.set_blocking(reader, False)
    found = b""
    try:
        while chunk := os.read(reader, 65536):
            found += chunk
    except BlockingIOError:
        pass
    return [json.loads(line) for line in found.splitlines()]


def test_each_event_is_one_line_and_none_is_missing_at_the_end(
    printing: Printing, reader: int
) -> None:
    bus = Bus()
    with printing(bus):
        for number in range(20):
            bus.publish(event(number, data={"hint": "start it"}))
    found = lines(reader)
    assert [line["id"] for line in found] == list(range(20))
    assert found[0] == event(0, data={"hint": "start it"}).to_json()


def test_nobody_who_emits_waits_for_a_reader_that_has_stopped_nor_does_the_end(
    printing: Printing, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log, "DRAIN", 0.1)
    bus = Bus()
    with sooner_than(PATIENCE), printing(bus):
        for number in range(log.WAITING + 500):
            bus.publish(event(number, LONG))


def test_a_late_reader_is_told_how_much_it_missed(
    printing: Printing, reader: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log, "WAITING", 5)
    bus = Bus()
    found: list[dict[str, Any]] = []
    with printing(bus):
        for number in range(300):
            bus.publish(event(number, LONG))
        while not found or found[-1].get("id") != 299:
            found += lines_as_they_come(reader)
    (gap,) = [line for line in found if line["event"] == "log.gap"]
    shown = [line["id"] for line in found if line["id"] >= 0]
    assert shown[-5:] == [295, 296, 297, 298, 299]
    assert gap["message"].startswith(
        f"{300 - len(shown)} events dropped: the log reader is too slow"
    )


def lines_as_they_come(reader: int) -> list[dict[str, Any]]:
    """Whole lines: what is read ends with one, or is read on."""
    found = os.read(reader, 65536)
    while not found.endswith(b"\n"):
        found += os.read(reader, 65536)
    return [json.loads(line) for line in found.splitlines()]


def test_a_reader_that_has_gone_is_no_trouble(printing: Printing, reader: int) -> None:
    before = threading.active_count()
    bus = Bus()
    with printing(bus):
        gone = os.open(os.devnull, os.O_RDONLY)
        os.dup2(gone, reader)
        os.close(gone)
        for number in range(3):
            bus.publish(event(number))
    assert threading.active_count() == before


def test_a_stderr_that_does_not_block_loses_nothing(
    printing: Printing, pipe: tuple[int, TextIO]
) -> None:
    reader, stderr = pipe
    os.set_blocking(stderr.fileno(), False)
    bus = Bus()
    found: list[dict[str, Any]] = []
    with printing(bus):
        for number in range(200):
            bus.publish(event(number, LONG))
        while len(found) < 200:
            found += lines_as_they_come(reader)
    assert [line["id"] for line in found] == list(range(200))
