"""`add`, `set` and `remove`: the file is edited, checked, and all else in it stays."""

import fcntl
import os
import stat
from pathlib import Path

import pytest

from proxysync.demo.services import DemoService
from tests.world import World, domain, eventually


@pytest.fixture
def house(small_world: World, services: list[DemoService]) -> World:
    small_world.file.write_text(
        "# ours\nsettings: {verify: 'off'}\nproxies:\n  one:  # the first\n"
        f"    domains: [{domain('one')}]\n    upstream: {services[0].url}\n"
    )
    return small_world


def test_an_entry_is_added_changed_and_removed(house: World, services: list[DemoService]) -> None:
    before = house.file.read_text()
    new = ("add", "two", f"domains={domain('two')}", f"upstream={services[1].url}")
    done = house.call(*new)
    assert done.code == 0, done.out + done.err
    assert f"+    domains: {domain('two')}\n" in done.out
    assert house.file.read_text().startswith(before)
    house.apply()
    assert "two" in house.npm.visit(domain("two"))[1]

    assert house.call(*new).code == 1, "it is there already"
    typo = house.call("add", "three", "domain=x", f"upstream={services[1].url}").err
    assert f"Error: {house.file}: proxies.three.domain: is not known" in typo, "it has no line"
    values = ("websockets=true", "health.path=/health", f"domains=[{domain('two')}, {domain('b')}]")
    assert house.call("set", "two", "--no-probe", *values).code == 0
    house.apply()
    assert bool(house.npm.host("two")["allow_websocket_upgrade"])
    assert house.call("set", "two", "--unset", "health").out.count("-    health:") == 1
    assert "says so already" in house.call("set", "two", "websockets=true").out

    assert house.call("remove", "two").code == 0
    assert house.file.read_text() == before


def test_of_values_that_exclude_each_other_the_last_counts(house: World) -> None:
    new = ("add", "two", f"domains={domain('two')}", "upstream=http://x")
    done = house.call(*new, "health=off", "health.path=/x", "--no-probe")
    assert done.code == 0, done.err
    assert "    health:\n      path: /x\n" in house.file.read_text()


def test_what_somebody_else_writes_meanwhile_is_not_lost(house: World) -> None:
    folder = os.open(house.folder, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)  # as another `set` that is about to write
        with (house.folder / "said").open("w") as said:
            late = house.start("set", "one", "websockets=true", "--no-probe", stderr=said)
            eventually(lambda: list(house.folder.glob(".proxies.yaml.*")) or late.poll())
        theirs = house.file.read_text().replace("the first", "the very first")
        house.file.write_text(theirs)
    finally:
        os.close(folder)
    assert late.wait(20) == 1
    assert "was changed by somebody else just now" in (house.folder / "said").read_text()
    assert house.file.read_text() == theirs
    assert not list(house.folder.glob(".proxies.yaml.*"))


def test_what_does_not_pass_is_not_written(house: World, closed_port: int) -> None:
    before = house.file.read_text()
    dead = f"upstream=http://127.0.0.1:{closed_port}"
    for words, told in (
        (("set", "one", dead), "Check if the service is running"),
        (("set", "one", "upstream=nowhere"), "proxies.one.upstream"),
        (("set", "one", "colour=blue"), "colour: is not known here"),
        (("set", "one", f"domains={domain('one')}", "health.path="), "--unset health.path"),
        (("set", "nobody", "enabled=false"), "no entry named nobody"),
        (("set", "one"), "nothing to set"),
        (("add", "two", f"domains={domain('one')}", "upstream=http://x"), "one holder"),
        (("remove", "nobody"), "no entry named nobody"),
    ):
        done = house.call(*words)
        assert done.code == 1, words
        assert told in done.out + done.err, done.out + done.err
        assert house.file.read_text() == before
    assert house.call("set", "one", dead, "--no-probe").code == 0
    told = house.call("set", "one", dead, "enabled=true", "--format", "json").json
    assert (told["written"], told["validation"]["ok"]) == (False, False)


def test_a_link_stays_a_link_and_the_mode_stays(house: World, tmp_path: Path) -> None:
    real = tmp_path / "real.yaml"
    real.write_text(house.file.read_text())
    real.chmod(0o640)
    house.file.unlink()
    house.file.symlink_to(real)
    assert house.call("set", "one", "enabled=false").code == 0
    assert house.file.is_symlink()
    assert "enabled: false" in real.read_text()
    assert stat.S_IMODE(real.stat().st_mode) == 0o640


def test_in_a_folder_each_entry_stays_in_its_file(
    house: World, services: list[DemoService]
) -> None:
    folder = house.folder / "conf"
    folder.mkdir()
    house.file.rename(folder / "a.yaml")
    (folder / "b.yaml").write_text("streams: {}\n")
    house.env["PROXYSYNC_FILE"] = str(folder)
    assert house.call("set", "one", "websockets=true").code == 0
    up = f"upstream=127.0.0.1:{services[1].port}"
    assert house.call("add", "game", "listen=25565", up, "--kind", "stream").code == 0
    assert "websockets: true" in (folder / "a.yaml").read_text()
    assert (folder / "b.yaml").read_text().startswith("streams:\n  game:\n    listen: 25565")
    assert "game" not in (folder / "a.yaml").read_text()
