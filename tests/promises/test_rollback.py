"""A rollback undoes what the journalled runs did, and touches nothing else."""

import shutil
from collections.abc import Callable, Mapping
from typing import Any
from unittest.mock import patch

import pytest

from proxysync.apply import under_way
from proxysync.demo.services import DemoService
from proxysync.sandbox import Sandbox
from tests.signals import signal_at
from tests.world import HOST, HOSTS, World, domain

BROKEN = "version: 1\nproxies: [\n"

FILES: dict[str, Callable[[World], object]] = {
    "broken": lambda world: world.file.write_text(BROKEN),
    "half_written": lambda world: world.file.write_text(world.file.read_text()[:30]),
    "gone": lambda world: world.file.unlink(),
    "renamed": lambda world: world.file.rename(world.folder / "sites.yaml"),
    "other_entries": lambda world: world.write({"else": {"upstream": "http://127.0.0.1:1"}}),
}


def ports(world: World) -> Mapping[str, int]:
    return {row["domain_names"][0].split(".")[0]: row["forward_port"] for row in world.npm.hosts()}


def in_instance(world: World, instance: str, **proxies: Any) -> World:
    world.write(proxies, settings={"instance": instance})
    return world


@pytest.mark.parametrize("file", FILES)
def test_file_does_not_matter(world: World, services: list[DemoService], file: str) -> None:
    one, two, three = services
    world.write({"site": {"upstream": one.url}, "more": {"upstream": one.url}})
    world.apply()
    world.write({"site": {"upstream": two.url}, "more": {"upstream": one.url}})
    world.apply()
    FILES[file](world)
    done = world.call("rollback", "--yes")
    assert done.code == 0, done.out + done.err
    assert ports(world) == {"site": one.port, "more": one.port}
    assert three.port not in ports(world).values()


def test_instance_is_the_runs_and_not_that_of_a_broken_file(
    world: World, services: list[DemoService]
) -> None:
    one, two, _ = services
    other = World(world.folder / "other", world.npm)
    other.folder.mkdir()
    other.write({"theirs": {"upstream": one.url}, "too": {"upstream": one.url}})
    other.apply()
    in_instance(world, "mine", site={"upstream": one.url}).apply()
    in_instance(world, "mine", site={"upstream": two.url}).apply()
    theirs = [row for row in world.npm.hosts() if "site" not in row["domain_names"][0]]
    world.file.write_text(BROKEN)

    done = world.call("rollback", "--yes")
    assert done.code == 0, done.out + done.err
    assert world.npm.host("site")["forward_port"] == one.port
    assert world.npm.host("site")["meta"]["proxysync"]["instance"] == "mine"
    assert [row for row in world.npm.hosts() if row in theirs] == theirs


def test_state_lost_a_blocked_entrys_working_host_stays(
    world: World, services: list[DemoService]
) -> None:
    one, two, _ = services
    world.write({"site": {"upstream": one.url}, "more": {"upstream": one.url}})
    world.apply()
    shutil.rmtree(world.state)
    world.write({"site": {"upstream": "http://127.0.0.1:1"}, "more": {"upstream": two.url}})
    assert world.call("apply", "--yes").code == 1

    done = world.call("rollback", "--yes")
    assert done.code == 0, done.out + done.err
    assert ports(world) == {"site": one.port, "more": one.port}


def test_commands_max_delete_holds_and_can_be_waived(
    small_world: World, services: list[DemoService]
) -> None:
    one, *_ = services
    small_world.write({name: {"upstream": one.url} for name in ("a", "b", "c")})
    small_world.apply()
    refused = small_world.call("rollback", "--yes")
    assert refused.code == 1
    assert "`proxysync rollback 1 --max-delete 100%`" in refused.out
    assert len(small_world.npm.hosts()) == 3
    assert small_world.call("rollback", "1", "--yes", "--max-delete", "100%").code == 0
    assert small_world.npm.hosts() == []


@pytest.mark.parametrize(("answer", "code", "port"), [("y\n", 0, 0), ("n\n", 1, 1), ("", 1, 1)])
def test_commands_it_asks_on_a_terminal(
    small_world: World,
    services: list[DemoService],
    answer: str,
    code: int,
    port: int,
) -> None:
    for toy in services[:2]:
        small_world.write({"site": {"upstream": toy.url}})
        small_world.apply()
    done = small_world.call("rollback", typed=answer)
    assert done.code == code
    assert "[y/N]" in done.err
    assert ports(small_world) == {"site": services[port].port}


