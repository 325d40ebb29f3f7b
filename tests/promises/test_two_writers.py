"""Two that write to one NPM never fight for ever, and an error says who the other is."""

import shutil

import pytest

from proxysync.demo.services import DemoService
from tests.world import World, domain, eventually


@pytest.fixture
def two(world: World, services: list[DemoService]) -> tuple[World, World]:
    """Two state folders of one instance, whose files disagree on one entry."""
    folder = world.folder / "there"
    folder.mkdir()
    here, there = world, World(folder, world.npm)
    here.write({"one": {"upstream": services[0].url}})
    there.write({"one": {"upstream": services[1].url}})
    here.apply()
    return here, there


def test_shell_in_turn_each_host_is_written_once_and_then_left(
    two: tuple[World, World], services: list[DemoService]
) -> None:
    here, there = two
    there.apply()
    assert here.npm.visit(domain("one"))[1].strip() == services[1].text
    before = here.npm.host("one")
    for _ in range(2):
        done = here.call("apply", "--yes")
        assert done.code == 1
        assert "two proxysync run with one instance" in done.out
        there.apply()
    assert here.npm.host("one") == before

    taken = here.call("adopt", "one", "--yes")
    assert taken.code == 0, taken.out + taken.err
    assert here.npm.visit(domain("one"))[1].strip() == services[0].text
    assert there.call("apply", "--yes").code == 1
    assert here.npm.visit(domain("one"))[1].strip() == services[0].text


def test_commands_two_daemons_come_to_rest_and_one_says_why(
    small_world: World, services: list[DemoService]
) -> None:
    here, there = small_world, World(small_world.folder / "there", small_world.npm)
    there.folder.mkdir()
    sandbox = here.npm.sandbox
    assert sandbox is not None

    def readings() -> int:
        return sandbox.requests.count(("GET", "/nginx/proxy-hosts"))

    here.write({"one": {"upstream": services[0].url}}, settings={"resync_interval": "1s"})
    there.write({"one": {"upstream": services[1].url}}, settings={"resync_interval": "1s"})
    with here.daemon():
        eventually(here.npm.hosts)
        with there.daemon():
            eventually(lambda: "proxy.conflict" in here.event_names(name="one"))
            writes, read = len(sandbox.writes), readings()
            eventually(lambda: readings() > read + 4)
            assert len(sandbox.writes) == writes
    (told,) = [e for e in here.events() if e["event"] == "proxy.conflict"]
    assert told["severity"] == "error"
    assert "another state folder" in told["message"]


def test_state_lost_and_found_again_takes_its_hosts_without_a_write(
    small_world: World, services: list[DemoService]
) -> None:
    sandbox = small_world.npm.sandbox
    assert sandbox is not None
    small_world.write({toy.text: {"upstream": toy.url} for toy in services})
    small_world.apply()
    writes = len(sandbox.writes)
    (small_world.state / "state.db").unlink()
    small_world.apply()
    assert len(sandbox.writes) == writes
    small_world.write({toy.text: {"upstream": services[0].url} for toy in services})
    small_world.apply()
    small_world.write({toy.text: {"upstream": services[0].url} for toy in services[:2]})
    small_world.apply()
    assert len(small_world.npm.hosts()) == 2
    small_world.assert_in_sync()


def change_again_and_again(world: World, times: int = 6) -> None:
    """A hand, or another program, that sets the port whatever it is set to."""
    for _ in range(times):
        world.npm.call(
            "PUT", f"/nginx/proxy-hosts/{world.npm.host('one')['id']}", {"forward_port": 9}
        )
        world.call("apply", "--yes")


@pytest.fixture
def contested(world: World, services: list[DemoService]) -> World:
    """An entry whose port somebody else has set six times."""
    world.write({"one": {"upstream": services[0].url}})
    world.apply()
    change_again_and_again(world)
    return world


def test_commands_a_field_that_is_put_back_five_times_is_left_with_one_error(
    contested: World, services: list[DemoService]
) -> None:
    for _ in range(2):
        done = contested.call("apply", "--yes")
        assert done.code == 1
        assert "forward_port" in done.out
        assert contested.npm.identity in done.out
    assert contested.npm.host("one")["forward_port"] == 9
    (told,) = [e for e in contested.events() if e["event"] == "proxy.contested"]
    assert told["severity"] == "error"
    assert contested.npm.identity in told["message"]
    assert contested.plan()["changes"][0]["held"]["kind"] == "contested"

    done = contested.call("resume")
    assert "is put right again" in done.out
    contested.apply()
    assert contested.npm.host("one")["forward_port"] == services[0].port


def test_file_that_changes_is_applied_whatever_was_left(
    contested: World, services: list[DemoService]
) -> None:
    contested.write({"one": {"upstream": services[0].url, "block_exploits": True}})
    contested.apply()
    row = contested.npm.host("one")
    assert (row["forward_port"], bool(row["block_exploits"])) == (services[0].port, True)


def test_rights_without_the_audit_log_say_where_it_stands(
    small_world: World, services: list[DemoService]
) -> None:
    assert small_world.npm.sandbox is not None
    small_world.npm.sandbox.add_user("few@example.com", "changeme", visibility="all")
    small_world.env["PROXYSYNC_NPM_IDENTITY"] = "few@example.com"
    small_world.write({"one": {"upstream": services[0].url}})
    small_world.apply()
    change_again_and_again(small_world)
    assert "which only an administrator can read" in small_world.call("apply", "--yes").out


def test_shell_with_a_copy_of_the_state_folder_does_not_fight_for_ever(
    small_world: World, services: list[DemoService]
) -> None:
    here, there = small_world, World(small_world.folder / "there", small_world.npm)
    here.write({"one": {"upstream": services[0].url}})
    here.apply()
    there.folder.mkdir()
    shutil.copytree(here.state, there.state)
    there.write({"one": {"upstream": services[1].url}})
    sandbox = here.npm.sandbox
    assert sandbox is not None
    writes = [len(sandbox.writes)]
    for _ in range(10):
        there.call("apply", "--yes")
        here.call("apply", "--yes")
        writes.append(len(sandbox.writes))
    assert writes[-1] == writes[-3]
    events = here.event_names() + there.event_names()
    assert "proxy.contested" in events
