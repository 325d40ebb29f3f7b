"""Nothing is deleted or taken down that should not be."""

import signal
from pathlib import Path

import pytest
import yaml

from proxysync.demo.services import DemoService
from tests.signals import signal_at
from tests.world import HOST, World, domain, eventually


def names(world: World) -> set[str]:
    return {row["meta"]["proxysync"]["name"] for row in world.npm.hosts()}


@pytest.fixture
def here(world: World, services: list[DemoService]) -> World:
    """Three entries, in NPM already."""
    world.write({toy.text: {"upstream": toy.url} for toy in services})
    world.apply()
    return world


@pytest.fixture
def there(here: World, services: list[DemoService]) -> World:
    """A second shell with its own state folder, whose file has only one of the three."""
    folder = here.folder / "there"
    folder.mkdir()
    other = World(folder, here.npm)
    other.write({"one": {"upstream": services[0].url}})
    return other


def test_shell_a_first_run_with_another_state_folder_deletes_nothing(
    here: World, there: World
) -> None:
    before = here.npm.hosts()
    assert there.call("apply", "--yes").code == 0
    assert here.npm.hosts() == before
    here.assert_in_sync()


def test_shell_two_folders_in_turn_delete_nothing_of_each_other(
    here: World, there: World, services: list[DemoService]
) -> None:
    there.write({"one": {"upstream": services[0].url}, "new": {"upstream": services[1].url}})
    for _ in range(2):
        assert there.call("apply", "--yes").code == 0
        assert here.call("apply", "--yes").code == 0
    assert names(here) == {"one", "two", "three", "new"}


def test_instance_another_one_deletes_nothing(here: World, there: World) -> None:
    there.write({"x": {"upstream": "http://127.0.0.1:9"}}, settings={"instance": "other"})
    before = here.npm.hosts()
    there.call("apply", "--yes", "--max-delete", "100%", "--delete-orphans")
    assert [row for row in here.npm.hosts() if row in before] == before


def test_state_once_lost_an_entry_that_goes_leaves_an_orphan_until_it_is_asked_for(
    here: World, services: list[DemoService]
) -> None:
    (here.state / "state.db").unlink()
    here.write({toy.text: {"upstream": toy.url} for toy in services[:2]})
    before = here.npm.hosts()
    assert here.apply()["plan"]["summary"]["delete"] == 0
    assert here.npm.hosts() == before

    (change,) = here.plan()["changes"]
    assert (change["action"], change["name"], change["held"]["kind"]) == (
        "delete",
        "three",
        "orphan",
    )
    shown = here.call("plan")
    assert "--delete-orphans" in shown.out
    orphan = here.call("status", "--format", "json").json["proxies"][-1]
    assert (orphan["name"], orphan["sync"]) == ("three", "orphan")
    assert "--delete-orphans" in orphan["detail"]

    here.apply("--delete-orphans")
    assert names(here) == {"one", "two"}
    here.assert_in_sync()


def test_state_once_lost_a_daemon_deletes_nothing(here: World, services: list[DemoService]) -> None:
    (here.state / "state.db").unlink()
    here.write({toy.text: {"upstream": toy.url} for toy in services[:2]})
    with here.daemon():
        eventually(lambda: "config.loaded" in here.event_names())
    assert names(here) == {"one", "two", "three"}


def test_npm_restored_brings_back_a_host_that_had_been_deleted_and_it_stays(
    here: World, services: list[DemoService]
) -> None:
    row = here.npm.host("three")
    here.write({toy.text: {"upstream": toy.url} for toy in services[:2]})
    here.apply()
    assert names(here) == {"one", "two"}
    here.npm.add_host(domain("three"), meta={"proxysync": row["meta"]["proxysync"]})
    here.apply()
    assert names(here) == {"one", "two", "three"}


@pytest.mark.parametrize("command", [["apply", "--yes"], ["adopt", "one", "--yes"], ["plan"]])
def test_commands_none_deletes_an_orphan(there: World, command: list[str]) -> None:
    before = there.npm.hosts()
    there.call(*command)
    assert there.npm.hosts() == before


