"""`proxysync run` as a process: what it notices, and how it ends."""

import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from proxysync.demo.services import DemoService
from tests.world import RETRY_SOON, World, domain, eventually

pytestmark = pytest.mark.timeout(120)


@pytest.fixture
def one(small_world: World, services: list[DemoService]) -> World:
    small_world.write({"one": {"upstream": services[0].url}})
    return small_world


def serving(world: World, name: str, text: str) -> Callable[[], bool]:
    return lambda: text in world.npm.visit(domain(name))[1]


def save_in_place(world: World, text: str) -> None:
    with world.file.open("w") as file:
        for part in (text[: len(text) // 2], text[len(text) // 2 :]):
            file.write(part)
            file.flush()


def save_by_rename(world: World, text: str) -> None:
    new = world.folder / ".proxies.yaml.swp"
    new.write_text(text)
    new.replace(world.file)


def save_by_removing_first(world: World, text: str) -> None:
    world.file.unlink()
    time.sleep(0.05)
    world.file.write_text(text)


def save_by_git_checkout(world: World, text: str) -> None:
    def git(*words: str) -> None:
        subprocess.run(
            ["git", "-c", "user.name=x", "-c", "user.email=x@example.com", *words],
            cwd=world.folder,
            check=True,
            capture_output=True,
        )

    git("init", "-b", "main")
    git("add", "proxies.yaml")
    git("commit", "-m", "one")
    git("checkout", "-b", "other")
    old = world.file.read_text()
    world.file.write_text(text)
    git("commit", "-am", "two")
    assert old != text
    git("checkout", "main")
    git("checkout", "other")


@pytest.mark.parametrize(
    "save", [save_in_place, save_by_rename, save_by_removing_first, save_by_git_checkout]
)
def test_an_edit_goes_live_however_it_is_saved(
    one: World, services: list[DemoService], save: Callable[[World, str], None]
) -> None:
    with one.daemon():
        eventually(serving(one, "one", "one"))
        save(one, one.file.read_text().replace(services[0].url, services[1].url))
        eventually(serving(one, "one", "two"))


def test_a_swapped_symlink_is_noticed(one: World, services: list[DemoService]) -> None:
    text = one.file.read_text()
    one.file.unlink()
    for name, toy in (("a", services[0]), ("b", services[1])):
        (one.folder / name).mkdir()
        (one.folder / name / "proxies.yaml").write_text(text.replace(services[0].url, toy.url))
    (one.folder / "current").symlink_to("a")
    one.file.symlink_to("current/proxies.yaml")
    with one.daemon():
        eventually(serving(one, "one", "one"))
        (one.folder / "new").symlink_to("b")
        (one.folder / "new").rename(one.folder / "current")
        eventually(serving(one, "one", "two"))


def test_a_folder_of_files_is_watched(one: World, services: list[DemoService]) -> None:
    folder = one.folder / "proxies.d"
    folder.mkdir()
    one.file.rename(folder / "one.yaml")
    with one.daemon(PROXYSYNC_FILE=str(folder)):
        eventually(serving(one, "one", "one"))
        (folder / "two.yaml").write_text(
            f"proxies: {{two: {{domains: [{domain('two')}], upstream: '{services[1].url}'}}}}\n"
        )
        eventually(serving(one, "two", "two"))


def test_a_touched_file_causes_no_work(one: World) -> None:
    with one.daemon():
        eventually(lambda: "proxy.created" in one.event_names())
        # The last request of a round asks for NPM's version.
        eventually(lambda: _requests(one)[-1] == ("GET", "/"))
        before = one.event_names()
        requests = len(_requests(one))
        os.utime(one.file)
        one.file.write_text(one.file.read_text())
        time.sleep(1.0)  # what must not happen has no condition to wait for
        assert one.event_names() == before
        assert len(_requests(one)) == requests


def _requests(world: World) -> list[tuple[str, str]]:
    assert world.npm.sandbox is not None
    return world.npm.sandbox.requests


def test_a_bad_file_is_said_once_and_the_last_good_one_stays_in_force(
    one: World, services: list[DemoService]
) -> None:
    good = one.file.read_text()
    one.file.write_text(good.replace("settings:", "settings:\n  resync_interval: 1s"))
    with one.daemon() as process:
        eventually(serving(one, "one", "one"))
        one.file.write_text("proxies: [\n")
        eventually(lambda: "config.invalid" in one.event_names())
        host = one.npm.host("one")
        one.npm.call("PUT", f"/nginx/proxy-hosts/{host['id']}", {"forward_port": services[1].port})
        eventually(serving(one, "one", "one"))
        assert one.event_names().count("config.invalid") == 1
        process.send_signal(signal.SIGHUP)
        eventually(lambda: one.event_names().count("config.invalid") == 2)
        save_by_rename(one, good.replace(services[0].url, services[2].url))
        eventually(serving(one, "one", "three"))


def test_a_blocked_entry_goes_live_when_its_service_starts_without_an_edit(
    one: World, services: list[DemoService]
) -> None:
    late = DemoService("late")
    one.write({"one": {"upstream": services[0].url}, "late": {"upstream": late.url}})
    with one.daemon(RETRY_SOON):
        eventually(serving(one, "one", "one"))
        eventually(lambda: "proxy.blocked" in one.event_names(name="late"))
        assert len(one.npm.hosts()) == 1
        status = one.call("status", "late", "--format", "json").json["proxies"][0]
        assert status["sync"] == "blocked"
        assert status["hint"] == (
            f"Port {late.port} is not accepting connections. "
            "Check if the service is running and the port is correct."
        )
        late.start()
        eventually(serving(one, "late", "late"))
    late.stop()
    assert one.event_names(name="late") == ["proxy.blocked", "proxy.unblocked", "proxy.created"]


def test_an_update_that_cannot_work_leaves_what_is_live(
    one: World, services: list[DemoService]
) -> None:
    with one.daemon():
        eventually(serving(one, "one", "one"))
        save_by_rename(one, one.file.read_text().replace(services[0].url, "http://127.0.0.1:1"))
        eventually(lambda: "proxy.blocked" in one.event_names(name="one"))
        assert one.npm.host("one")["forward_port"] == services[0].port


def test_npm_going_away_and_coming_back_is_one_event_each(
    one: World, services: list[DemoService]
) -> None:
    sandbox = one.npm.sandbox
    assert sandbox is not None
    with one.daemon():
        eventually(serving(one, "one", "one"))
        sandbox.stop()
        save_by_rename(one, one.file.read_text().replace(services[0].url, services[1].url))
        eventually(lambda: "npm.unavailable" in one.event_names())
        time.sleep(3)  # some more tries, which must not be told
        sandbox.start()
        one.npm.log_in()
        eventually(serving(one, "one", "two"), patience=30)
        eventually(lambda: "npm.back" in one.event_names())
    names = one.event_names()
    assert names.count("npm.unavailable") == 1
    assert names.count("npm.back") == 1


def test_an_npm_that_is_not_up_yet_is_waited_for(one: World) -> None:
    sandbox = one.npm.sandbox
    assert sandbox is not None
    sandbox.stop()
    with one.daemon():
        eventually(lambda: "npm.unavailable" in one.event_names())
        sandbox.start()
        eventually(serving(one, "one", "one"))


def test_a_broken_npm_is_written_to_once_and_again_when_it_is_well(
    one: World, services: list[DemoService]
) -> None:
    sandbox = one.npm.sandbox
    assert sandbox is not None
    with one.daemon():
        eventually(serving(one, "one", "one"))
        sandbox.break_nginx("somebody's file")
        save_by_rename(one, one.file.read_text().replace(services[0].url, services[1].url))
        eventually(lambda: "npm.unconfirmed" in one.event_names())
        assert one.call("status", "--format", "json").json["proxies"][0]["sync"] == "unconfirmed"
        sandbox.mend_nginx()
        eventually(serving(one, "one", "two"), patience=30)
        eventually(lambda: "npm.back" in one.event_names())
        assert one.event_names().count("npm.unconfirmed") == 1


def test_sighup_reloads_and_sigint_ends_it(one: World) -> None:
    with one.daemon() as process:
        eventually(lambda: "proxy.created" in one.event_names())
        reads = len(_requests(one))
        process.send_signal(signal.SIGHUP)
        eventually(lambda: len(_requests(one)) > reads)
        eventually(lambda: one.event_names().count("config.unchanged") == 1)
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == 0
    assert one.event_names()[-1] == "daemon.stopped"


def test_a_second_daemon_on_the_same_state_is_refused_with_the_first_ones_pid(one: World) -> None:
    with one.daemon() as process:
        done = one.run("run")
        assert done.code == 1
        assert f"(pid {process.pid})" in done.err


def test_killed_and_started_again_it_goes_on(one: World, services: list[DemoService]) -> None:
    with one.daemon() as process:
        eventually(serving(one, "one", "one"))
        process.kill()
        process.wait()
    one.write({"one": {"upstream": services[1].url}})
    with one.daemon():
        eventually(serving(one, "one", "two"))
    assert len(one.npm.hosts()) == 1


def test_systemd_is_told_when_it_is_ready_and_when_it_ends(one: World, tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
        channel.bind(str(tmp_path / "notify"))
        channel.settimeout(20)
        with one.daemon(NOTIFY_SOCKET=str(tmp_path / "notify")):
            assert channel.recv(1000).startswith(b"READY=1")
        assert channel.recv(1000) == b"STOPPING=1"


def test_systemd_is_told_that_it_goes_on_as_long_as_it_does(one: World, tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
        channel.bind(str(tmp_path / "notify"))
        channel.settimeout(20)
        told = {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "400000"}
        with one.daemon(**told) as process:
            while not channel.recv(1000).startswith(b"READY=1"):
                pass
            assert [channel.recv(1000) for _ in range(3)] == [b"WATCHDOG=1"] * 3
            process.send_signal(signal.SIGSTOP)  # it is stuck
            channel.settimeout(1)
            for _ in range(10):  # what was said before
                with suppress(TimeoutError):
                    channel.recv(1000)
                    continue
                break
            with pytest.raises(TimeoutError):
                channel.recv(1000)
            channel.settimeout(20)
            process.send_signal(signal.SIGCONT)
            assert channel.recv(1000) == b"WATCHDOG=1"


def test_the_log_is_json_where_nobody_watches(one: World) -> None:
    with one.daemon():
        eventually(serving(one, "one", "one"))
    lines = [json.loads(line) for line in (one.folder / "daemon.log").read_text().splitlines()]
    assert lines == one.events()
    followed = one.call("events", "--format", "json").json["events"]
    assert lines == followed[::-1]
