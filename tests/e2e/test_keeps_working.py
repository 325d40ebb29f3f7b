"""A site that works keeps working, whatever is applied; on the sandbox and on a real NPM."""

import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pytest
import requests

from proxysync.demo.services import DemoService
from tests.faults import Fault, FaultProxy
from tests.world import World, domain, eventually

pytestmark = pytest.mark.timeout(240)

BAD: Mapping[str, Mapping[str, Any]] = {
    "an unknown directive": {"advanced_config": "no_such_directive on;"},
    "a missing semicolon": {"advanced_config": "client_max_body_size 10m"},
    "an unbalanced brace": {"advanced_config": "location /x {"},
    "a bad directive in a location": {
        "locations": [
            {"path": "/x", "upstream": "http://127.0.0.1:{port}", "advanced_config": "bogus 1;"}
        ]
    },
    "a location that is there twice": {
        "advanced_config": "location /x { return 204; }",
        "locations": [{"path": "/x", "upstream": "http://127.0.0.1:{port}"}],
    },
    "a location whose name does not resolve": {
        "locations": [{"path": "/x", "upstream": "http://nowhere.invalid:80"}],
        "validation": {"mode": "off", "allow_unresolved": True},
    },
    "a dead upstream": {"upstream": "http://127.0.0.1:1"},
    "an unknown certificate": {"certificate": "nothing.example"},
    "a certificate without its files": {"certificate": domain("empty")},
}


class Visitor:
    """Asks for two sites again and again, as strangers do; remembers every wrong answer."""

    def __init__(self, world: World, wanted: Mapping[str, str]) -> None:
        self._url = world.npm.sites_url
        self._wanted = wanted
        self.failures: list[str] = []
        self.visits = 0

    @contextmanager
    def at_work(self) -> Iterator[None]:
        done = threading.Event()
        thread = threading.Thread(target=self._visit, args=(done,))
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()

    def _visit(self, done: threading.Event) -> None:
        with requests.Session() as session:
            session.trust_env = False
            while not done.wait(0.02):
                for name, text in self._wanted.items():
                    self.visits += 1
                    try:
                        answer = session.get(
                            self._url,
                            headers={"Host": name, "Connection": "close"},
                            timeout=10,
                            allow_redirects=False,
                        )
                    except requests.RequestException as error:
                        self.failures.append(f"{name}: {error}")
                        continue
                    if answer.status_code != 200 or text not in answer.text:
                        self.failures.append(f"{name}: {answer.status_code} {answer.text[:60]}")


def with_port(value: Any, port: int) -> Any:
    if isinstance(value, str):
        return value.replace("{port}", str(port))
    if isinstance(value, list):
        return [with_port(item, port) for item in value]
    if isinstance(value, dict):
        return {key: with_port(item, port) for key, item in value.items()}
    return value


def test_no_bad_definition_costs_a_visitor_an_answer(
    world: World, services: list[DemoService]
) -> None:
    one, two, three = services
    world.npm.call(
        "POST", "/nginx/certificates", {"provider": "other", "nice_name": domain("empty")}
    )
    good = {"one": {"upstream": one.url}, "two": {"upstream": two.url}}
    world.write(good)
    world.apply()
    for name in ("one", "two"):
        eventually(lambda name=name: name in world.npm.visit(domain(name))[1])  # type: ignore[misc]
    visitor = Visitor(world, {domain("one"): "one", domain("two"): "two"})
    with visitor.at_work():
        for what, fields in BAD.items():
            bad = with_port(dict(fields), three.port)
            world.write({**good, "one": {**good["one"], **bad}, "three": {"upstream": three.url}})
            done = world.call("apply", "--yes")
            assert done.code == 1, f"{what}: {done.out}"
            assert world.npm.host("three"), what
            world.write({**good, "three": {"upstream": three.url}})
            world.apply()
        time.sleep(1.5)  # a reload that comes late would be seen by now
    assert visitor.failures == []
    assert visitor.visits > 100
    assert canaries(world) == []
    world.assert_in_sync()


def canaries(world: World) -> list[Any]:
    rows = world.npm.call("GET", "/nginx/proxy-hosts")
    return [row for row in rows if any(d.endswith(".invalid") for d in row["domain_names"])]