def test_commands_deleting_orphans_is_guarded_and_asked_for(here: World, there: World) -> None:
    before = here.npm.hosts()
    refused = there.call("apply", "--yes", "--delete-orphans")
    assert refused.code == 1
    assert "--max-delete 100%" in refused.out
    asked = there.call("apply", "--delete-orphans", "--max-delete", "100%", stdin="y\n")
    assert asked.code == 1
    assert here.npm.hosts() == before


def test_file_one_that_is_gone_leaves_its_hosts(here: World, tmp_path: Path) -> None:
    assert tmp_path == here.folder
    before = here.npm.hosts()
    here.file.unlink()
    assert here.call("apply", "--yes").code == 1
    assert here.npm.hosts() == before


def test_file_with_a_default_that_disables_all_disables_none(
    here: World, services: list[DemoService]
) -> None:
    here.write({toy.text: {"upstream": toy.url} for toy in services}, defaults={"enabled": False})
    done = here.call("apply", "--yes")
    assert done.code == 1
    assert "would disable 3 of the 3 managed hosts" in done.out
    with here.daemon():
        eventually(lambda: "plan.refused" in here.event_names())
    assert [row["enabled"] for row in here.npm.hosts()] == [True] * 3
    here.apply("--max-delete", "100%")
    assert [row["enabled"] for row in here.npm.hosts()] == [False] * 3


def test_file_of_a_folder_that_is_gone_for_a_moment_deletes_nothing(
    small_world: World, services: list[DemoService]
) -> None:
    small_world.file.mkdir()
    (small_world.file / "settings.yaml").write_text("settings: {verify: off}\n")
    for toy in services[:2]:
        entry = {"domains": [domain(toy.text)], "upstream": toy.url}
        file = small_world.file / f"{toy.text}.yaml"
        file.write_text(yaml.safe_dump({"proxies": {toy.text: entry}}))
    with small_world.daemon():
        eventually(lambda: names(small_world) == {"one", "two"})
        (small_world.file / "two.yaml").rename(small_world.folder / "away")
        eventually(lambda: "config.missing" in small_world.event_names())
        (small_world.folder / "away").rename(small_world.file / "two.yaml")
        eventually(lambda: small_world.event_names().count("config.loaded") == 2)
    assert "proxy.deleted" not in small_world.event_names()
    assert names(small_world) == {"one", "two"}


def test_rights_that_hide_our_hosts_make_and_delete_nothing(
    small_world: World, services: list[DemoService]
) -> None:
    world, sandbox = small_world, small_world.npm.sandbox
    assert sandbox is not None
    world.write({toy.text: {"upstream": toy.url} for toy in services})
    world.apply()
    before = world.npm.hosts()
    sandbox.add_user("few@example.com", "changeme", visibility="user")
    world.env["PROXYSYNC_NPM_IDENTITY"] = "few@example.com"
    world.write({services[0].text: {"upstream": services[0].url}})
    done = world.call("apply", "--yes")
    assert done.code == 1
    assert "lost its rights" in done.out + done.err
    assert world.npm.hosts() == before


def test_stop_between_two_deletions_leaves_the_second_to_the_next_run(
    world: World, services: list[DemoService]
) -> None:
    world.write({toy.text: {"upstream": toy.url} for toy in services})
    world.apply()
    stays = world.npm.host(services[0].text)
    world.write({services[0].text: {"upstream": services[0].url}})
    words = ("apply", "--yes", "--max-delete", "100%")
    signal_at(world, *words, method="DELETE", path=HOST, number=signal.SIGTERM)
    left = [row["id"] for row in world.npm.hosts()]
    assert stays["id"] in left
    assert len(left) == 2, "the write that was under way was finished, and no other begun"
    world.apply("--max-delete", "100%")
    assert world.npm.hosts() == [stays]
    world.assert_in_sync()
