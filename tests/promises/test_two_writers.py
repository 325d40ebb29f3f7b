"""Two that write to one NPM never fight for ever, and an error says who the other is."""

import pytest

from proxysync.demo.toys import Toy
from tests.world import World, domain, eventually


@pytest.fixture
def two(world: World, services: list[Toy]) -> tuple[World, World]:
    """Two state folders of one instance, whose files disagree on one entry."""
    folder = world.folder / "there"
    folder.mkdir()
    here, there = world, World(folder, world.npm)
    here.write({"one": {"upstream": services[0].url}})
    there.write({"one": {"upstream": services[1].url}})
    here.apply()
    return here, there


def test_shell_in_turn_each_host_is_written_once_and_then_left(
    two: tuple[World, World], services: list[Toy]
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
    small_world: World, services: list[Toy]
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
            eventually(lambda: "proxy.conflict" in here.event_names(proxy="one"))
            writes, read = len(sandbox.writes), readings()
            eventually(lambda: readings() > read + 4)
            assert len(sandbox.writes) == writes
    (told,) = [e for e in here.events() if e["event"] == "proxy.conflict"]
    assert told["severity"] == "error"
    assert "another state folder" in told["message"]


def test_state_lost_and_found_again_takes_its_hosts_without_a_write(
    small_world: World, services: list[Toy]
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
    small_world.assert_in_line()
