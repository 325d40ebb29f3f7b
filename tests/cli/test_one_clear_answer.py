"""Whatever is wrong, each command gives one answer that says so and what to do, and soon."""

import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from pathlib import Path

import pytest

from proxysync.app import doctor
from proxysync.app.doctor import machine
from proxysync.app.doctor import npm as doctor_npm
from proxysync.cli import npm as cli_npm
from proxysync.cli.main import COMMANDS
from proxysync.model.backoff import Backoff
from proxysync.npm import session
from proxysync.sandbox import Sandbox
from tests.conftest import in_sandbox
from tests.rights import bound_by_modes
from tests.servers import closed, hanging
from tests.world import Npm, World, eventually, sooner_than

ASK_NPM = {
    "plan": (),
    "apply": ("--yes",),
    "import": (),
    "adopt": ("one", "--yes"),
    "release": ("one", "--yes"),
    "rollback": ("--yes",),
    "status": (),
    "doctor": (),
}
READ_THE_FILE = {
    **{name: words for name, words in ASK_NPM.items() if name not in ("import", "rollback")},
    "validate": (),
    "add": ("two", "domains=two.example.com", "upstream=http://127.0.0.1:1", "--no-probe"),
    "set": ("one", "websockets=true"),
    "remove": ("one",),
}
HAVE_A_STATE = {
    **{name: words for name, words in ASK_NPM.items() if name != "status"},
    **dict.fromkeys(("run", "events", "history", "pause", "resume"), ()),
}
NEEDED = {
    **dict.fromkeys(("release", "add", "set", "remove"), ("one",)),
    "completion": ("bash",),
}
"""Words without which a command cannot be given at all."""

ANSWERS = {
    "no file": "does not exist",
    "broken file": r"did you mean websockets\?",
    "no right in NPM": "not see proxy hosts",
    "unreadable file": "cannot be read: Permission denied",
    "unreadable state": r"/state(?:/state.db)? cannot be (?:written to|read: Permission denied)",
    "no network": "cannot be reached at",
    "frozen": "did not answer GET / in time",
}
NOT_ACCEPTING = "is not accepting connections"

CASES = [
    *(("wrong argument", name) for name in COMMANDS),
    *((f, name) for f in ("no file", "broken file", "unreadable file") for name in READ_THE_FILE),
    *(("unreadable state", name) for name in HAVE_A_STATE),
    *((fault, name) for fault in ("no right in NPM", "no network", "frozen") for name in ASK_NPM),
]

WAITS = (cli_npm.GIVE_UP_AFTER, doctor.WITHIN)
"""Seconds that are waited for NPM at most; the tests wait for less."""

STARTING = 2.0
TOO_LATE = 5.0
"""Seconds for all else, once and on a busy machine."""


@contextmanager
def faulty(fault: str, folder: Path) -> Iterator[World]:
    """A world with just this fault."""
    with ExitStack() as held:
        if fault in ("no right in NPM", "unreadable state"):
            sandbox = held.enter_context(Sandbox())
            npm = in_sandbox(sandbox)
            if fault == "no right in NPM":
                sandbox.add_user("few@example.com", "changeme", {"proxy_hosts": "hidden"})
                npm.identity = "few@example.com"
        else:
            port = held.enter_context(hanging() if fault == "frozen" else closed())
            npm = Npm(f"http://127.0.0.1:{port}", "", "admin@example.com", "changeme")
        world = World(folder, npm)
        world.write({"one": {"upstream": "http://127.0.0.1:1"}}, settings={"verify": "off"})
        if fault == "no file":
            world.file.unlink()
        elif fault == "broken file":
            world.write({"one": {"upstream": "http://127.0.0.1:1", "websocket": True}})
        elif fault == "unreadable file":
            world.file.chmod(0)
        elif fault == "unreadable state":
            world.state.mkdir(mode=0)
        with bound_by_modes() if fault.startswith("unreadable") else nullcontext():
            yield world
        if fault == "unreadable state":
            world.state.chmod(0o700)


@pytest.fixture(autouse=True)
def brief(monkeypatch: pytest.MonkeyPatch) -> None:
    async def yes(_address: str | None) -> bool:
        return True

    monkeypatch.setattr(machine, "answers", yes)
    monkeypatch.setattr(doctor_npm, "ANSWER", 0.3)
    monkeypatch.setattr(cli_npm, "GIVE_UP_AFTER", 0.6)
    monkeypatch.setattr(cli_npm, "TELL_AFTER", 0.1)
    monkeypatch.setattr(session, "RETRY", Backoff(first=0.01, longest=0.01))


@pytest.mark.parametrize(("fault", "command"), CASES)
def test_each_command_gives_one_clear_answer_in_time(
    fault: str, command: str, tmp_path: Path
) -> None:
    with faulty(fault, tmp_path) as world:
        if fault == "wrong argument":
            done = world.call(command, *NEEDED.get(command, ()), "--no-such-flag")
            assert done.err.startswith(f"usage: proxysync {command} ")
            assert "unrecognized arguments: --no-such-flag\n  hint: " in done.err
            assert done.code == 1
            assert done.out == ""
            return
        words = {**HAVE_A_STATE, **READ_THE_FILE, **ASK_NPM}[command]
        with sooner_than(TOO_LATE):
            done = world.call(command, *words)
        told = done.out + done.err
        of_doctor = fault == "no network" and command == "doctor"
        assert len(re.findall(NOT_ACCEPTING if of_doctor else ANSWERS[fault], told)) == 1, told
        assert done.code == (0 if command == "status" else 1)
        if fault == "frozen" and command != "doctor":
            assert told.count("waiting for NPM at") == 1
        if command != "status":
            assert "hint: " in told or fault.endswith("file")


@pytest.mark.long
def test_a_daemon_before_a_frozen_npm_says_that_it_waits_and_goes_on(tmp_path: Path) -> None:
    with faulty("frozen", tmp_path) as world, ExitStack() as running, sooner_than(15):
        running.enter_context(world.daemon())
        eventually(lambda: "config.loaded" in world.event_names())
    assert "waiting for NPM at" in (tmp_path / "daemon.log").read_text()


def test_a_person_waits_15_seconds_at_most() -> None:
    assert max(WAITS) + STARTING <= 15
