"""Access lists as a whole: who gets in is what the file says, and no site ever stands open.

On the sandbox and, marked `live`, on a real NPM.
"""

import json
import shutil
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests

from proxysync.apply import under_way
from proxysync.demo.services import DemoService
from tests.faults import FaultProxy
from tests.signals import signal_at
from tests.world import SUFFIX, World, domain

LISTS = "/nginx/access-lists"
ALICE, BOB, OTHER = "alices-secret-1", "bobs-secret-22", "alices-secret-9"
SECRETS = {"PROXYSYNC_SECRET_ALICE": ALICE, "PROXYSYNC_SECRET_BOB": BOB}
FAMILY = f"family.{SUFFIX}"
USERS = {"alice": "${ALICE}", "bob": "${BOB}"}

pytestmark = pytest.mark.timeout(300)


@pytest.fixture
def house(world: World) -> Iterator[World]:
    world.env.update(SECRETS)
    yield world
    assert_no_password(world)


def assert_no_password(world: World) -> None:
    """What is written down says nothing of a password."""
    texts = [path.read_text() for path in world.state.glob("events.jsonl*")]
    log = world.folder / "daemon.log"
    texts += [log.read_text()] if log.exists() else []
    for word in (ALICE, BOB, OTHER):
        assert not any(word in text for text in texts)


def save(world: World, service: DemoService, lists: dict[str, Any], **fields: Any) -> None:
    world.write(
        {"one": {"upstream": service.url, "access_list": FAMILY, **fields}},
        access_lists=lists,
        settings={"verify": {"url": world.npm.sites_url}},
    )


def rows(world: World) -> list[dict[str, Any]]:
    found = world.npm.call("GET", f"{LISTS}?expand=items,clients")
    return [row for row in found if row["name"].endswith(SUFFIX)]


def row(world: World) -> dict[str, Any]:
    (found,) = rows(world)
    return found


def add_list(world: World, name: str = FAMILY, **fields: Any) -> dict[str, Any]:
    """A list that somebody made by hand."""
    body = {"name": name, "items": [], "clients": [], **fields}
    return dict(world.npm.call("POST", LISTS, body))


def enter(world: World, user: str | None = None, password: str = "", name: str = "one") -> int:
    """The status that a visitor gets, with a password or without."""
    session = requests.Session()
    session.trust_env = False
    host = {"Host": domain(name), "Connection": "close"}
    auth = (user, password) if user else None
    return session.get(world.npm.sites_url, headers=host, auth=auth, timeout=10).status_code


def test_made_changed_renamed_and_deleted(house: World, services: list[DemoService]) -> None:
    world, one = house, services[0]
    save(world, one, {FAMILY: {"users": USERS, "satisfy": "any"}})
    plan = world.plan()
    assert [(c["action"], c["kind"]) for c in plan["changes"]] == [
        ("create", "access_list"),
        ("create", "proxy"),
    ]
    assert ALICE not in json.dumps(plan)
    world.apply()
    assert (enter(world), enter(world, "alice", ALICE), enter(world, "bob", BOB)) == (401, 200, 200)
    assert enter(world, "alice", BOB) == 401
    world.assert_in_sync()
    made = row(world)

    save(world, one, {FAMILY: {"users": {"bob": "${BOB}"}, "satisfy": "any", "pass_auth": False}})
    world.apply()
    assert (enter(world, "alice", ALICE), enter(world, "bob", BOB)) == (401, 200)
    assert not row(world)["pass_auth"]
    world.assert_in_sync()

    rules = [{"deny": "127.0.0.1"}, {"allow": "all"}]
    save(world, one, {FAMILY: {"rules": rules}})
    world.apply()
    assert enter(world) == 403
    assert [c["directive"] for c in row(world)["clients"]] == ["deny", "allow"]
    world.assert_in_sync()
    save(world, one, {FAMILY: {"rules": rules[::-1]}})
    world.apply()
    assert enter(world) == 200

    save(world, one, {"lan": {"name": FAMILY, "rules": rules}}, access_list="lan")
    world.apply()
    assert (row(world)["id"], enter(world)) == (made["id"], 403)
    world.assert_in_sync()

    save(world, one, {}, access_list="none")
    world.apply("--max-delete", "100%")
    assert rows(world) == []
    assert enter(world) == 200
    world.assert_in_sync()


def test_a_site_that_is_there_gets_a_list_made_with_it(
    house: World, services: list[DemoService]
) -> None:
    """Also where its own configuration is tried first, or its domain comes from another entry."""
    world, upstream = house, {"upstream": services[0].url}
    settings = {"verify": {"url": world.npm.sites_url}}
    world.write({"one": upstream, "two": upstream}, settings=settings)
    world.apply()
    save(
        world,
        services[0],
        {FAMILY: {"users": USERS, "satisfy": "any"}},
        advanced_config="client_max_body_size 9m;",
        domains=[domain("one"), domain("two")],
    )
    world.apply("--max-delete", "100%")
    assert [enter(world, name=name) for name in ("one", "two")] == [401, 401]
    assert enter(world, "alice", ALICE, name="two") == 200
    world.assert_in_sync()


