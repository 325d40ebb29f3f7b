"""The command line: what it says when something is wrong, and what scripts rely on."""

import shutil
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from proxysync.cli.main import COMMANDS
from proxysync.demo.services import DemoService
from proxysync.sandbox import Sandbox
from tests.tls import issue
from tests.world import World, domain

HEAVY = ("pydantic", "requests", "structlog", "watchdog", "dns", "yaml", "schedule", "asyncio")


@pytest.fixture
def one(small_world: World, services: list[DemoService]) -> World:
    """A file with one entry that works."""
    small_world.write({"one": {"upstream": services[0].url}})
    return small_world


def test_version_and_help_need_nothing(small_world: World) -> None:
    assert small_world.run("--version").out.startswith("proxysync ")
    done = small_world.run("--help")
    assert done.code == 0
    for word in ("validate", "plan", "apply", "run", "demo", "PROXYSYNC_NPM_URL"):
        assert word in done.out


@pytest.mark.parametrize("words", [[], ["nonsense"], ["plan", "--no-such-flag"], ["apply", "x"]])
def test_a_usage_error_exits_with_1_and_never_with_2(small_world: World, words: list[str]) -> None:
    done = small_world.run(*words)
    assert done.code == 1
    assert "hint:" in done.err


def test_a_word_that_is_almost_one_of_ours_is_told_in_few_words(small_world: World) -> None:
    done = small_world.call("plann")
    assert "invalid choice: 'plann'\n  hint: did you mean plan?" in done.err
    assert "invalid choice: 'xyz' (choose from" in small_world.call("plan", "--format", "xyz").err


@pytest.mark.parametrize("command", [["plan"], ["apply", "--yes"], ["run"]])
def test_a_wrong_password_is_a_sentence(one: World, command: list[str]) -> None:
    done = one.run(*command, env={"PROXYSYNC_NPM_SECRET": "wrong-password"})
    assert done.code == 1
    assert "does not accept admin@example.com" in done.err
    assert "wrong-password" not in done.err
    assert len(done.err.splitlines()) <= 2


def test_npm_away_is_a_sentence(one: World) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"
        done = one.call("plan", env={"PROXYSYNC_NPM_URL": url})
    assert done.code == 1
    assert f"NPM cannot be reached at {url}: Connection refused" in done.err


def test_a_web_page_instead_of_the_api_is_a_sentence(
    one: World, services: list[DemoService]
) -> None:
    for url in (one.npm.sites_url, services[0].url):
        done = one.call("plan", env={"PROXYSYNC_NPM_URL": url})
        assert done.code == 1
        assert "web page" in done.err
        assert "PROXYSYNC_NPM_URL" in done.err


def test_a_self_signed_certificate_is_a_sentence_and_a_ca_file_helps(
    one: World, tmp_path: Path
) -> None:
    issued = issue(tmp_path)
    with Sandbox(tls=(issued.certificate, issued.key)) as npm:
        done = one.call("plan", env={"PROXYSYNC_NPM_URL": npm.url})
        assert done.code == 1
        assert "is not trusted" in done.err
        assert "PROXYSYNC_NPM_CA_FILE" in done.err
        done = one.call("plan", "--npm-ca-file", str(issued.ca), "--npm-url", f"{npm.url}/api/")
        assert done.code == 0, done.err


def test_missing_settings_are_all_named_at_once(one: World) -> None:
    done = one.call("plan", env={"PROXYSYNC_NPM_URL": "", "PROXYSYNC_NPM_SECRET": ""})
    assert done.code == 1
    assert "PROXYSYNC_NPM_URL" in done.err
    assert "PROXYSYNC_NPM_SECRET" in done.err


def test_the_secret_can_come_from_a_file_or_a_credential(one: World, tmp_path: Path) -> None:
    (tmp_path / "npm_secret").write_text("changeme\n")
    file = {"PROXYSYNC_NPM_SECRET": "", "PROXYSYNC_NPM_SECRET_FILE": str(tmp_path / "npm_secret")}
    assert one.call("plan", env=file).code == 0
    credential = {"PROXYSYNC_NPM_SECRET": "", "CREDENTIALS_DIRECTORY": str(tmp_path)}
    assert one.call("plan", env=credential).code == 0


def test_flags_win_over_the_environment_before_and_after_the_command(one: World) -> None:
    other = one.folder / "other.yaml"
    other.write_text("version: 2\n")
    for words in (["-f", str(other), "plan"], ["plan", "--file", str(other)]):
        done = one.run(*words)
        assert done.code == 1
        assert "other.yaml" in done.err


def test_detailed_exitcode_tells_changes_from_none(one: World) -> None:
    assert one.call("plan").code == 0
    assert one.call("plan", "--detailed-exitcode").code == 2
    one.apply()
    assert one.call("plan", "--detailed-exitcode").code == 0


def test_plan_shows_only_the_kind_and_tag_that_were_asked_for(
    one: World, services: list[DemoService]
) -> None:
    entries = {name: {"upstream": services[0].url, "tags": [name]} for name in ("lan", "dmz")}
    one.write(entries)
    done = one.call("plan", "--tag", "lan", "--detailed-exitcode")
    assert done.code == 2
    assert f"+ lan ({domain('lan')})" in done.out
    assert "dmz" not in done.out
    last = "Plan: 1 to create, 0 to update, 0 to delete; 0 unchanged. 1 other change is not shown."
    assert done.out.splitlines()[-1] == last
    done = one.call("plan", "--kind", "stream", "--detailed-exitcode")
    assert (done.code, done.out) == (
        2, "No changes to these entries. 2 other changes are not shown.\n"
    )  # fmt: skip
    shown = one.call("plan", "--tag", "dmz", "--format", "json").json
    assert ([c["name"] for c in shown["changes"]], shown["not_shown"]) == (["dmz"], 1)
    assert "did you mean lan?" in one.call("plan", "--tag", "lam").err
    empty = one.folder / "empty.yaml"
    empty.write_text("version: 1\n")
    done = one.call("plan", "--against", str(empty), "--tag", "dmz", "--format", "markdown")
    assert "<code>dmz</code>" in done.out
    assert "1 other change is not shown." in done.out


