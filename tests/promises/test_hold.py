"""After a rollback NPM stays so until `resume` or a change of the file's content, nothing else."""

import signal
from collections.abc import Callable

import pytest

from proxysync.apply import under_way
from proxysync.demo.services import DemoService
from tests.faults import Fault, FaultProxy
from tests.signals import signal_at
from tests.world import HOST, HOSTS, World, domain, eventually

BROKEN = "version: 1\nproxies: [\n"


@pytest.fixture(autouse=True)
def _no_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    """No write is under way in NPM here any more when a test goes on."""
    monkeypatch.setattr(under_way, "LONGEST_WRITE", 0.0)


@pytest.fixture
def changed(small_world: World, services: list[DemoService]) -> World:
    """Three sites that were moved to another service."""
    for toy in services[:2]:
        small_world.write({name: {"upstream": toy.url} for name in ("a", "b", "c")})
        small_world.apply()
    return small_world


@pytest.fixture
def held(changed: World) -> World:
    assert changed.call("rollback", "--yes").code == 0
    return changed


def ports(world: World) -> list[int]:
    return [row["forward_port"] for row in world.npm.hosts()]


def assert_held(world: World, services: list[DemoService]) -> None:
    assert ports(world) == [services[0].port] * 3
    assert "rolled back to before run 2" in world.call("plan").err


def copied(world: World) -> str:
    (world.folder / "copy.yaml").write_bytes(world.file.read_bytes())
    return str(world.folder / "copy.yaml")


def linked(world: World) -> str:
    (world.folder / "link.yaml").symlink_to(world.file)
    return str(world.folder / "link.yaml")


def in_a_folder(world: World) -> str:
    (world.folder / "folder").mkdir()
    (world.folder / "folder" / "sites.yaml").write_bytes(world.file.read_bytes())
    return str(world.folder / "folder")


SPELLINGS: dict[str, Callable[[World], str]] = {
    "as before": lambda world: str(world.file),
    "dotted": lambda world: f"{world.folder}/./{world.file.name}",
    "through another folder": lambda world: f"{world.state}/../{world.file.name}",
    "copied": copied,
    "linked": linked,
    "in a folder": in_a_folder,
}


@pytest.mark.parametrize(
    ("command", "spelling"),
    [
        *(("apply", spelling) for spelling in SPELLINGS),
        ("adopt", "as before"),
        ("release", "copied"),
        *(
            pytest.param(command, spelling, marks=pytest.mark.long)
            for command in ("adopt", "release")
            for spelling in SPELLINGS
            if (command, spelling) not in {("adopt", "as before"), ("release", "copied")}
        ),
    ],
)
def test_commands_that_write_are_refused_however_the_file_is_called(
    held: World, services: list[DemoService], command: str, spelling: str
) -> None:
    if command == "adopt":
        held.npm.add_host(domain("d"))
    words = {"adopt": ["--all"], "release": ["a"]}.get(command, [])
    done = held.call(command, *words, "--yes", "-f", SPELLINGS[spelling](held))
    assert done.code == 1
    assert "`proxysync resume`" in done.err
    assert [p for p in ports(held) if p != 9] == [services[0].port] * 3


@pytest.mark.parametrize("words", [("plan",), ("status",), ("validate",), ("history",)], ids=str)
def test_commands_that_only_look_do_not_end_it(
    held: World, services: list[DemoService], words: tuple[str, ...]
) -> None:
    held.call(*words)
    assert_held(held, services)


def test_commands_resume_ends_it(held: World, services: list[DemoService]) -> None:
    assert held.call("resume").code == 0
    held.apply()
    assert ports(held) == [services[1].port] * 3


def test_commands_a_change_of_the_content_ends_it(held: World, services: list[DemoService]) -> None:
    held.file.write_text(held.file.read_text() + "# changed\n")
    held.apply()
    assert ports(held) == [services[1].port] * 3


def test_file_broken_and_mended_again_does_not_end_it(
    held: World, services: list[DemoService]
) -> None:
    good = held.file.read_text()
    held.file.write_text(BROKEN)
    assert held.call("apply", "--yes").code == 1
    held.file.write_text(good)
    assert held.call("apply", "--yes").code == 1
    assert_held(held, services)


@pytest.mark.parametrize("content", [BROKEN, None], ids=["broken", "gone"])
def test_file_that_is_bad_during_the_rollback_and_mended_is_held(
    changed: World, services: list[DemoService], content: str | None
) -> None:
    good = changed.file.read_text()
    changed.file.unlink()
    if content is not None:
        changed.file.write_text(content)
    assert changed.call("rollback", "--yes").code == 0
    changed.file.write_text(good)
    assert changed.call("apply", "--yes").code == 1
    assert_held(changed, services)


