"""The API of a daemon that runs, as its clients reach it."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
import requests

from proxysync.demo.services import DemoService
from tests.world import World, eventually

TOKEN = "a-long-random-word-for-tests"


@dataclass
class Api:
    """A client; `get` is for answers that must be there."""

    url: str
    token: str | None = None
    session: requests.Session = field(default_factory=requests.Session)

    def __post_init__(self) -> None:
        self.session.trust_env = False

    def ask(
        self,
        method: str,
        path: str,
        json: Any = None,
        headers: Mapping[str, str] | None = None,
        **more: Any,
    ) -> requests.Response:
        own = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        whole = {**own, **(headers or {})}
        url = f"{self.url}{path}"
        return self.session.request(method, url, json=json, headers=whole, timeout=30, **more)

    def get(self, path: str) -> Any:
        answer = self.ask("GET", path)
        assert answer.status_code == 200, f"{path}: {answer.status_code} {answer.text}"
        return answer.json()


@contextmanager
def api_of(world: World, first: str = "", **env: str) -> Iterator[Api]:
    """`proxysync run` with an API on a free port; `env` are settings besides."""
    before = world.event_names().count("daemon.listening")
    with world.daemon(first, **{"PROXYSYNC_LISTEN": "127.0.0.1:0", **env}):

        def address() -> str | None:
            found = [e for e in world.events() if e["event"] == "daemon.listening"]
            return found[-1]["data"]["address"] if len(found) > before else None

        yield Api(eventually(address) or "", env.get("PROXYSYNC_API_TOKEN"))


@pytest.fixture
def house(small_world: World, services: list[DemoService]) -> World:
    """Three entries, one of them blocked, and a host that is not ours; nothing runs yet."""
    small_world.write(
        {
            "one": {"upstream": services[0].url},
            "two": {"upstream": services[1].url},
            "dead": {"upstream": "http://127.0.0.1:9"},
        },
        settings={"health": {"interval": "1s", "failure_threshold": 1}},
        redirections={"old": {"domains": ["old.proxysync-test.example"], "to": "one.example.com"}},
    )
    small_world.npm.add_host("foreign.proxysync-test.example")
    return small_world


@pytest.fixture
def api(house: World) -> Iterator[Api]:
    """The API of a daemon that has brought NPM in sync with the house as far as it can."""
    with api_of(house) as found:
        eventually(lambda: "proxy.blocked" in house.event_names())
        yield found
