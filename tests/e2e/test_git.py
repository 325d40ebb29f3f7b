"""The daemon on a git repository: pushes arrive, and whatever goes wrong there, it goes on."""

import signal
from pathlib import Path
from typing import Any

import pytest

from proxysync.demo.services import DemoService
from tests.repository import Repository
from tests.world import World, domain, eventually


class Pushed:
    """A world whose file is pushed to a repository."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.bare = world.folder / "bare.git"
        Repository(world.folder).git(
            "init", "--quiet", "--bare", "--initial-branch=main", "bare.git"
        )
        (world.folder / "clone" / "npm").mkdir(parents=True)
        self.clone = Repository.start(world.folder / "clone")
        self.file = world.file = self.clone.folder / "npm" / "proxies.yaml"
        del world.env["PROXYSYNC_FILE"]
        world.env["PROXYSYNC_GIT_URL"] = f"file://{self.bare}"
        world.env["PROXYSYNC_GIT_PATH"] = "npm/proxies.yaml"
        world.env["PROXYSYNC_GIT_INTERVAL"] = "1s"

    def push(self, proxies: dict[str, Any], message: str = "edit") -> str:
        self.world.write(proxies)
        return self.clone.push(self.bare, message=message)

    def events(self, name: str) -> list[dict[str, Any]]:
        return [event for event in self.world.events() if event["event"] == name]

    def names(self) -> set[str]:
        """Of the hosts in NPM."""
        return {row["domain_names"][0] for row in self.world.npm.hosts()}

    def runs(self) -> list[dict[str, Any]]:
        """What was applied, newest first."""
        runs: list[dict[str, Any]] = self.world.call("history", "--format", "json").json["runs"]
        return runs


@pytest.fixture
def pushed(small_world: World) -> Pushed:
    return Pushed(small_world)


def test_pushes_are_followed_and_their_commits_are_told(
    pushed: Pushed, services: list[DemoService]
) -> None:
    world, upstream = pushed.world, services[0].url
    none = world.call("status")
    assert (none.code, "proxysync run" in none.err) == (1, True), none.err
    first = pushed.push({"one": {"upstream": upstream}}, "Add\x1b[31m one")
    with world.daemon():
        eventually(lambda: pushed.names() == {domain("one")})
        forced = Repository(world.folder / "clone")
        forced.git("checkout", "--quiet", "--orphan", "anew")
        second = pushed.push({"one": {"upstream": upstream}, "two": {"upstream": upstream}})
        eventually(lambda: pushed.names() == {domain("one"), domain("two")})
        eventually(lambda: pushed.runs()[0]["outcome"])
    updated, loaded = pushed.events("git.updated"), pushed.events("config.loaded")
    assert loaded[1]["message"] == "npm/proxies.yaml is loaded: 2 entries"
    assert world.call("validate", "--no-probe").out.startswith("npm/proxies.yaml is valid: 2 ")
    assert [event["data"]["commit"] for event in updated] == [first, second]
    assert [event["data"]["commit"] for event in loaded] == [first, second]
    assert updated[0]["data"]["subject"] == r"Add\x1b[31m one"
    assert [run["commit"] for run in pushed.runs()] == [second, first]
    assert second[:12] in world.call("history").out
    assert world.call("status").out.startswith(f"commit {second[:12]}\n")
    assert world.call("status", "--format", "json").json["commit"] == second
    world.assert_in_sync()
    edit = world.call("remove", "one")
    assert edit.code == 1
    assert f"file://{pushed.bare}" in edit.err
    assert "push" in edit.err
    assert world.call("remove", "one", "-f", str(pushed.file)).code == 0


def test_what_cannot_be_had_is_told_once_and_the_last_commit_kept(
    pushed: Pushed, services: list[DemoService]
) -> None:
    world, good = pushed.world, {"one": {"upstream": services[0].url}}
    away = pushed.bare.with_name("away")
    first = pushed.push(good)
    pushed.bare.rename(away)
    with world.daemon() as process:
        eventually(lambda: pushed.events("git.failed"))
        assert "does not appear to be a git repository" in world.call("plan").err
        away.rename(pushed.bare)
        eventually(lambda: pushed.names() == {domain("one")})
        pushed.file.rename(pushed.file.with_name("elsewhere"))
        second = pushed.clone.push(pushed.bare)
        eventually(lambda: len(pushed.events("git.failed")) == 2)
        (warning,) = world.call("status", "--format", "json").json["warnings"]
        assert (warning["event"], second[:12] in warning["message"]) == ("git.failed", True)
        process.send_signal(signal.SIGHUP)
        eventually(lambda: pushed.events("config.unchanged"))
        pushed.push({"one": {"upstream": "nonsense"}})
        (invalid,) = eventually(lambda: pushed.events("config.invalid"))
        assert invalid["message"].startswith("npm/proxies.yaml:5:5: proxies.one.upstream: ")
        assert invalid["data"]["problems"][0]["file"] == "npm/proxies.yaml"
        assert world.call("plan").err.startswith("Error: npm/proxies.yaml:5:5: ")
        empty = pushed.push({})
        (refused,) = eventually(lambda: pushed.events("plan.refused"))
        assert refused["data"]["commit"] == empty
        third = pushed.push({**good, "two": {"upstream": services[0].url}})
        eventually(lambda: len(pushed.names()) == 2)
        eventually(lambda: not world.call("status", "--format", "json").json["warnings"])
    failed = pushed.events("git.failed")
    assert [event["data"]["reason"] for event in failed] == ["git.no_repository", "git.path"]
    assert failed[1]["data"]["commit"] == second
    assert f"Commit {first[:12]} is kept" in failed[1]["message"]
    assert len(pushed.events("git.back")) == 2
    assert [run["commit"] for run in pushed.runs()] == [third, first]


def test_killed_and_robbed_of_its_folder_it_fetches_anew(
    pushed: Pushed, services: list[DemoService], tmp_path: Path
) -> None:
    world, upstream = pushed.world, services[0].url
    world.env["PROXYSYNC_GIT_PATH"] = "npm"
    more = pushed.file.with_name("more.yaml")
    more.write_text(
        f"proxies: {{two: {{domains: [{domain('two')}], upstream: '{upstream}', "
        "validation: {skip: [http]}}}\n"
    )
    first = pushed.push({"one": {"upstream": upstream}})
    with world.daemon() as process:
        eventually(lambda: len(pushed.names()) == 2)
        process.kill()
        process.wait()
    left = world.state / "git" / "repository-left"
    left.mkdir()
    (left / "shallow.lock").touch()
    second = pushed.push({"one": {"upstream": upstream}, "three": {"upstream": upstream}})
    with world.daemon():
        eventually(lambda: len(pushed.names()) == 3)
        assert not left.exists()
        (world.state / "git").rename(tmp_path / "robbed")
        eventually(lambda: len(pushed.events("git.updated")) == 3)
        more.unlink()  # what a commit has no more is not waited for
        third = pushed.clone.push(pushed.bare)
        eventually(lambda: pushed.names() == {domain("one"), domain("three")})
    commits = [event["data"]["commit"] for event in pushed.events("git.updated")]
    assert commits == [first, second, second, third]
    assert pushed.events("config.invalid") == []
    kept = {folder.name for folder in (world.state / "git" / "files").iterdir()}
    assert kept == {second, third}