def test_a_list_and_its_hosts_change_in_one_run(house: World, services: list[DemoService]) -> None:
    """What is asked for behind the list is what its hosts are by then."""
    world, one = house, services[0]
    lists = {FAMILY: {"users": USERS, "satisfy": "any"}}
    save(world, one, lists, domains=[domain("one"), domain("old")])
    world.apply()
    lists = {FAMILY: {"users": {"alice": "${ALICE}"}, "satisfy": "any"}}
    save(world, one, lists, domains=[domain("one"), domain("new")])
    world.apply()
    world.assert_in_sync()
    assert [enter(world, name=name) for name in ("one", "new")] == [401, 401]

    open_now: dict[str, Any] = {"access_list": "none"}
    lists[FAMILY]["users"] = USERS
    save(world, one, lists, **open_now)
    world.apply()
    assert enter(world) == 200
    world.assert_in_sync()

    save(world, one, lists)
    world.apply()
    lists[FAMILY]["users"] = {"bob": "${BOB}"}
    save(world, one, lists, enabled=False)
    world.apply("--max-delete", "100%")
    world.assert_in_sync()


def test_a_changed_password_is_written_and_no_other(
    house: World, services: list[DemoService]
) -> None:
    world, one = house, services[0]
    save(world, one, {FAMILY: {"users": USERS, "satisfy": "any"}})
    world.apply()
    world.env["PROXYSYNC_SECRET_ALICE"] = OTHER
    change = world.plan()["changes"][0]
    assert (change["name"], change["reason"]) == (
        FAMILY,
        "the password of alice is another one",
    )
    world.apply()
    assert (enter(world, "alice", ALICE), enter(world, "alice", OTHER)) == (401, 200)
    assert enter(world, "bob", BOB) == 200
    world.assert_in_sync()

    shutil.rmtree(world.state)  # and what NPM tells of the passwords has to do
    world.assert_in_sync()
    world.apply()
    world.assert_in_sync()
    world.env["PROXYSYNC_SECRET_ALICE"] = ALICE  # of the same length, with the same first letter
    assert world.plan()["changes"] != []
    world.apply()
    assert enter(world, "alice", ALICE) == 200


def test_a_password_that_is_not_given_stays_as_it_is(
    house: World, services: list[DemoService]
) -> None:
    world, one = house, services[0]
    made = add_list(
        world, satisfy_any=True, items=[{"username": "mum", "password": "mums-own-one"}]
    )
    save(world, one, {FAMILY: {"users": ["mum"], "satisfy": "any"}})
    world.apply()
    assert row(world)["id"] == made["id"]  # the same name and content
    assert enter(world, "mum", "mums-own-one") == 200

    users = {"mum": "keep", "bob": "${BOB}"}
    save(world, one, {FAMILY: {"users": users, "satisfy": "any"}})
    world.apply()
    assert (enter(world, "mum", "mums-own-one"), enter(world, "bob", BOB)) == (200, 200)
    world.assert_in_sync()

    save(world, one, {FAMILY: {"users": ["mum", "bob", "dad"], "satisfy": "any"}})
    done = world.call("plan", "--format", "json")
    (change,) = done.json["changes"]
    assert change["action"] == "conflict"
    assert "NPM has no password for dad" in change["reason"]


def test_a_list_that_differs_is_a_conflict_until_it_is_adopted(
    house: World, services: list[DemoService]
) -> None:
    world, one = house, services[0]
    made = add_list(world, clients=[{"address": "10.0.0.0/8", "directive": "allow"}])
    save(world, one, {FAMILY: {"rules": [{"allow": "127.0.0.1"}]}})
    plan = {change["kind"]: change for change in world.plan()["changes"]}
    assert plan["access_list"]["action"] == "conflict"
    assert f"access list #{made['id']}" in plan["access_list"]["reason"]
    assert plan["proxy"]["held"]["kind"] == "waiting"
    assert f'needs the access list "{FAMILY}"' in plan["proxy"]["held"]["reason"]
    assert world.call("apply", "--yes").code == 1
    assert world.npm.hosts() == []  # nothing is served without it

    done = world.call("adopt", FAMILY, "--yes")
    assert done.code == 0, done.out + done.err
    assert [c["address"] for c in row(world)["clients"]] == ["127.0.0.1"]
    world.apply()
    assert enter(world) == 200
    world.assert_in_sync()


