"""Redirections and not-found hosts: all that happens to a proxy happens to them, and between them.

On the sandbox and, marked `live`, on a real NPM.
"""

import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests

from proxysync.demo.services import DemoService
from tests.world import World, domain

COLLECTIONS = {
    "proxies": "proxy-hosts",
    "redirections": "redirection-hosts",
    "not_found_hosts": "dead-hosts",
}
ENTRIES: dict[str, dict[str, Any]] = {
    "redirections": {"to": "https://elsewhere.example.com/new", "code": 301},
    "not_found_hosts": {},
}


def save(world: World, **sections: dict[str, dict[str, Any]]) -> None:
    """A file with these sections; a domain is made from a name where an entry has none."""
    full = {
        section: {name: {"domains": [domain(name)], **entry} for name, entry in entries.items()}
        for section, entries in sections.items()
    }
    world.write(full.pop("proxies", {}), **full)


def row(world: World, section: str, name: str) -> dict[str, Any]:
    """NPM's one row that serves this name's domain."""
    rows = world.npm.call("GET", f"/nginx/{COLLECTIONS[section]}")
    (found,) = [r for r in rows if domain(name) in r["domain_names"]]
    return dict(found)


def rows(world: World, section: str) -> list[dict[str, Any]]:
    found = world.npm.call("GET", f"/nginx/{COLLECTIONS[section]}")
    return [
        r for r in found if any(d.endswith(".proxysync-test.example") for d in r["domain_names"])
    ]


def location(world: World, name: str) -> tuple[int, str]:
    answer = requests.get(
        world.npm.sites_url + "/old?x=1",
        headers={"Host": domain(name)},
        timeout=10,
        allow_redirects=False,
    )
    return answer.status_code, answer.headers.get("Location", "")


def test_a_redirection_is_made_changed_disabled_and_deleted(world: World) -> None:
    entry = {"to": "https://blog.example.com/new", "code": 301}
    save(world, redirections={"old": entry})
    world.apply()
    assert location(world, "old") == (301, "https://blog.example.com/new")
    world.assert_in_sync()

    auto = not (2, 12, 0) <= world.npm.version < (2, 13, 3)
    to = "b.example.com" if auto else "http://b.example.com"
    save(world, redirections={"old": {"to": to, "code": 308, "preserve_path": True}})
    world.apply()
    assert location(world, "old") == (308, "http://b.example.com/old?x=1")
    before = row(world, "redirections", "old")
    world.assert_in_sync()

    save(world, redirections={"old": {**entry, "enabled": False}})
    world.apply("--max-delete", "100%")
    assert not row(world, "redirections", "old")["enabled"]
    assert location(world, "old")[0] != 301
    world.assert_in_sync()

    save(world, redirections={"renamed": {**entry, "domains": [domain("old")]}})
    world.apply()
    after = row(world, "redirections", "old")
    assert (after["id"], after["meta"]["proxysync"]["name"]) == (before["id"], "renamed")
    assert location(world, "old") == (301, "https://blog.example.com/new")
    world.assert_in_sync()

    save(world, redirections={})
    world.apply("--max-delete", "100%")
    assert rows(world, "redirections") == []


def test_a_not_found_host_is_made_changed_disabled_renamed_and_deleted(world: World) -> None:
    save(world, not_found_hosts={"parked": {}})
    world.apply()
    assert world.npm.visit(domain("parked"))[0] == 404
    before = row(world, "not_found_hosts", "parked")
    world.assert_in_sync()

    both = {"domains": [domain("parked"), domain("second")]}
    save(world, not_found_hosts={"parked": {**both, "advanced_config": "add_header X-A b;"}})
    world.apply()
    assert [world.npm.visit(domain(n))[0] for n in ("parked", "second")] == [404, 404]
    world.assert_in_sync()

    save(world, not_found_hosts={"renamed": both})
    world.apply()
    assert row(world, "not_found_hosts", "parked")["id"] == before["id"]
    world.assert_in_sync()

    save(world, not_found_hosts={"renamed": {**both, "enabled": False}})
    world.apply("--max-delete", "100%")
    assert not row(world, "not_found_hosts", "parked")["enabled"]
    world.assert_in_sync()
    save(world, not_found_hosts={"renamed": both})
    world.apply()
    assert row(world, "not_found_hosts", "parked")["enabled"]
    assert world.npm.visit(domain("second"))[0] == 404
    world.assert_in_sync()

    save(world, not_found_hosts={})
    world.apply("--max-delete", "100%")
    assert rows(world, "not_found_hosts") == []