def test_plan_touches_nothing(one: World) -> None:
    sandbox = one.npm.sandbox
    assert sandbox is not None
    assert one.call("plan", "--probe").code == 0
    assert sandbox.writes == []
    assert not one.state.exists()


def test_validate_checks_the_file_only_when_told_to(one: World) -> None:
    one.write({"dead": {"upstream": "http://127.0.0.1:1"}})
    assert one.call("validate", "--no-probe").code == 0
    assert one.call("validate").code == 1
    one.file.write_text("proxies: {one: {domain: x}}\n")
    done = one.call("validate", "--no-probe")
    assert done.code == 1
    assert "did you mean domains?" in done.err


def test_status_shows_what_is_ours_and_with_all_what_is_not(one: World) -> None:
    one.npm.add_host(domain("theirs"))
    one.apply()
    done = one.call("status", "--format", "json")
    assert [(p["name"], p["sync"], p["health"]) for p in done.json["proxies"]] == [
        ("one", "in sync", "healthy")
    ]
    done = one.call("status", "--all", "--format", "json")
    assert done.json["proxies"][1]["sync"] == "foreign"
    assert one.call("status", "one").code == 0
    assert one.call("status", "nobody").code == 1


def test_status_still_tells_what_it_knows_when_npm_is_away(one: World) -> None:
    one.apply()
    assert one.npm.sandbox is not None
    one.npm.sandbox.stop()
    done = one.call("status", "--format", "json")
    assert done.code == 0
    assert done.json["proxies"][0]["sync"] == "unknown"
    assert "cannot be reached" in done.err


def test_apply_waits_for_another_writer_and_gives_up_in_time(one: World) -> None:
    from proxysync.apply.lock import write_lock

    one.state.mkdir()
    with write_lock(one.state, one.npm.url):
        done = one.run("apply", "--yes", "--lock-timeout", "0.2")
        assert done.code == 1
        assert "still writing to NPM" in done.err
        waiting = threading.Thread(target=lambda: results.append(one.run("apply", "--yes")))
        results: list[object] = []
        waiting.start()
        waiting.join(0.5)
        assert waiting.is_alive()
    waiting.join(30)
    assert len(one.npm.hosts()) == 1


def test_a_lock_of_a_dead_process_is_no_lock(one: World) -> None:
    one.state.mkdir()
    (one.state / "write.lock").write_text("999999\n")
    (one.state / "daemon.lock").write_text("999999\n")
    one.apply("--lock-timeout", "0")


def test_a_damaged_state_is_set_aside_said_and_rebuilt(one: World) -> None:
    one.apply()
    (one.state / "state.db").write_bytes(b"this is no database")
    done = one.call("plan")
    assert done.code == 0
    assert "Warning" in done.err
    one.apply()
    assert "state.damaged" in one.event_names()
    assert list(one.state.glob("state.db.damaged-*"))
    one.assert_in_sync()


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_there_is_completion(small_world: World, shell: str) -> None:
    assert "proxysync" in small_world.call("completion", shell).out


@pytest.mark.skipif(shutil.which("fish") is None, reason="fish is not installed")
def test_fish_completes_commands_flags_and_values(small_world: World) -> None:
    script = small_world.folder / "proxysync.fish"
    script.write_text(small_world.call("completion", "fish").out)
    asked = ("proxysync hist", "proxysync plan --agai", "proxysync events --severity w")
    lines = [f"source {script}", *(f"complete -C '{words}'" for words in asked)]
    done = subprocess.run(
        ["fish", "--no-config", "-c", "\n".join(lines)],
        env={**small_world.env, "HOME": str(small_world.folder)},
        capture_output=True,
        text=True,
        check=True,
    )
    said = [line.split("\t")[0] for line in done.stdout.splitlines()]
    assert said == ["history", "--against", "warn"]


@pytest.mark.parametrize(
    ("command", "heavy"),
    [
        ("--version", (*HEAVY, "sqlite3")),
        ("--help", (*HEAVY, "sqlite3")),
        ("events", HEAVY),
        ("history", HEAVY),
        ("resume", HEAVY),
    ],
)
def test_starting_up_imports_nothing_heavy(
    small_world: World, command: str, heavy: tuple[str, ...]
) -> None:
    import subprocess

    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "proxysync", command],
        env=small_world.env,
        capture_output=True,
        text=True,
        check=True,
    )
    loaded = {
        line.rsplit("|", 1)[-1].strip().partition(".")[0] for line in done.stderr.splitlines()
    }
    assert "argparse" in loaded
    assert not loaded & set(heavy)


def test_every_command_is_listed_and_explains_itself(small_world: World) -> None:
    listed = small_world.run("--help").out
    for name, what in COMMANDS.items():
        assert what.split()[0] in listed
        done = small_world.call(name, "--help")
        assert done.code == 0
        assert done.out.startswith(f"usage: proxysync {name} ")
        assert "--state-dir" in done.out
