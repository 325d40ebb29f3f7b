"""Giving hosts back to whoever looks after them in NPM."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from proxysync.demo.services import DemoService
from tests.world import HOSTS, SUFFIX, World, domain

SECTIONS: dict[str, tuple[str, dict[str, Any]]] = {
    "redirections": ("redirection-hosts", {"domains": [domain("x")], "to": "https://a.example"}),
    "not_found_hosts": ("dead-hosts", {"domains": [domain("x")]}),
    "streams": ("streams", {"listen": 47113, "upstream": "127.0.0.1:9"}),
}
"""Their collection in NPM, and an entry."""

LISTS = "/nginx/access-lists?expand=items,clients"
UNCHECKED = {"settings": {"validation": {"mode": "off"}}}


def rest_of(row: dict[str, Any]) -> dict[str, Any]:
    """All of a row of NPM but our marker and what each write changes."""
    meta = {k: v for k, v in row["meta"].items() if k != "proxysync"}
    return {**{k: v for k, v in row.items() if k != "modified_on"}, "meta": meta}


@contextmanager
def visited(world: World, name: str) -> Iterator[set[str]]:
    """What visitors get all the while."""
    seen, stop = set[str](), threading.Event()

    def visit() -> None:
        while not stop.is_set():
            seen.add(world.npm.visit(domain(name))[1].strip())

    visitor = threading.Thread(target=visit)
    visitor.start()
    try:
        yield seen
    finally:
        stop.set()
        visitor.join()


def test_a_host_is_given_back_as_it_is_and_stays_when_its_entry_goes(
    world: World, services: list[DemoService]
) -> None:
    one, two, _ = services
    world.write({"one": {"upstream": one.url}, "two": {"upstream": two.url}})
    world.apply()
    row = world.npm.host("one")
    world.npm.call("PUT", f"{HOSTS}/{row['id']}", {"meta": {**row["meta"], "letter": "kept"}})
    before = rest_of(world.npm.host("one"))

    with visited(world, "one") as seen:
        done = world.run("release", "one", "--yes")
    assert done.code == 0, done.out + done.err
    assert seen == {one.text}
    (after,) = (r for r in world.npm.hosts() if r["id"] == row["id"])
    assert (rest_of(after), "proxysync" in after["meta"]) == (before, False)
    assert after["meta"]["letter"] == "kept"
    assert "proxies.one (" in done.out
    assert f"{world.file}:3:" in done.out or "proxies.yaml:" in done.out

    left = world.call("plan")
    assert "proxysync adopt one" in left.out
    world.write({"two": {"upstream": two.url}})
    world.apply()
    world.assert_in_sync()
    assert rest_of(next(r for r in world.npm.hosts() if r["id"] == row["id"])) == before
    assert world.event_names(name="one")[-1] == "proxy.released"
    (run, *_) = world.call("history", "--format", "json").json["runs"]
    assert (run["why"], run["outcome"]) == ("release", "done")
    assert [(c["action"], c["name"], c["outcome"]) for c in run["changes"]] == [
        ("release", "one", "done")
    ]


def test_a_host_whose_entry_has_left_the_file_is_not_deleted_then(
    small_world: World, services: list[DemoService]
) -> None:
    one, two, _ = services
    small_world.write({"one": {"upstream": one.url}, "two": {"upstream": two.url}})
    small_world.apply()
    small_world.write({"two": {"upstream": two.url}})
    done = small_world.call("release", "one", "--yes", "--format", "json")
    assert (done.code, done.json["ok"], done.json["entries"]) == (0, True, [])
    assert [c["action"] for c in done.json["plan"]["changes"]] == ["release"]
    assert [(o["name"], o["result"]) for o in done.json["outcomes"]] == [("one", "done")]
    small_world.apply()
    assert len(small_world.npm.hosts()) == 2


def test_what_was_taken_over_as_it_is_is_given_back_without_a_write(small_world: World) -> None:
    sandbox = small_world.npm.sandbox
    assert sandbox is not None
    small_world.npm.add_host(domain("one"), port=7)
    small_world.write({"one": {"upstream": "http://127.0.0.1:7"}})
    assert small_world.call("adopt", "one", "--yes").code == 0
    sandbox.requests.clear()
    assert small_world.call("release", "one", "--yes").code == 0
    assert {method for method, path in sandbox.requests if path != "/tokens"} == {"GET"}
    assert [c["action"] for c in small_world.plan()["changes"]] == ["conflict"]


@pytest.mark.parametrize("enabled", [True, False], ids=["on", "off"])
@pytest.mark.parametrize("section", SECTIONS)
def test_hosts_of_all_kinds_are_given_back(
    world: World, services: list[DemoService], section: str, *, enabled: bool
) -> None:
    collection, entry = SECTIONS[section]
    stays = {"stays": {"upstream": services[0].url}}
    world.write(stays, **{section: {"x": {**entry, "enabled": enabled}}}, **UNCHECKED)
    world.apply()
    (before,) = ours(world, collection)
    done = world.call("release", "x", "--yes")
    assert done.code == 0, done.out + done.err
    (after,) = ours(world, collection)
    assert rest_of(after) == rest_of(before)
    assert ("proxysync" in after["meta"]) is (section == "not_found_hosts"), "NPM keeps it there"

    assert [c["action"] for c in world.plan()["changes"]] == ["conflict"]
    world.write(stays, **UNCHECKED)
    world.apply("--delete-orphans")
    world.assert_in_sync()
    assert rest_of(ours(world, collection)[0]) == rest_of(before)

    world.write(stays, **{section: {"x": {**entry, "enabled": enabled}}}, **UNCHECKED)
    assert world.call("adopt", "x", "--yes").code == 0
    world.assert_in_sync()
    assert world.call("status", "x").code == 0


def test_a_list_that_is_given_back_is_not_taken_for_its_likeness(
    world: World, services: list[DemoService]
) -> None:
    family = f"family.{SUFFIX}"
    lists = {"access_lists": {family: {"rules": [{"allow": "127.0.0.1"}]}}}
    site = {"one": {"upstream": services[0].url, "access_list": family}}
    world.write(site, **lists, **UNCHECKED)
    world.apply()
    before = [row for row in world.npm.call("GET", LISTS) if row["name"] == family]
    assert world.call("release", family, "--yes").code == 0
    assert {c["name"]: c["action"] for c in world.plan()["changes"]}[family] == "conflict"
    world.write(site, **UNCHECKED)
    world.apply()
    world.assert_in_sync()
    assert [row for row in world.npm.call("GET", LISTS) if row["name"] == family] == before
    world.write(site, **lists, **UNCHECKED)
    assert world.call("adopt", family, "--yes").code == 0
    world.assert_in_sync()


def ours(world: World, collection: str) -> list[dict[str, Any]]:
    rows = world.npm.call("GET", f"/nginx/{collection}")
    own = {domain("x"), 47113}
    return [r for r in rows if own & {r.get("incoming_port"), *r.get("domain_names", ())}]


def test_what_nginx_refuses_is_given_back_as_it_is(
    small_world: World, services: list[DemoService]
) -> None:
    one, *_ = services
    small_world.write({"one": {"upstream": one.url}, "two": {"upstream": one.url}})
    small_world.apply()
    row = small_world.npm.host("one")
    bad = {"advanced_config": "no_such_directive on;"}
    small_world.npm.call("PUT", f"{HOSTS}/{row['id']}", bad)
    assert small_world.call("release", "one", "--yes").code == 0
    after = next(r for r in small_world.npm.hosts() if r["id"] == row["id"])
    assert ("proxysync" in after["meta"], after["advanced_config"]) == (False, *bad.values())
    assert len(small_world.npm.hosts()) == 2


def test_a_site_that_its_list_protects_no_more_is_not_opened_by_it(
    small_world: World, services: list[DemoService]
) -> None:
    payload = {
        "name": domain("lan"),
        "items": [{"username": "a", "password": "secret-word"}],
        "clients": [],
    }
    access = small_world.npm.call("POST", "/nginx/access-lists", payload)
    small_world.write({"one": {"upstream": services[0].url, "access_list": domain("lan")}})
    small_world.apply()
    assert small_world.npm.sandbox is not None
    del small_world.npm.sandbox._store.access_lists._rows[access["id"]]
    done = small_world.call("release", "one", "--yes")
    assert (done.code, "would be open" in done.out) == (1, True)
    assert small_world.npm.host("one")["access_list_id"] == access["id"]


def test_what_is_no_host_of_ours_is_said_to_be_none(
    small_world: World, services: list[DemoService]
) -> None:
    theirs = small_world.npm.add_host(domain("theirs"))
    small_world.write({"theirs": {"upstream": services[0].url}})
    done = small_world.call("release", "theirs", "--yes")
    assert (done.code, done.out.startswith("Nothing to release for theirs")) == (0, True)
    unknown = small_world.call("release", "nobody", "--yes")
    assert (unknown.code, "named nobody" in unknown.err) == (1, True)
    assert [row["id"] for row in small_world.npm.hosts()] == [theirs["id"]]


@pytest.mark.parametrize(("answer", "code"), [("y\n", 0), ("n\n", 1)])
def test_a_person_is_shown_it_and_asked_first(
    small_world: World,
    services: list[DemoService],
    answer: str,
    code: int,
) -> None:
    small_world.write({"one": {"upstream": services[0].url}})
    small_world.apply()
    done = small_world.call("release", "one", typed=answer)
    assert (done.code, "< one #1" in done.out, "[y/N]" in done.err) == (code, True, True)
    assert ("proxysync" in small_world.npm.hosts()[0]["meta"]) is (code == 1)