def test_a_refused_entry_is_not_tried_again_until_it_changes(
    small_world: World, services: list[DemoService]
) -> None:
    sandbox = small_world.npm.sandbox
    assert sandbox is not None
    good = {"one": {"upstream": services[0].url}}
    bad = {"one": {"upstream": services[0].url, "advanced_config": "nonsense;"}}
    small_world.write(good)
    small_world.apply()
    small_world.write(bad)
    assert small_world.call("apply", "--yes").code == 1
    writes = len(sandbox.writes)
    for _ in range(2):
        done = small_world.call("apply", "--yes")
        assert done.code == 1
        assert "nonsense" in done.out
    assert len(sandbox.writes) == writes
    shown = small_world.call("status", "--format", "json").json["proxies"][0]
    [told] = [e for e in small_world.events() if e["event"] == "proxy.failed"]
    assert (shown["sync"], shown["hint"]) == ("failed", told["data"]["hint"])
    assert shown["hint"]
    small_world.write({"one": {"upstream": services[1].url}})
    small_world.apply()
    small_world.assert_in_sync()


def test_an_entry_without_free_text_costs_no_canary(
    small_world: World, services: list[DemoService]
) -> None:
    sandbox = small_world.npm.sandbox
    assert sandbox is not None
    small_world.write({"one": {"upstream": services[0].url}})
    small_world.apply()
    before = len(sandbox.writes)
    small_world.write({"one": {"upstream": services[1].url, "websockets": True}})
    small_world.apply()
    assert len(sandbox.writes) == before + 1


def test_a_canary_that_was_left_behind_is_removed_and_never_shown(
    small_world: World, services: list[DemoService]
) -> None:
    small_world.npm.add_host(
        "canary-0badcafe.proxysync.invalid",
        meta={"proxysync": {"name": "one", "instance": "default", "canary": True}},
    )
    small_world.npm.add_host(
        "canary-00c0ffee.proxysync.invalid",
        meta={"proxysync": {"name": "one", "instance": "other", "canary": True}},
    )
    small_world.write({"one": {"upstream": services[0].url}})
    assert (
        small_world.plan()["summary"] | {"create": 1, "conflict": 0}
        == (small_world.plan()["summary"])
    )
    small_world.apply()
    assert [row["domain_names"] for row in canaries(small_world)] == [
        ["canary-00c0ffee.proxysync.invalid"]
    ]


@pytest.mark.usefixtures("impatient")
def test_a_site_that_stopped_answering_is_put_back(
    small_world: World, services: list[DemoService]
) -> None:
    """nginx takes it, but the site is gone: only asking for it can tell."""
    settings = {"verify": {"url": small_world.npm.sites_url}}
    entry = {"upstream": services[0].url}
    small_world.write({"one": entry}, settings=settings)
    small_world.apply()
    small_world.write({"one": {**entry, "advanced_config": "return 503;"}}, settings=settings)
    done = small_world.call("apply", "--yes")
    assert done.code == 1
    assert "answered before" in done.out
    assert small_world.npm.visit(domain("one"))[0] == 200


@pytest.mark.usefixtures("impatient")
def test_a_site_behind_a_password_never_answers_a_stranger(
    small_world: World, services: list[DemoService]
) -> None:
    """Neither one that is live nor a new one: only a throwaway host has tried it."""
    sandbox = small_world.npm.sandbox
    assert sandbox is not None
    sandbox.add_access_list("staff", items=[{"username": "anna", "password": "pw"}])
    settings = {"verify": {"url": small_world.npm.sites_url}}
    entry = {"upstream": services[0].url, "access_list": "staff"}
    small_world.write({"one": entry}, settings=settings)
    small_world.apply()
    assert small_world.npm.visit(domain("one"))[0] == 401
    open_again = "location / { proxy_pass $forward_scheme://$server:$port; }"
    bad = {**entry, "advanced_config": open_again}
    small_world.write({"one": bad, "two": bad}, settings=settings)
    before = len(sandbox.writes)
    done = small_world.call("apply", "--yes")
    assert done.code == 1
    assert done.out.count("answers a stranger") == 2
    assert [method for method, _ in sandbox.writes[before:]] == ["POST", "DELETE"] * 2
    assert small_world.npm.visit(domain("one"))[0] == 401


def test_a_swap_with_one_bad_entry_leaves_both_sites_where_they_are(
    small_world: World, services: list[DemoService]
) -> None:
    one, two, _ = services
    small_world.write({"one": {"upstream": one.url}, "two": {"upstream": two.url}})
    small_world.apply()
    small_world.write(
        {
            "one": {"domains": [domain("two")], "upstream": one.url},
            "two": {
                "domains": [domain("one")],
                "upstream": two.url,
                "advanced_config": "nonsense on;",
            },
        }
    )
    assert small_world.call("apply", "--yes").code == 1
    for name in ("one", "two"):
        assert name in small_world.npm.visit(domain(name))[1]


