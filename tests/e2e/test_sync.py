"""A file becomes hosts in NPM, on the sandbox and on a real one."""

import pytest

from proxysync.demo.services import DemoService
from tests.world import World, domain, eventually

pytestmark = pytest.mark.timeout(180)


def serves(world: World, name: str, text: str) -> None:
    """Whether a visitor of the name gets this text, once NPM's reload is through."""
    eventually(lambda: text in world.npm.visit(domain(name))[1])


def test_a_new_entry_is_created_serves_and_a_second_plan_is_empty(
    world: World, services: list[DemoService]
) -> None:
    world.write({"one": {"upstream": services[0].url}})

    plan = world.plan()
    assert plan["summary"]["create"] == 1
    assert plan["changes"][0] | {"fields": None} == {
        "action": "create",
        "kind": "proxy",
        "name": "one",
        "npm_id": None,
        "drift": False,
        "fields": None,
        "edits": [
            {"path": "domains", "from": None, "to": [domain("one")]},
            {"path": "upstream", "from": None, "to": services[0].url},
        ],
        "reason": "not in NPM",
    }
    assert plan["changes"][0]["fields"]["forward_port"] == {"from": None, "to": services[0].port}
    assert world.npm.hosts() == []

    world.apply()
    row = world.npm.host("one")
    marker = row["meta"]["proxysync"]
    assert (marker["name"], marker["instance"]) == ("one", "default")
    assert marker["state"]
    assert row["meta"]["nginx_online"] is True
    serves(world, "one", "one")
    world.assert_in_sync()


FULL = {
    "force_ssl": False,
    "trust_forwarded_proto": True,
    "cache_assets": True,
    "block_exploits": True,
    "websockets": True,
    "advanced_config": "client_max_body_size 10m;\nproxy_read_timeout 90s;",
}

FLAGS = (
    "ssl_forced",
    "hsts_enabled",
    "hsts_subdomains",
    "trust_forwarded_proto",
    "caching_enabled",
    "block_exploits",
    "allow_websocket_upgrade",
)


def test_every_field_is_updated_and_put_back(world: World, services: list[DemoService]) -> None:
    one, two, _ = services
    certificate_id = world.npm.add_certificate(domain("certificate"), domain("one"))
    access = world.npm.call(
        "POST",
        "/nginx/access-lists",
        {
            "name": domain("lan"),
            "satisfy_any": True,
            "pass_auth": False,
            "items": [],
            "clients": [{"address": "127.0.0.1", "directive": "allow"}],
        },
    )
    world.write({"one": {"upstream": one.url}})
    world.apply()
    before = world.npm.host("one")

    full, flags = dict(FULL), list(FLAGS)
    if world.npm.version < (2, 14, 0):
        del full["trust_forwarded_proto"]
        flags.remove("trust_forwarded_proto")
    world.write(
        {
            "one": {
                "domains": [domain("Other"), domain("www")],
                "upstream": f"http://localhost:{two.port}",
                **full,
                "certificate": domain("certificate"),
                "force_ssl": True,
                "hsts": True,
                "hsts_subdomains": True,
                "access_list": domain("lan"),
                "locations": [{"path": "/api", "upstream": f"http://127.0.0.1:{one.port}/v1"}],
            }
        }
    )
    world.apply()
    row = world.npm.host("one")
    assert row["id"] == before["id"]
    assert {
        name: row[name]
        for name in (
            "domain_names",
            "forward_host",
            "forward_port",
            "certificate_id",
            "access_list_id",
            "advanced_config",
        )
    } == {
        "domain_names": [domain("other"), domain("www")],
        "forward_host": "localhost",
        "forward_port": two.port,
        "certificate_id": certificate_id,
        "access_list_id": access["id"],
        "advanced_config": FULL["advanced_config"],
    }
    assert {name: bool(row[name]) for name in flags} == dict.fromkeys(flags, True)
    assert [location["path"] for location in row["locations"]] == ["/api"]
    assert bool(row["meta"]["nginx_online"]) is True
    world.assert_in_sync()

    world.write({"one": {"upstream": one.url}})
    world.apply()
    row = world.npm.host("one")
    assert {name: bool(row[name]) for name in flags} == dict.fromkeys(flags, False)
    assert (row["certificate_id"], row["access_list_id"], row["advanced_config"]) == (0, 0, "")
    serves(world, "one", "one")
    world.assert_in_sync()


