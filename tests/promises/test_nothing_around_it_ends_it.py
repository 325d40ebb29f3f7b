"""Nothing around the daemon ends it, or stops it silently: it says so, and goes on when it can."""

import os
import resource
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from proxysync.demo.services import DemoService
from proxysync.sandbox import Sandbox
from tests import forked
from tests.servers import serving
from tests.world import Npm, World, domain, eventually

pytestmark = pytest.mark.timeout(120)

NO_INOTIFY = """
import ctypes, watchdog.observers.inotify_c as c
def none(*_):
    ctypes.set_errno(24)
    return -1
c.inotify_init = none
"""
NO_WATCHES = NO_INOTIFY.replace("errno(24)", "errno(28)").replace(
    "inotify_init", "inotify_add_watch"
)

CLOCK = """
import datetime, pathlib
class Shifted(datetime.datetime):
    @classmethod
    def now(cls, tz=None):
        shift = float(pathlib.Path("shift").read_text() or 0)
        return datetime.datetime.now(tz) + datetime.timedelta(seconds=shift)
import schedule, proxysync.model.clock
class Module:
    datetime, timedelta = Shifted, datetime.timedelta
schedule.datetime = Module
proxysync.model.clock.datetime = Shifted
"""

START = """
from proxysync.cli.main import main
print("up", flush=True)
raise SystemExit(main(["run"]))
"""
IMPATIENT = "import proxysync.store.database as d; d.BUSY_TIMEOUT = 0.1"
SOON = "import proxysync.npm.deadline as d; d.STOP_GRACE = 0.3"


@pytest.fixture
def one(small_world: World, services: list[DemoService]) -> World:
    small_world.write({"one": {"upstream": services[0].url}})
    return small_world


def serves(world: World, text: str, name: str = "one") -> Callable[[], bool]:
    return lambda: text in world.npm.visit(domain(name))[1]


def edit(world: World, old: DemoService, new: DemoService) -> None:
    world.file.write_text(world.file.read_text().replace(old.url, new.url))


def said(world: World, event: str) -> Callable[[], bool]:
    return lambda: event in world.event_names()


@pytest.mark.parametrize("bent", [NO_INOTIFY, NO_WATCHES], ids=["instances", "watches"])
def test_file_without_inotify_is_polled(one: World, services: list[DemoService], bent: str) -> None:
    with one.daemon(bent):
        eventually(serves(one, "one"))
        edit(one, services[0], services[1])
        eventually(serves(one, "two"))
        assert one.event_names().count("config.polled") == 1


def test_file_among_links_that_lead_to_each_other(one: World, services: list[DemoService]) -> None:
    folder = one.folder / "proxies.d"
    folder.mkdir()
    one.file = one.file.rename(folder / "one.yaml")
    (folder / "loop").symlink_to("loop/x")
    (one.folder / "current").symlink_to("proxies.d")
    (one.folder / "here").symlink_to("there/x")
    (one.folder / "there").symlink_to("here/x")
    with one.daemon(PROXYSYNC_FILE=str(one.folder / "current")):
        eventually(serves(one, "one"))
        (folder / "two.yaml").symlink_to("two.yaml")
        eventually(said(one, "config.invalid"))
        (folder / "two.yaml").unlink()
        edit(one, services[0], services[1])
        eventually(serves(one, "two"))


def test_file_that_leads_to_itself_is_waited_for(one: World, services: list[DemoService]) -> None:
    text = one.file.read_text()
    one.file.unlink()
    one.file.symlink_to("proxies.yaml/x")
    with one.daemon():
        eventually(said(one, "config.invalid"))
        one.file.unlink()
        one.file.write_text(text)
        eventually(serves(one, "one"))


def test_file_mounted_and_replaced_outside_is_told_of(one: World) -> None:
    """As a container sees it: the file is still there, but has no name any more."""
    with one.file.open() as mounted:
        seen = f"/proc/{os.getpid()}/fd/{mounted.fileno()}"
        with one.daemon(PROXYSYNC_FILE=seen):
            eventually(serves(one, "one"))
            one.file.unlink()
            eventually(said(one, "config.detached"))
            (event,) = [e for e in one.events() if e["event"] == "config.detached"]
            assert "Mount the folder" in event["data"]["hint"]


@contextmanager
def full_disk(process: forked.Process) -> Iterator[None]:
    """No file of this process grows any more."""
    limits = resource.prlimit(process.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (0, limits[1]))
    try:
        yield
    finally:
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, limits)