@pytest.mark.parametrize("section", ["redirections", "not_found_hosts"])
def test_what_nginx_refuses_is_put_back_and_stops_nobody(
    world: World, services: list[DemoService], section: str
) -> None:
    good = {"one": ENTRIES[section]}
    save(world, **{section: good})
    world.apply()
    before = row(world, section, "one")
    bad = {"one": {**ENTRIES[section], "advanced_config": "no_such_thing on;"}}
    proxies = {"fine": {"upstream": services[0].url}}
    save(world, **{section: bad}, proxies=proxies)
    done = world.call("apply", "--yes")
    assert done.code == 1
    assert "no_such_thing" in done.out
    after = row(world, section, "one")
    assert (after["advanced_config"], after["meta"]["nginx_online"]) == ("", True)
    assert after["id"] == before["id"]
    assert world.npm.host("fine")["meta"]["nginx_online"]


@contextmanager
def polled(world: World, name: str) -> Iterator[list[int]]:
    """The statuses that a visitor gets who comes every 20 ms."""
    seen: list[int] = []
    stop = threading.Event()

    def visit() -> None:
        while not stop.is_set():
            seen.append(world.npm.visit(domain(name))[0])
            time.sleep(0.02)

    visitor = threading.Thread(target=visit)
    visitor.start()
    try:
        yield seen
    finally:
        stop.set()
        visitor.join()


@pytest.mark.parametrize("section", ["redirections", "not_found_hosts"])
def test_a_domain_moves_from_a_proxy_and_back_without_a_gap(
    world: World, services: list[DemoService], section: str
) -> None:
    proxy = {"site": {"upstream": services[0].url}, "other": {"upstream": services[1].url}}
    other = {"other": proxy["other"]}
    save(world, proxies=proxy)
    world.apply()
    assert world.npm.visit(domain("site"))[0] == 200
    answers = {200, 301 if section == "redirections" else 404}
    with polled(world, "site") as seen:
        save(world, **{section: {"site": ENTRIES[section]}}, proxies=other)
        world.apply()
        assert world.npm.visit(domain("site"))[0] != 200
        assert [len(rows(world, s)) for s in ("proxies", section)] == [1, 1]
        world.assert_in_sync()
        save(world, proxies=proxy)
        world.apply()
        assert world.npm.visit(domain("site"))[0] == 200
        world.assert_in_sync()
    assert set(seen) <= answers, sorted(set(seen))
    assert [len(rows(world, s)) for s in ("proxies", section)] == [2, 0]


def test_two_entries_of_different_kinds_may_have_one_name(
    world: World, services: list[DemoService]
) -> None:
    save(
        world,
        proxies={"one": {"upstream": services[0].url}},
        redirections={"one": {**ENTRIES["redirections"], "domains": [domain("r")]}},
        not_found_hosts={"one": {"domains": [domain("n")]}},
    )
    world.apply()
    statuses = [world.npm.visit(domain(name))[0] for name in ("one", "r", "n")]
    assert statuses == [200, 301, 404]
    world.assert_in_sync()
    proxies = world.call("status", "--format", "json").json["proxies"]
    assert {(p["kind"], p["sync"]) for p in proxies} == {
        ("proxy", "in sync"),
        ("redirection", "in sync"),
        ("not_found_host", "in sync"),
    }


