"""NPM is written to by one proxysync at a time, whichever state folder and user it has."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from proxysync.apply.lock import write_lock
from proxysync.demo.services import DemoService
from tests.world import World, eventually

OTHER_DAEMON = "for this NPM keeps its state in"


@contextmanager
def elsewhere(world: World) -> Iterator[Path]:
    """Another proxysync, with a state folder of its own, that is writing to this NPM."""
    folder = world.folder / "other-state"
    folder.mkdir()
    with write_lock(folder, world.npm.url):
        yield folder


def second_shell(world: World) -> World:
    """The same file and NPM, and another state folder."""
    folder = world.folder / "second"
    folder.mkdir()
    second = World(folder, world.npm)
    second.file = world.file
    second.env["PROXYSYNC_FILE"] = str(world.file)
    return second


@pytest.mark.parametrize(
    "words",
    [
        ("apply", "--yes"),
        ("adopt", "one", "--yes"),
        ("release", "one", "--yes"),
        ("rollback", "--yes"),
    ],
    ids=["apply", "adopt", "release", "rollback"],
)
def test_commands_wait_for_a_writer_with_another_state_folder(
    small_world: World, services: list[DemoService], words: tuple[str, ...]
) -> None:
    small_world.write({"one": {"upstream": services[0].url}})
    small_world.apply()
    small_world.write({"one": {"upstream": services[1].url}})
    before = small_world.npm.hosts()
    with elsewhere(small_world):
        done = small_world.call(*words, "--lock-timeout", "0.1")
    assert done.code == 1
    who = f"another proxysync (pid {os.getpid()}) with another state folder"
    assert f"waiting for {who} that is writing to NPM" in done.err
    assert f"{who} is still writing to NPM" in done.err
    assert small_world.npm.hosts() == before
    assert small_world.call(*words, "--lock-timeout", "0.1").code == 0


def test_shell_that_spells_the_url_of_npm_otherwise_waits(
    small_world: World, services: list[DemoService]
) -> None:
    small_world.write({"one": {"upstream": services[0].url}})
    url = small_world.npm.url.replace("127.0.0.1", "localhost")
    with elsewhere(small_world):
        done = small_world.call("apply", "--yes", "--lock-timeout", "0", "--npm-url", f"{url}/api")
    assert done.code == 1
    assert small_world.npm.hosts() == []


def test_commands_run_waits_its_turn_and_then_goes_on(
    small_world: World, services: list[DemoService]
) -> None:
    small_world.write({"one": {"upstream": services[0].url}})
    other = ExitStack()
    other.enter_context(elsewhere(small_world))
    with other, small_world.daemon():
        eventually(lambda: "daemon.waiting" in small_world.event_names())
        (event,) = (e for e in small_world.events() if e["event"] == "daemon.waiting")
        assert "with another state folder" in event["message"]
        assert small_world.npm.hosts() == []
        other.close()
        eventually(small_world.npm.hosts)


def test_stop_by_a_kill_leaves_no_lock_behind(
    small_world: World, services: list[DemoService]
) -> None:
    small_world.write({"one": {"upstream": services[0].url}})
    folder = small_world.folder / "killed"
    folder.mkdir()
    script = (
        "import sys, time; from pathlib import Path; from proxysync.apply.lock import write_lock\n"
        "with write_lock(Path(sys.argv[1]), sys.argv[2]):\n  print('held', flush=True)\n"
        "  time.sleep(60)"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", script, str(folder), small_world.npm.url], stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"held\n"
    assert small_world.call("apply", "--yes", "--lock-timeout", "0").code == 1
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    small_world.apply("--lock-timeout", "0")


def test_state_of_a_running_daemon_takes_no_second_one(
    small_world: World, services: list[DemoService]
) -> None:
    small_world.write({"one": {"upstream": services[0].url}})
    with small_world.daemon() as process:
        done = small_world.run("run")
    assert done.code == 1
    assert f"another proxysync daemon (pid {process.pid}) runs on the state folder" in done.err


def test_shell_with_another_state_folder_is_told_of_the_daemons(
    world: World, services: list[DemoService]
) -> None:
    second = second_shell(world)
    world.write({"one": {"upstream": services[0].url}})
    with world.daemon() as process:
        eventually(lambda: "proxy.created" in world.event_names())
        for words in (
            ("plan", "--format", "json"),
            ("status", "--format", "json"),
            ("events", "--format", "json"),
            ("history", "--format", "json"),
            ("apply", "--yes", "--format", "json"),
            ("adopt", "--all", "--yes", "--format", "json"),
            ("rollback",),
            ("resume",),
        ):
            done = second.call(*words)
            assert f"the daemon (pid {process.pid}) {OTHER_DAEMON} {world.state}" in done.err, words
            assert f"--state-dir {world.state} or PROXYSYNC_STATE_DIR" in done.err
            if "json" in words:
                assert done.json is not None
            assert OTHER_DAEMON not in world.call(*words).err, words
    assert OTHER_DAEMON not in second.call("plan").err


def test_file_that_was_changed_while_it_waited_is_not_applied_as_it_was(
    small_world: World, services: list[DemoService]
) -> None:
    small_world.write({"one": {"upstream": services[0].url}})
    log = small_world.folder / "waiting.log"
    with log.open("w") as err, elsewhere(small_world):
        process = subprocess.Popen(
            small_world.command("apply", "--yes"),
            env=small_world.env,
            stdout=subprocess.DEVNULL,
            stderr=err,
        )
        eventually(lambda: "waiting for another proxysync" in log.read_text())
        small_world.write({"one": {"upstream": services[1].url}})
    assert process.wait(timeout=60) == 1
    assert "was changed since it was read, so nothing was written" in log.read_text()
    assert small_world.npm.hosts() == []
    small_world.apply()
    assert int(small_world.npm.host("one")["forward_port"]) == services[1].port