def test_state_on_a_full_disk_holds_all_writes_until_there_is_room(
    one: World, services: list[DemoService]
) -> None:
    sandbox = one.npm.sandbox
    assert sandbox is not None
    log = one.folder / "log"
    os.mkfifo(log)
    to_log = f"import os; os.dup2(os.open({str(log)!r}, os.O_RDWR), 2)"
    with one.daemon(to_log) as process, log.open() as lines:
        eventually(serves(one, "one"))
        eventually(said(one, "proxy.created"))
        with full_disk(process):
            writes = len(sandbox.writes)
            edit(one, services[0], services[1])
            assert any('"state.unusable"' in line for line in lines), "said on stderr at once"
            for _ in range(3):
                process.send_signal(signal.SIGHUP)
                # The first one may be what reads the edit, where something else has met the disk.
                assert any(
                    '"config.unchanged"' in line or '"config.loaded"' in line for line in lines
                )
            assert len(sandbox.writes) == writes, "what cannot be remembered is not done"
            assert serves(one, "one")()
        eventually(serves(one, "two"))
        eventually(said(one, "state.back"))
    names = one.event_names()
    assert names.count("state.unusable") == 1
    assert names.index("config.loaded", 2) < names.index("state.back"), "it happened, and is told"
    with closing(sqlite3.connect(one.state / "state.db")) as database:
        rows = database.execute("SELECT event FROM event_log ORDER BY id").fetchall()
    assert [row[0] for row in rows] == names


@contextmanager
def locked(world: World) -> Iterator[sqlite3.Connection]:
    """As a backup does that copies the file under a lock."""
    with closing(sqlite3.connect(world.state / "state.db", check_same_thread=False)) as other:
        other.execute("BEGIN EXCLUSIVE")
        yield other


def test_state_locked_by_a_backup_holds_all_writes_until_it_ends(
    one: World, services: list[DemoService]
) -> None:
    sandbox = one.npm.sandbox
    assert sandbox is not None
    with one.daemon(IMPATIENT):
        eventually(serves(one, "one"))
        eventually(said(one, "proxy.created"))
        writes = len(sandbox.writes)
        with locked(one):
            edit(one, services[0], services[1])
            eventually(lambda: "state.unusable" in (one.folder / "daemon.log").read_text())
            assert "locked" in (one.folder / "daemon.log").read_text()
            assert len(sandbox.writes) == writes
        eventually(serves(one, "two"))
        eventually(said(one, "state.back"))
    assert one.event_names().count("config.loaded") == 2


def test_state_locked_at_the_start_is_waited_for(one: World) -> None:
    one.call("apply", "--yes")
    log = one.folder / "daemon.log"
    log.touch()
    with locked(one) as other:

        def release() -> None:
            eventually(lambda: "Warning: " in log.read_text())
            other.rollback()

        releasing = threading.Thread(target=release)
        releasing.start()
        with one.daemon(IMPATIENT):
            assert "locked" in log.read_text()
        releasing.join()


