"""Live events: each one once and in order, whatever happens to the listener or the log."""

import asyncio
import json
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import requests

from proxysync.model import clock
from proxysync.model.event import Event
from proxysync.store.query import EventQuery
from proxysync.web.broadcast import MOST_WAITING, Broadcast
from tests.web.conftest import Api, api_of
from tests.world import World, eventually

Message = dict[str, Any]


@contextmanager
def listening(api: Api, query: str = "", **headers: str) -> Iterator[Iterator[Message]]:
    """The messages of the stream, as a browser understands them."""
    answer = api.ask("GET", f"/api/events/stream{query}", headers=headers, stream=True)
    assert answer.status_code == 200, answer.text
    assert answer.headers["Content-Type"].startswith("text/event-stream")
    with answer:
        yield messages(answer)


def messages(answer: requests.Response) -> Iterator[Message]:
    found: Message = {}
    for line in answer.iter_lines(chunk_size=1):
        name, _, value = line.decode().partition(": ")
        if name:
            found[name] = json.loads(value) if name == "data" else value
        else:
            yield found
            found = {}


def data(stream: Iterator[Message]) -> Iterator[Any]:
    return (m["data"] for m in stream if "data" in m and "event" not in m)


def test_who_was_away_gets_what_came_meanwhile_and_then_what_comes(house: World) -> None:
    with ExitStack() as held:
        with api_of(house) as api:
            eventually(lambda: "proxy.blocked" in house.event_names())
            with listening(api, "?after=0") as stream:
                begun = next(stream)
                assert begun["retry"] == "3000"
                past = house.events()
                told = data(stream)
                assert [next(told) for _ in past] == past
                one = house.events()[-1]["id"]
                two = listening(api, "?proxy=late", **{"Last-Event-ID": str(one)})
                with two as late, listening(api, "?severity=error") as errors:
                    next(errors)
                    text = house.file.read_text()
                    house.file.write_text(text.replace("  two:", "  late:"))
                    found = [next(data(late))]
                    assert found[0]["name"] == "late"
                    assert found[0]["id"] > one
                    house.file.write_text("nonsense: [")
                    wrong = next(data(errors))
                    assert (wrong["event"], wrong["severity"]) == ("config.invalid", "error")
                seen = [next(told)]
                while seen[-1]["event"] != "config.invalid":
                    seen.append(next(told))
                assert seen == [
                    e for e in house.events() if past[-1]["id"] < e["id"] <= wrong["id"]
                ]
            for wrong_query in ("after=-1", "after=x", "limit=3", "since=never", "name=a&proxy=b"):
                assert api.ask("GET", f"/api/events/stream?{wrong_query}").status_code == 400
            assert api.ask("HEAD", "/api/events/stream").status_code == 200
            with listening(api, "?after=999999") as stream:
                told_anew = [next(stream) for _ in range(3)]
                newest = told_anew[1]["data"]["last_id"]
                assert past[-1]["id"] < newest < 999999
                assert told_anew[1]["event"] == "reset"
                assert told_anew[1]["id"] == told_anew[2]["id"] == str(newest)
            left = held.enter_context(listening(api))
            next(left)
            begin = time.monotonic()
        assert time.monotonic() - begin < 5, "a listener must not keep the daemon from ending"
        assert [m["data"]["event"] for m in left if "data" in m][-1:] in ([], ["daemon.stopped"])


def test_a_listener_that_is_too_slow_is_told_and_let_go() -> None:
    async def story() -> None:
        broadcast = Broadcast()
        broadcast.begin(10)
        broadcast.meet()
        slow = broadcast.attach(EventQuery(), 10)
        quick = broadcast.attach(EventQuery(severity="error"), 10)
        broadcast.hear([event(11)])
        assert b"id: 11\n" in await slow.take(5)
        for number in range(12, 13 + MOST_WAITING, 1000):
            broadcast.hear([event(number + more) for more in range(1000)])
        while not slow.ended:
            await quick.take(0.01)
        assert slow.behind
        assert (slow.last_id, await slow.take(0)) == (11, b"")
        assert len(broadcast) == 1
        broadcast.hear([event(3, "error"), event(4), event(5, "error")])
        text = await quick.take(5)
        assert [line for line in text.split(b"\n") if line.startswith((b"id", b"event"))] == [
            b"id: 2",
            b"event: reset",
            b"id: 3",
            b"id: 5",
        ]
        broadcast.end()
        assert await quick.take(5) == b""
        assert quick.ended
        assert not quick.behind

    asyncio.run(story())


def event(number: int, severity: str = "info") -> Event:
    return Event(number, clock.to_text(clock.now()), severity, "apply", "x.y", None, "it", {})