def test_commands_its_reason_is_the_rollback(
    small_world: World, services: list[DemoService]
) -> None:
    one, two, _ = services
    small_world.write({"site": {"upstream": one.url}, "more": {"upstream": one.url}})
    small_world.apply()
    small_world.write(
        {"site": {"upstream": two.url}, "more": {"upstream": one.url}, "new": {"upstream": one.url}}
    )
    small_world.apply()
    assert "rollback to before run 2" in small_world.call("rollback").out
    assert small_world.call("rollback", "--yes").code == 0
    said = [e["message"] for e in small_world.events() if e["event"].startswith("proxy.")][-2:]
    assert sorted(said) == [
        "new deleted: rollback to before run 2",
        "site updated: rollback to before run 2",
    ]
    (run, *_) = small_world.call("history", "--format", "json").json["runs"]
    assert run["why"] == "rollback to before run 2"
    assert {c["message"] for c in run["changes"]} == {"rollback to before run 2"}


def test_commands_a_host_that_was_renamed_and_moved_since_is_the_same_host(
    world: World, services: list[DemoService]
) -> None:
    one, *_ = services
    world.write({"old": {"upstream": one.url}})
    world.apply()
    npm_id = world.npm.host("old")["id"]
    world.write({"new": {"domains": [domain("old")], "upstream": one.url}})
    world.apply()
    world.write({"new": {"domains": [domain("elsewhere")], "upstream": one.url}})
    world.apply()
    assert world.call("rollback", "2", "--yes").code == 0
    row = world.npm.host("old")
    assert (row["id"], row["domain_names"]) == (npm_id, [domain("old")])


def test_commands_an_adopted_host_is_not_deleted_for_a_creation_that_never_was(
    small_world: World, services: list[DemoService]
) -> None:
    one, two, _ = services
    sandbox = small_world.npm.sandbox
    assert sandbox is not None
    small_world.write({"site": {"upstream": one.url}})
    sandbox.break_nginx("somebody else's file is broken")
    assert small_world.call("apply", "--yes").code == 1
    sandbox.mend_nginx()
    small_world.npm.call("DELETE", f"{HOSTS}/{small_world.npm.hosts()[0]['id']}")
    theirs = small_world.npm.add_host(domain("site"), port=two.port)
    assert small_world.call("adopt", "site", "--yes").code == 0
    small_world.call("rollback", "1", "--yes", "--max-delete", "100%")
    assert [row["id"] for row in small_world.npm.hosts()] == [theirs["id"]]


def test_commands_what_was_taken_over_is_given_back_as_it_was(
    world: World, services: list[DemoService]
) -> None:
    one, two, three = services
    a, b, c = (domain(name) for name in "abc")
    world.write({"first": {"domains": [b, c], "upstream": one.url}})
    world.apply()
    theirs = {
        name: world.npm.add_host(domain(name), port=three.port, meta={"note": name})
        for name in ("a", "as-it-is")
    }
    as_it_is = {"upstream": f"http://127.0.0.1:{three.port}"}
    world.write(
        {
            "first": {"domains": [c], "upstream": one.url},
            "second": {"domains": [a, b], "upstream": two.url},
            "as-it-is": as_it_is,
        }
    )
    assert world.call("adopt", "--all", "--yes").code == 0
    shown = world.call("rollback")
    assert "< second #" in shown.out
    assert "< as-it-is #" in shown.out
    done = world.call("rollback", "--yes")
    assert done.code == 0, done.out + done.err
    for name, before in theirs.items():
        row = world.npm.call("GET", f"{HOSTS}/{before['id']}")
        assert [row[k] for k in ("domain_names", "forward_port", "enabled")] == [
            [domain(name)],
            three.port,
            before["enabled"],
        ]
        assert (row["meta"]["note"], "proxysync" in row["meta"]) == (name, False)
    assert world.npm.host("first")["domain_names"] == sorted([b, c])
    assert world.npm.visit(b)[1].strip() == one.text

    assert world.call("resume").code == 0
    assert {c["action"] for c in world.plan()["changes"] if c["name"] != "first"} == {"conflict"}
    world.write({"first": {"domains": [b, c], "upstream": one.url}})
    world.apply()
    assert len(world.npm.hosts()) == 3, "they are nobody's to delete"