def test_a_host_is_disabled_and_enabled(world: World, services: list[DemoService]) -> None:
    entry = {"upstream": services[0].url, "block_exploits": True}
    world.write({"one": entry})
    world.apply()
    serves(world, "one", "one")

    world.write({"one": {**entry, "enabled": False, "block_exploits": False}})
    world.apply()
    row = world.npm.host("one")
    assert (bool(row["enabled"]), bool(row["block_exploits"])) == (False, False)
    eventually(lambda: "one" not in world.npm.visit(domain("one"))[1])
    world.assert_in_sync()

    world.write({"one": entry})
    world.apply()
    assert bool(world.npm.host("one")["enabled"]) is True
    serves(world, "one", "one")
    world.assert_in_sync()


def test_an_entry_that_is_disabled_from_the_start_is_made_but_not_served(
    world: World, services: list[DemoService]
) -> None:
    world.write({"one": {"upstream": services[0].url, "enabled": False}})
    world.apply()
    assert bool(world.npm.host("one")["enabled"]) is False
    assert "one" not in world.npm.visit(domain("one"))[1]
    world.assert_in_sync()


def test_one_of_three_is_deleted_when_it_leaves_the_file(
    world: World, services: list[DemoService]
) -> None:
    entries = {toy.text: {"upstream": toy.url} for toy in services}
    world.write(entries)
    world.apply()
    del entries["two"]
    world.write(entries)
    world.apply()
    assert sorted(row["meta"]["proxysync"]["name"] for row in world.npm.hosts()) == ["one", "three"]
    world.assert_in_sync()


def test_a_renamed_entry_keeps_its_host(world: World, services: list[DemoService]) -> None:
    entry = {"domains": [domain("one")], "upstream": services[0].url}
    world.write({"old": entry})
    world.apply()
    before = world.npm.host("old")
    world.write({"new": entry})
    assert (
        world.plan()["summary"] | {"update": 1, "delete": 0, "create": 0}
        == (world.plan()["summary"])
    )
    world.apply()
    assert world.npm.host("new")["id"] == before["id"]
    assert len(world.npm.hosts()) == 1
    world.assert_in_sync()


def test_a_domain_moves_from_one_entry_to_another(
    world: World, services: list[DemoService]
) -> None:
    one, two, _ = services
    world.write(
        {
            "one": {"domains": [domain("one"), domain("shared")], "upstream": one.url},
            "two": {"upstream": two.url},
        }
    )
    world.apply()
    serves(world, "shared", "one")
    ids = {name: world.npm.host(name)["id"] for name in ("one", "two")}
    world.write(
        {
            "one": {"upstream": one.url},
            "two": {"domains": [domain("shared"), domain("two")], "upstream": two.url},
        }
    )
    world.apply()
    assert {name: world.npm.host(name)["id"] for name in ("one", "two")} == ids
    serves(world, "shared", "two")
    world.assert_in_sync()


def test_three_entries_pass_their_domains_round_in_a_circle(
    world: World, services: list[DemoService]
) -> None:
    names = [toy.text for toy in services]
    world.write({toy.text: {"upstream": toy.url} for toy in services})
    world.apply()
    ids = {name: world.npm.host(name)["id"] for name in names}
    world.write(
        {
            toy.text: {"domains": [domain(names[(index + 1) % 3])], "upstream": toy.url}
            for index, toy in enumerate(services)
        }
    )
    assert world.plan()["summary"]["delete"] == 0
    world.apply()
    assert {name: world.npm.host(name)["id"] for name in names} == ids
    serves(world, "two", "one")
    serves(world, "three", "two")
    serves(world, "one", "three")
    world.assert_in_sync()


def test_foreign_hosts_stay_as_they_are_through_all_of_it(
    world: World, services: list[DemoService]
) -> None:
    one, two, three = services
    world.npm.add_host(domain("foreign"), domain("zoo"), port=three.port, meta={"note": "mine"})
    world.npm.call("POST", "/nginx/dead-hosts", {"domain_names": [domain("dead")], "meta": {}})

    def foreign() -> object:
        rows = [row for row in world.npm.hosts() if "proxysync" not in row["meta"]]
        return rows, world.npm.call("GET", "/nginx/dead-hosts")

    before = foreign()
    world.write({"one": {"upstream": one.url}, "two": {"upstream": two.url}})
    world.apply()
    world.write({"one": {"upstream": two.url}, "three": {"upstream": three.url}})
    world.apply()
    world.write({"one": {"upstream": two.url, "enabled": False}, "three": {"upstream": one.url}})
    world.apply()
    assert foreign() == before