def test_a_bad_new_entry_takes_no_domain_away(
    small_world: World, services: list[DemoService]
) -> None:
    one, two, _ = services
    small_world.write({"one": {"domains": [domain("one"), domain("shared")], "upstream": one.url}})
    small_world.apply()
    small_world.write(
        {
            "one": {"upstream": one.url},
            "new": {
                "domains": [domain("shared")],
                "upstream": two.url,
                "advanced_config": "nonsense on;",
            },
        }
    )
    assert small_world.call("apply", "--yes").code == 1
    assert "one" in small_world.npm.visit(domain("shared"))[1]


def test_a_host_that_was_disabled_by_a_put_is_taken_down(
    small_world: World, services: list[DemoService]
) -> None:
    small_world.write({"one": {"upstream": services[0].url}})
    small_world.apply()
    host = small_world.npm.host("one")
    small_world.npm.call("PUT", f"/nginx/proxy-hosts/{host['id']}", {"enabled": False})
    assert "one" in small_world.npm.visit(domain("one"))[1]
    small_world.write({"one": {"upstream": services[0].url, "enabled": False}})
    small_world.apply()
    assert "one" not in small_world.npm.visit(domain("one"))[1]
    small_world.assert_in_sync()


@pytest.mark.usefixtures("impatient")
def test_a_site_may_move_to_a_host_that_asks_for_a_password(
    small_world: World, services: list[DemoService]
) -> None:
    """While it moves its old host still answers strangers, and that is no fault of the new one."""
    one, two, _ = services
    sandbox = small_world.npm.sandbox
    assert sandbox is not None
    sandbox.add_access_list("staff", items=[{"username": "anna", "password": "pw"}])
    settings = {"verify": {"url": small_world.npm.sites_url}}
    both = {"domains": [domain("one"), domain("moved")], "upstream": one.url}
    small_world.write({"one": both}, settings=settings)
    small_world.apply()
    taker = {"domains": [domain("moved")], "upstream": two.url, "access_list": "staff"}
    small_world.write({"one": {"upstream": one.url}, "taker": taker}, settings=settings)
    small_world.apply()
    assert small_world.npm.visit(domain("moved"))[0] == 401
    small_world.assert_in_sync()


def test_a_site_whose_new_host_npm_refuses_stays_with_its_old_one(
    small_world: World, services: list[DemoService]
) -> None:
    one, two, _ = services
    both = {"domains": [domain("one"), domain("moved")], "upstream": one.url}
    small_world.write({"one": both})
    small_world.apply()
    small_world.write(
        {
            "one": {"upstream": one.url},
            "taker": {"domains": [domain("moved")], "upstream": two.url},
        }
    )
    with FaultProxy(small_world.npm.url) as proxy:
        proxy.inject(Fault.STATUS_400, method="POST", path="/nginx/proxy-hosts")
        small_world.env["PROXYSYNC_NPM_URL"] = proxy.url
        done = small_world.call("apply", "--yes")
        assert done.code == 1
        assert "keeps moved" in done.out
        assert small_world.npm.host("one")["domain_names"] == sorted(both["domains"])
        assert "one" in small_world.npm.visit(domain("moved"))[1]
        small_world.apply()
        small_world.assert_in_sync()
    assert "two" in small_world.npm.visit(domain("moved"))[1]


def test_a_disabled_site_may_come_back_before_its_service_does(
    small_world: World, services: list[DemoService]
) -> None:
    settings = {"verify": {"url": small_world.npm.sites_url}, "validation": {"mode": "off"}}
    small_world.write({"one": {"upstream": services[0].url, "enabled": False}}, settings=settings)
    small_world.apply()
    services[0].stop()
    small_world.write({"one": {"upstream": services[0].url}}, settings=settings)
    small_world.apply()
    assert small_world.npm.host("one")["enabled"]
    small_world.assert_in_sync()


def test_a_refused_entry_is_tried_again_once_what_it_refers_to_is_another(
    small_world: World, services: list[DemoService]
) -> None:
    sandbox = small_world.npm.sandbox
    assert sandbox is not None
    bad = [{"address": "999.1.1.1", "directive": "deny"}]
    number = sandbox.add_access_list("lan", clients=bad)
    small_world.write({"one": {"upstream": services[0].url}})
    small_world.apply()
    small_world.write({"one": {"upstream": services[0].url, "access_list": "lan"}})
    for _ in range(2):
        done = small_world.call("apply", "--yes")
        assert done.code == 1
        assert "999.1.1.1" in done.out
    writes = len(sandbox.writes)
    good = {"name": "lan", "clients": [{"address": "127.0.0.0/8", "directive": "allow"}]}
    small_world.npm.call("PUT", f"/nginx/access-lists/{number}", good)
    small_world.apply()
    assert len(sandbox.writes) > writes + 1
    small_world.assert_in_sync()