def test_commands_what_was_ours_before_it_was_taken_back_is_still_ours(
    small_world: World, services: list[DemoService]
) -> None:
    one, two, _ = services
    small_world.write({"site": {"upstream": one.url}})
    small_world.apply()
    row = small_world.npm.host("site")
    marker = {**row["meta"]["proxysync"], "instance": "another"}
    small_world.npm.call("PUT", f"{HOSTS}/{row['id']}", {"meta": {"proxysync": marker}})
    small_world.write({"site": {"upstream": two.url}})
    assert small_world.call("adopt", "site", "--yes").code == 0
    assert small_world.call("rollback", "--yes").code == 0
    assert small_world.npm.host("site")["forward_port"] == one.port


def test_commands_what_was_given_back_is_taken_over_again(
    small_world: World, services: list[DemoService]
) -> None:
    one, *_ = services
    small_world.write({"site": {"upstream": one.url}, "more": {"upstream": one.url}})
    small_world.apply()
    assert small_world.call("release", "site", "--yes").code == 0
    done = small_world.call("rollback", "--yes")
    assert done.code == 0, done.out + done.err
    assert small_world.call("resume").code == 0
    small_world.assert_in_sync()


def test_stop_between_the_writes_of_a_rollback_that_gives_back(
    small_world: World, services: list[DemoService]
) -> None:
    one, two, three = services
    small_world.write({"first": {"upstream": one.url}})
    small_world.apply()
    theirs = [small_world.npm.add_host(domain(name), port=three.port) for name in ("a", "b")]
    entries = {name: {"upstream": two.url} for name in ("a", "b")}
    small_world.write({"first": {"upstream": one.url}, **entries})
    assert small_world.call("adopt", "--all", "--yes").code == 0
    with patch.object(under_way, "LONGEST_WRITE", 0.0):
        signal_at(small_world, "rollback", "--yes", method="PUT", path=HOST, phase="after", nth=1)
        done = small_world.call("rollback", "--yes")
    assert done.code == 0, done.out + done.err
    for before in theirs:
        row = small_world.npm.call("GET", f"{HOSTS}/{before['id']}")
        assert (row["forward_port"], "proxysync" in row["meta"]) == (three.port, False)


def test_npm_set_up_anew_nothing_that_was_not_made_here_goes(
    small_world: World, services: list[DemoService]
) -> None:
    one, two, _ = services
    small_world.write({"site": {"upstream": one.url}})
    small_world.apply()
    with Sandbox() as anew:
        small_world.npm.url, small_world.env["PROXYSYNC_NPM_URL"] = anew.url, anew.url
        small_world.npm.log_in()
        own = small_world.npm.add_host(domain("own"), port=two.port)
        anew._store.hosts["proxy_host"]._rows[own["id"]]["created_on"] = "2031-01-01 00:00:00"
        before = small_world.npm.hosts()
        assert own["id"] == 1
        small_world.call("rollback", "--yes", "--max-delete", "100%")
        assert small_world.npm.hosts() == before


def test_stop_a_creation_killed_before_its_answer_is_undone_with_its_run(
    small_world: World, services: list[DemoService]
) -> None:
    one, *_ = services
    small_world.write({"site": {"upstream": one.url}})
    small_world.apply()
    small_world.write({"site": {"upstream": one.url}, "new": {"upstream": one.url}})
    signal_at(small_world, "apply", "--yes", method="GET", path=HOST, phase="before")
    assert small_world.call("rollback", "--yes").code == 0
    assert ports(small_world) == {"site": one.port}


def test_rights_an_account_that_sees_nothing_undoes_nothing(
    small_world: World, services: list[DemoService]
) -> None:
    for toy in services[:2]:
        small_world.write({name: {"upstream": toy.url} for name in ("a", "b")})
        small_world.apply()
    before = small_world.npm.hosts()
    sandbox = small_world.npm.sandbox
    assert sandbox is not None
    sandbox.add_user("limited@example.com", "changeme", visibility="user")
    small_world.env["PROXYSYNC_NPM_IDENTITY"] = "limited@example.com"
    done = small_world.call("rollback", "--yes", "--max-delete", "100%")
    assert done.code == 1
    assert "NPM shows 0 of the 2 hosts" in done.out
    assert small_world.npm.hosts() == before