def test_file_broken_under_the_daemon_does_not_end_it(
    held: World, services: list[DemoService]
) -> None:
    good = held.file.read_text()
    with held.daemon():
        eventually(lambda: "daemon.held" in held.event_names())
        held.file.write_text(BROKEN)
        eventually(lambda: "config.invalid" in held.event_names())
        held.file.write_text(good)
        eventually(lambda: held.event_names().count("config.loaded") == 2)
    assert_held(held, services)


@pytest.mark.parametrize("broken", [False, True], ids=["good file", "broken file"])
def test_stop_a_rollback_that_a_500_cut_off_is_finished_while_held(
    changed: World, services: list[DemoService], *, broken: bool
) -> None:
    _cut_off(changed)
    if broken:
        changed.file.write_text(BROKEN)
    with changed.daemon():
        eventually(lambda: ports(changed) == [services[0].port] * 3)
        eventually(lambda: changed.call("history", "--format", "json").json["runs"][0]["ended"])
    assert changed.call("resume").out == "Resumed.\n"


def test_stop_a_rollback_that_was_killed_is_finished_while_held(
    changed: World, services: list[DemoService]
) -> None:
    signal_at(changed, "rollback", "--yes", method="PUT", path=HOST, nth=2, number=signal.SIGKILL)
    assert sorted(ports(changed)).count(services[1].port) == 1
    with changed.daemon():
        eventually(lambda: ports(changed) == [services[0].port] * 3)
    assert_held(changed, services)


def test_stop_the_next_rollback_goes_on_with_one_that_was_cut_off(
    changed: World, services: list[DemoService]
) -> None:
    _cut_off(changed)
    done = changed.call("rollback", "--yes")
    assert done.code == 0, done.out + done.err
    assert_held(changed, services)
    assert changed.call("rollback", "--yes").code == 0, "now it is the last run that is undone"
    assert services[1].port in ports(changed)


def test_stop_the_next_rollback_goes_on_with_one_that_was_killed_before_its_first_write(
    changed: World, services: list[DemoService]
) -> None:
    changed.write({name: {"upstream": services[2].url} for name in ("a", "b", "c")})
    changed.apply()
    signal_at(changed, "rollback", "2", "--yes", method="PUT", path=HOST, phase="before")
    assert ports(changed) == [services[2].port] * 3
    assert changed.call("rollback", "--yes").code == 0
    assert_held(changed, services)


def test_stop_what_a_person_let_pass_holds_for_the_rest_too(
    small_world: World, services: list[DemoService]
) -> None:
    small_world.write({name: {"upstream": services[0].url} for name in ("a", "b", "c")})
    small_world.apply()
    words = ("rollback", "--yes", "--max-delete", "100%")
    signal_at(small_world, *words, method="DELETE", path=HOST, number=signal.SIGKILL)
    assert len(small_world.npm.hosts()) == 2
    with small_world.daemon():
        eventually(lambda: small_world.npm.hosts() == [])


def test_commands_what_a_hand_changes_in_npm_while_held_stays(
    held: World, services: list[DemoService]
) -> None:
    npm_id = held.npm.host("b")["id"]
    held.npm.call("PUT", f"/nginx/proxy-hosts/{npm_id}", {"forward_port": services[2].port})
    with held.daemon():
        eventually(lambda: "daemon.held" in held.event_names())
    assert held.npm.host("b")["forward_port"] == services[2].port


def test_commands_a_daemon_that_waits_for_the_rollback_does_not_apply_the_file(
    changed: World, services: list[DemoService]
) -> None:
    """It begins to wait when there is no hold yet."""
    with changed.daemon() as daemon, FaultProxy(changed.npm.url) as proxy:
        eventually(lambda: "config.loaded" in changed.event_names())

        def wake(_number: int, method: str, path: str, _phase: str) -> None:
            if (method, path) == ("GET", HOSTS):
                proxy.on_request = None
                daemon.send_signal(signal.SIGHUP)
                eventually(lambda: "daemon.waiting" in changed.event_names())

        proxy.on_request = wake
        changed.env["PROXYSYNC_NPM_URL"] = proxy.url
        done = changed.call("rollback", "--yes")
        assert done.code == 0, done.out + done.err
        changed.env["PROXYSYNC_NPM_URL"] = changed.npm.url
        eventually(lambda: "daemon.held" in changed.event_names())
    assert_held(changed, services)


def _cut_off(world: World) -> None:
    """A rollback whose second write is answered by a 500."""
    with FaultProxy(world.npm.url) as proxy:
        proxy.inject(Fault.ERROR_500_WITHOUT_EFFECT, method="PUT", path=HOST, nth=2)
        world.env["PROXYSYNC_NPM_URL"] = proxy.url
        assert world.call("rollback", "--yes").code == 1
    world.env["PROXYSYNC_NPM_URL"] = world.npm.url
    assert len(set(ports(world))) == 2