def test_a_list_that_others_use_is_not_deleted(house: World, services: list[DemoService]) -> None:
    world, one = house, services[0]
    save(world, one, {FAMILY: {"users": {"bob": "${BOB}"}, "satisfy": "any"}})
    world.apply()
    port = urlsplit(one.url).port or 0
    world.npm.add_host(domain("theirs"), port=port, access_list_id=row(world)["id"])
    save(world, one, {}, access_list="none")
    (update, conflict) = world.plan()["changes"]
    assert (update["action"], conflict["action"]) == ("update", "conflict")
    assert domain("theirs") in conflict["reason"]
    assert world.call("apply", "--yes", "--max-delete", "100%").code == 1
    assert (enter(world), enter(world, name="theirs")) == (200, 401)
    assert len(rows(world)) == 1


def test_a_hand_that_takes_a_list_before_it_is_deleted_keeps_it(
    house: World, services: list[DemoService]
) -> None:
    world, one = house, services[0]
    lists = {FAMILY: {"users": {"bob": "${BOB}"}, "satisfy": "any"}}
    save(world, one, lists)
    world.apply()
    save(world, one, {}, access_list="none")
    port = urlsplit(one.url).port or 0

    def take(_number: int, method: str, path: str, phase: str) -> None:
        if (method, phase) == ("PUT", "after") and path.startswith("/nginx/proxy-hosts/"):
            world.npm.add_host(domain("theirs"), port=port, access_list_id=row(world)["id"])

    with FaultProxy(world.npm.url) as proxy:
        proxy.on_request = take
        world.env["PROXYSYNC_NPM_URL"] = proxy.url
        done = world.call("apply", "--yes", "--max-delete", "100%")
    assert done.code == 1
    assert "uses it by now" in done.out + done.err
    assert enter(world, name="theirs") == 401


def test_what_gets_a_new_list_is_tried_on_a_host_that_lets_nobody_in(
    house: World, services: list[DemoService]
) -> None:
    """The list is only made once all that is risky was tried: until then nothing protects it."""
    world, (one, two, *_) = house, services
    world.write({"two": {"upstream": two.url, "domains": [domain("one"), domain("two")]}})
    world.apply()
    seen: list[str] = []

    def look(_number: int, method: str, path: str, phase: str) -> None:
        if (method, path, phase) == ("POST", "/nginx/proxy-hosts", "after"):
            hosts = world.npm.call("GET", "/nginx/proxy-hosts")
            names = [name for host in hosts for name in host["domain_names"]]
            seen.extend(world.npm.ask(n) for n in names if n.startswith("canary-"))

    world.write(
        {
            "one": {"upstream": one.url, "access_list": FAMILY},
            "two": {"upstream": one.url, "access_list": FAMILY},
        },
        access_lists={FAMILY: {"users": USERS}},
    )
    with FaultProxy(world.npm.url) as proxy:
        proxy.on_request = look
        world.env["PROXYSYNC_NPM_URL"] = proxy.url
        world.apply()
    assert len(seen) == 2
    assert not any(one.text in text for text in seen)
    assert (enter(world), enter(world, name="two")) == (401, 401)


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize(("method", "path"), [("POST", LISTS), ("PUT", rf"{LISTS}/\d+")])
def test_killed_at_its_write_it_converges(
    house: World,
    services: list[DemoService],
    when: str,
    method: str,
    path: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(under_way, "LONGEST_WRITE", 0.0)  # the request goes no further
    world, one = house, services[0]
    if method == "PUT":
        save(world, one, {FAMILY: {"rules": [{"allow": "all"}]}})
        world.apply()
    save(world, one, {FAMILY: {"users": USERS, "satisfy": "any"}})
    signal_at(world, "apply", "--yes", method=method, path=path, phase=when)
    world.apply()
    assert (enter(world), enter(world, "alice", ALICE)) == (401, 200)
    assert len(rows(world)) == 1
    world.assert_in_sync()


def test_what_the_file_may_not_say(house: World, services: list[DemoService]) -> None:
    world, one = house, services[0]
    bad: list[tuple[dict[str, Any], str]] = [
        ({"users": {"alice": "in-clear-text"}}, "must come from a secret variable"),
        ({"rules": [{"allow": "999.1.1.1"}]}, '"999.1.1.1" is no address'),
        ({"rules": [{"allow": "10.0.0.1", "deny": "all"}]}, "one allow or one deny"),
        ({}, "has neither rules nor users"),
        ({"users": {"a:b": "${ALICE}"}}, "names a user with a colon"),
    ]
    for entry, words in bad:
        save(world, one, {FAMILY: entry})
        done = world.call("validate", "--no-probe")
        assert done.code == 1
        assert words in done.out + done.err, done.out + done.err
        assert "in-clear-text" not in done.out + done.err


def test_rolled_back_a_list_and_its_host_are_there_again(
    house: World, services: list[DemoService]
) -> None:
    world, one = house, services[0]
    save(world, one, {FAMILY: {"rules": [{"deny": "all"}]}})
    world.apply()
    world.write({}, settings={"verify": {"url": world.npm.sites_url}})
    world.apply("--max-delete", "100%")
    assert rows(world) == []
    done = world.call("rollback", "--yes", "--max-delete", "100%")
    assert done.code == 0, done.out + done.err
    assert enter(world) == 403