def test_an_entry_whose_domain_is_foreign_is_a_conflict_and_the_others_go_on(
    world: World, services: list[DemoService]
) -> None:
    world.npm.add_host(domain("taken"))
    before = world.npm.hosts()
    world.write({"one": {"upstream": services[0].url}, "taken": {"upstream": services[1].url}})
    done = world.call("apply", "--yes")
    assert done.code == 1
    assert "taken" in done.out
    assert "conflict" in done.out
    assert world.npm.host("one")
    assert before[0] in world.npm.hosts()


def test_a_foreign_change_of_a_host_is_drift_and_is_put_right(
    world: World, services: list[DemoService]
) -> None:
    world.write({"one": {"upstream": services[0].url}})
    world.apply()
    row = world.npm.host("one")
    world.npm.call("PUT", f"/nginx/proxy-hosts/{row['id']}", {"forward_port": services[1].port})
    plan = world.plan()
    assert plan["summary"]["drift"] == 1
    assert plan["changes"][0]["drift"] is True
    assert plan["changes"][0]["reason"].startswith("undoes drift: ")
    world.apply()
    assert world.npm.host("one")["forward_port"] == services[0].port
    world.assert_in_sync()


def test_drift_is_only_reported_where_the_file_says_so(
    world: World, services: list[DemoService]
) -> None:
    world.write({"one": {"upstream": services[0].url}}, settings={"drift": "report"})
    world.apply()
    row = world.npm.host("one")
    world.npm.call("PUT", f"/nginx/proxy-hosts/{row['id']}", {"forward_port": services[1].port})
    assert world.plan()["summary"]["drift"] == 1
    world.apply()
    assert world.npm.host("one")["forward_port"] == services[1].port


def test_a_host_that_lost_our_marker_is_still_ours_and_gets_it_back(
    world: World, services: list[DemoService]
) -> None:
    world.write({"one": {"upstream": services[0].url}})
    world.apply()
    row = world.npm.host("one")
    world.npm.call("PUT", f"/nginx/proxy-hosts/{row['id']}", {"meta": {"letter": "kept"}})
    world.apply()
    assert world.npm.host("one")["id"] == row["id"]
    assert world.npm.host("one")["meta"]["letter"] == "kept"
    world.assert_in_sync()


def test_a_lost_state_folder_is_rebuilt_from_the_markers(
    world: World, services: list[DemoService]
) -> None:
    world.write({"one": {"upstream": services[0].url}, "two": {"upstream": services[1].url}})
    world.apply()
    (world.state / "state.db").unlink()
    world.assert_in_sync()
    world.apply()
    row = world.npm.host("two")
    world.npm.call("PUT", f"/nginx/proxy-hosts/{row['id']}", {"meta": {}})
    world.apply()
    assert world.npm.host("two")["id"] == row["id"]


def test_a_config_that_nginx_refuses_fails_alone_and_the_old_one_is_put_back(
    world: World, services: list[DemoService]
) -> None:
    one, two, _ = services
    world.write({"one": {"upstream": one.url}})
    world.apply()
    serves(world, "one", "one")
    world.write(
        {
            "one": {"upstream": one.url, "advanced_config": "no_such_directive on;"},
            "two": {"upstream": two.url},
        }
    )
    done = world.call("apply", "--yes")
    assert done.code == 1
    assert "no_such_directive" in done.out
    assert world.npm.host("one")["advanced_config"] == ""
    assert world.npm.host("one")["meta"]["nginx_online"] is True
    serves(world, "one", "one")
    serves(world, "two", "two")

    again = world.call("apply", "--yes", "--format", "json")
    assert again.code == 1
    assert again.json["outcomes"] == []


def test_a_new_host_that_nginx_refuses_is_removed_again(
    world: World, services: list[DemoService]
) -> None:
    world.write({"one": {"upstream": services[0].url, "advanced_config": "broken {"}})
    assert world.call("apply", "--yes").code == 1
    assert world.npm.hosts() == []


def test_a_certificate_or_access_list_that_npm_does_not_have_is_a_conflict_that_lists_them(
    world: World, services: list[DemoService]
) -> None:
    world.npm.call(
        "POST", "/nginx/access-lists", {"name": domain("lan"), "items": [], "clients": []}
    )
    world.write(
        {
            "one": {"upstream": services[0].url, "access_list": "nobody"},
            "two": {"upstream": services[1].url, "certificate": "*.nowhere.example"},
            "three": {"upstream": services[2].url},
        }
    )
    done = world.call("apply", "--yes")
    assert done.code == 1
    assert '"nobody"' in done.out
    assert domain("lan") in done.out
    assert '"*.nowhere.example"' in done.out
    assert [row["meta"]["proxysync"]["name"] for row in world.npm.hosts()] == ["three"]