def test_commands_say_that_the_state_is_locked(one: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("proxysync.store.database.BUSY_TIMEOUT", 0.1)
    one.call("apply", "--yes")
    with locked(one):
        for words in (("apply", "--yes"), ("rollback", "--yes"), ("resume",), ("adopt", "one")):
            done = one.call(*words)
            assert done.code == 1
            assert "locked" in done.err, done.err
            assert "hint: " in done.err
            assert "itself failed" not in done.err


@pytest.mark.parametrize("lost", ["folder", "database", "events.jsonl"])
def test_state_removed_while_it_runs_is_written_anew(
    one: World, services: list[DemoService], lost: str
) -> None:
    with one.daemon() as process:
        eventually(serves(one, "one"))
        eventually(said(one, "proxy.created"))
        if lost == "folder":
            shutil.rmtree(one.state)
        else:
            (one.state / {"database": "state.db"}.get(lost, lost)).unlink()
        edit(one, services[0], services[1])
        eventually(serves(one, "two"))
        eventually(said(one, "proxy.updated"))
        if lost != "events.jsonl":
            eventually(said(one, "state.restored"))
        assert f"pid {process.pid}" in one.call("run").err, "it still has its lock"
        runs = one.call("history", "--format", "json").json["runs"]
        assert len(runs) == 2, "what it knew is not lost with the file"
    with closing(sqlite3.connect(one.state / "state.db")) as database:
        assert database.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
    one.assert_in_sync()


@pytest.mark.parametrize("shift", [-3600, 120 * 86400])
def test_clock_set_holds_up_nothing_that_waits(
    one: World, services: list[DemoService], shift: int
) -> None:
    """The polling, the resync and a blocked entry's next try go on."""
    (one.folder / "shift").write_text("0")
    late = DemoService("late")
    settings = {"resync_interval": "1s"}
    one.write(
        {"one": {"upstream": services[0].url}, "late": {"upstream": late.url}}, settings=settings
    )
    with one.daemon(NO_INOTIFY + CLOCK):
        eventually(serves(one, "one"))
        eventually(said(one, "proxy.blocked"))
        late.start()
        (one.folder / "shift").write_text(str(shift))
        host = one.npm.host("one")
        one.npm.call("PUT", f"/nginx/proxy-hosts/{host['id']}", {"forward_port": services[1].port})
        eventually(serves(one, "late", "late"))
        eventually(serves(one, "one"))
        edit(one, services[0], services[2])
        eventually(serves(one, "three"))
    late.stop()


@contextmanager
def dripping(head: bytes) -> Iterator[str]:
    def talk(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(head)
        while not server.closing.wait(0.05):
            connection.sendall(b"x")

    with serving(talk) as server:
        yield f"http://127.0.0.1:{server.port}"


@pytest.mark.parametrize("head", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 99999\r\n\r\n"])
def test_stop_and_reload_are_heeded_while_npm_drips_at_the_start(one: World, head: bytes) -> None:
    with dripping(head) as url:
        process = subprocess.Popen(
            [sys.executable, "-c", f"{SOON}{START}"],
            env={**one.env, "PROXYSYNC_NPM_URL": url},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            assert process.stdout is not None
            process.stdout.readline()
            eventually(lambda: handles(process.pid, signal.SIGTERM))
            process.send_signal(signal.SIGHUP)
            process.send_signal(signal.SIGTERM)
            out, err = process.communicate(timeout=15)
        finally:
            process.kill()
            process.wait()
    assert (process.returncode, out, err) == (0, "", "")


def handles(pid: int, number: int) -> bool:
    """Whether the process has a handler for this signal."""
    text = Path(f"/proc/{pid}/status").read_text()
    caught = next(line for line in text.splitlines() if line.startswith("SigCgt"))
    return bool(int(caught.split()[1], 16) >> (number - 1) & 1)


def test_npm_that_answers_nothing_for_a_host_that_is_gone(
    tmp_path: Path, services: list[DemoService]
) -> None:
    """As before NPM 2.12: somebody deletes a host by hand."""
    with Sandbox(version="2.10.4") as sandbox:
        npm = Npm(sandbox.url, sandbox.sites_url, "admin@example.com", "changeme", sandbox)
        world = World(tmp_path, npm)
        world.write(
            {"one": {"upstream": services[0].url}, "two": {"upstream": services[1].url}},
            settings={"resync_interval": "1s"},
        )
        with world.daemon():
            eventually(serves(world, "two", "two"))
            npm.call("DELETE", f"/nginx/proxy-hosts/{npm.host('one')['id']}")
            eventually(serves(world, "one"))
        assert "daemon.fault" not in world.event_names()


def test_npm_that_answers_oddly_is_an_error_until_it_is_well(
    one: World, services: list[DemoService]
) -> None:
    sandbox = one.npm.sandbox
    assert sandbox is not None
    with one.daemon():
        eventually(serves(one, "one"))
        (row,) = sandbox._store.hosts["proxy_host"]._rows.values()
        port, row["forward_port"] = row["forward_port"], {"a": [None]}
        edit(one, services[0], services[1])
        eventually(said(one, "npm.answer"))
        row["forward_port"] = port
        eventually(serves(one, "two"))
        eventually(said(one, "npm.back"))


def test_commands_run_goes_on_when_threads_meet_what_nobody_has_foreseen(
    one: World, services: list[DemoService]
) -> None:
    one.write({"one": {"upstream": services[0].url, "health": {"interval": "1s"}}})
    bent = """
import proxysync.health.target as t, proxysync.health.latent as l, proxysync.daemon.monitoring as o
def fail(*_, **__):
    raise ZeroDivisionError("nobody has foreseen this")
t.check = l.find_unresolved = o.expiry_warnings = fail
"""
    with one.daemon(bent) as process:
        eventually(serves(one, "one"))
        eventually(said(one, "health.failed"))
        eventually(said(one, "daemon.fault"))
        edit(one, services[0], services[1])
        eventually(serves(one, "two"))
        assert process.poll() is None
    assert max(map(one.event_names().count, ("health.failed", "daemon.fault"))) == 1


def test_commands_run_with_closed_standard_streams_writes_to_no_other_file(
    one: World, services: list[DemoService]
) -> None:
    process = subprocess.Popen(
        ["sh", "-c", f'exec "{sys.executable}" -m proxysync run <&- >&- 2>&-'], env=one.env
    )
    try:
        eventually(serves(one, "one"))
        edit(one, services[0], services[1])
        eventually(serves(one, "two"))
        process.terminate()
        assert process.wait(20) == 0
    finally:
        process.kill()
        process.wait()
    assert one.event_names()[-1] == "daemon.stopped"
    with closing(sqlite3.connect(one.state / "state.db")) as database:
        assert database.execute("PRAGMA integrity_check").fetchone()[0] == "ok"


@pytest.mark.parametrize("named", ["by a whole path", "from there"])
def test_commands_run_outlives_the_folder_that_it_was_started_in(
    one: World, services: list[DemoService], tmp_path: Path, named: str
) -> None:
    folder = tmp_path / "started here"
    folder.mkdir()
    bent = f"import os; os.chdir({str(folder)!r}); os.rmdir({str(folder)!r})"
    file = str(one.file) if named == "by a whole path" else "proxies.yaml"
    with one.daemon(bent, PROXYSYNC_FILE=file) as process:
        if file == "proxies.yaml":
            eventually(said(one, "config.invalid"))
            assert process.poll() is None
            return
        eventually(serves(one, "one"))
        edit(one, services[0], services[1])
        eventually(serves(one, "two"))