@pytest.mark.parametrize("section", ["redirections", "not_found_hosts"])
def test_a_foreign_one_is_left_alone_until_it_is_adopted(world: World, section: str) -> None:
    fields: dict[str, Any] = {"domain_names": [domain("one")]}
    if section == "redirections":
        fields |= {
            "forward_scheme": "http",
            "forward_http_code": 302,
            "forward_domain_name": "theirs.example.com",
        }
    theirs = world.npm.call("POST", f"/nginx/{COLLECTIONS[section]}", fields)
    save(world, **{section: {"one": ENTRIES[section]}})
    done = world.call("apply", "--yes")
    assert done.code == 1
    assert "proxysync adopt one" in done.out
    assert world.call("adopt", "one", "--yes").code == 0
    assert row(world, section, "one")["id"] == theirs["id"]
    world.apply()
    world.assert_in_sync()


@pytest.mark.parametrize("section", ["redirections", "not_found_hosts"])
def test_a_state_that_was_lost_takes_nothing_down(world: World, section: str) -> None:
    save(world, **{section: {"one": ENTRIES[section], "two": ENTRIES[section]}})
    world.apply()
    before = {r["id"] for r in rows(world, section)}
    for path in world.state.iterdir():
        path.unlink()
    world.apply()
    world.assert_in_sync()
    assert {r["id"] for r in rows(world, section)} == before


@pytest.mark.parametrize("section", ["redirections", "not_found_hosts"])
def test_a_renamed_one_stays_the_same_host_when_another_gets_its_old_name(
    world: World, section: str
) -> None:
    """Also where NPM keeps the marker that a host was made with, as it does with 404 hosts."""
    first = {**ENTRIES[section], "domains": [domain("first")]}
    save(world, **{section: {"old": first}})
    world.apply()
    before = row(world, section, "first")["id"]
    save(world, **{section: {"new": first}})
    world.apply()
    save(world, **{section: {"new": first, "old": ENTRIES[section]}})
    plan = world.plan()
    assert [(c["action"], c["name"]) for c in plan["changes"]] == [("create", "old")]
    world.apply()
    world.assert_in_sync()
    assert row(world, section, "first")["id"] == before
    shown = world.call("status", "--format", "json").json["proxies"]
    assert {(p["name"], p["npm_id"]) for p in shown} == {
        ("new", before),
        ("old", row(world, section, "old")["id"]),
    }


def test_rollback_brings_a_deleted_redirection_back(world: World) -> None:
    save(world, redirections={"one": ENTRIES["redirections"], "two": ENTRIES["redirections"]})
    world.apply()
    save(world, redirections={"one": ENTRIES["redirections"]})
    world.apply()
    assert len(rows(world, "redirections")) == 1
    done = world.call("rollback", "--yes")
    assert done.code == 0, done.out + done.err
    assert len(rows(world, "redirections")) == 2
    assert location(world, "two")[0] == 301


@pytest.mark.parametrize("npm", [pytest.param("real", marks=pytest.mark.live)], indirect=True)
def test_a_not_found_host_that_changes_keeps_its_https(world: World) -> None:
    """Since 2.13 NPM forgets the certificate of a 404 host with each write to it."""
    world.npm.add_certificate(domain("pair"), domain("parked"))
    entry = {"certificate": domain("pair")}
    save(world, not_found_hosts={"parked": entry})
    world.apply()
    assert has_https(world, "parked")
    both = {**entry, "domains": [domain("parked"), domain("second")]}
    save(world, not_found_hosts={"parked": both})
    world.apply()
    assert row(world, "not_found_hosts", "second")["enabled"]
    assert has_https(world, "parked")
    assert world.npm.visit(domain("second"))[0] == 404
    world.assert_in_sync()


def has_https(world: World, name: str) -> bool:
    """Whether nginx completes a handshake for this name."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        with (
            socket.create_connection(
                (urlsplit(world.npm.sites_url).hostname or "", 443), timeout=5
            ) as plain,
            context.wrap_socket(plain, server_hostname=domain(name)) as secure,
        ):
            return secure.getpeercert(binary_form=True) is not None
    except OSError:
        return False
