"""In a shell of the service's machine, commands use what the service was given."""

import os
from pathlib import Path

import pytest

from proxysync.config import service
from proxysync.demo.services import DemoService
from proxysync.model.errors import ProxysyncError
from proxysync.store.database import make_folder
from proxysync.store.private import make_private, open_private
from tests.world import World

NOTE = "so this uses what the service has"


@pytest.fixture
def beside(
    small_world: World,
    services: list[DemoService],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> World:
    """A world whose settings only the service has."""
    etc, state = tmp_path / "etc", tmp_path / "var"
    monkeypatch.setattr(service, "FOLDER", etc)
    monkeypatch.setattr(service, "STATE", state)
    etc.mkdir()
    (etc / "npm_secret").write_text(f"{small_world.npm.secret}\n")
    (etc / "environment").write_text(
        f"# of the service\nPROXYSYNC_NPM_URL='{small_world.npm.url}'\n"
        f"PROXYSYNC_NPM_IDENTITY={small_world.npm.identity}\nPROXYSYNC_VAR_UP={services[0].url}\n"
    )
    small_world.file, small_world.state = etc / "proxies.yaml", state
    small_world.write({"one": {"upstream": "${UP}"}})
    small_world.env = {
        name: value for name, value in small_world.env.items() if not name.startswith("PROXYSYNC_")
    }
    return small_world


def test_a_command_has_what_the_service_has_and_says_so_once(beside: World) -> None:
    done = beside.call("apply", "--yes")
    assert done.code == 0, done.err
    assert done.err.count(NOTE) == 1
    assert beside.event_names()
    for command in ("status", "events", "history", "plan", "validate", "doctor"):
        done = beside.call(command, "--format", "json")
        assert done.code == 0, done.out + done.err
        assert done.json
        assert done.err.count(NOTE) == 1


def test_who_names_npm_or_needs_none_is_left_alone(beside: World) -> None:
    plain = beside.folder / "plain.yaml"
    plain.write_text("version: 1\nproxies: {}\n")
    done = beside.call("plan", "--npm-url", beside.npm.url, env={"PROXYSYNC_FILE": str(plain)})
    assert NOTE not in done.err
    assert "PROXYSYNC_NPM_IDENTITY" in done.err
    assert NOTE not in beside.call("schema").err
    for words in (["validate", "--no-probe"], ["plan", "--against", str(plain)]):
        assert beside.call(*words, "-f", str(plain)).err == ""


def test_what_is_set_in_the_shell_wins(beside: World) -> None:
    wrong = {"PROXYSYNC_NPM_SECRET": "wrong-password"}
    done = beside.call("plan", env=wrong)
    assert "does not accept" in done.err
    done = beside.call("plan", env={"PROXYSYNC_VAR_UP": "nonsense"})
    assert "nonsense" in done.err


@pytest.mark.parametrize("name", ["environment", "npm_secret"])
def test_what_may_not_be_read_is_named_with_what_to_do(beside: World, name: str) -> None:
    path = service.FOLDER / name
    path.unlink()
    path.symlink_to(path)
    done = beside.call("status")
    assert done.code == 1
    assert str(path) in done.err
    assert "Run it with sudo" in done.err
    assert beside.call("doctor").code == 1


def test_where_there_is_no_service_nothing_is_said_of_one(beside: World) -> None:
    (service.FOLDER / "environment").unlink()
    done = beside.call("plan", "-f", str(beside.file))
    assert NOTE not in done.err
    assert "PROXYSYNC_VAR_UP" in done.err


@pytest.mark.skipif(os.geteuid() != 0, reason="only root makes files of others")
def test_what_root_makes_in_the_daemons_folder_is_the_daemons(tmp_path: Path) -> None:
    os.chown(tmp_path, 12345, 12346)
    with open_private(tmp_path / "write.lock"):
        make_private(tmp_path / "state.db")
    for path in tmp_path.iterdir():
        assert (path.stat().st_uid, path.stat().st_gid) == (12345, 12346)
    make_folder(tmp_path)
    (tmp_path / "events.jsonl").symlink_to("/etc/nothing")
    with pytest.raises(ProxysyncError, match="root follows none"):
        make_folder(tmp_path)
