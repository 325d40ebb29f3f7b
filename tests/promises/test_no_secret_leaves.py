"""No secret, present or past, leaves by any door, and the file reads what was meant for it only."""

import os
import re
import shutil
import signal
import socket
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from proxysync.config import variables
from proxysync.demo.services import DemoService
from tests.world import Done, World, eventually

OLD = "old-T0ken-of-yesterday"
NEW = "new-T0ken-of-today"
ENTRY = 'set $t "${TOKEN}";'
LOOKS = (
    ("validate",),
    ("validate", "--format", "json"),
    ("validate", "--no-probe"),
    ("plan",),
    ("plan", "--format", "json"),
    ("plan", "--format", "markdown"),
    ("status",),
    ("status", "one"),
    ("status", "--format", "json"),
    ("status", "--all"),
    ("history",),
    ("history", "--format", "json"),
    ("events",),
    ("events", "--format", "json"),
    ("rollback", "1"),
)
"""Every command that shows something and writes nothing."""

WRITES = (("apply", "--yes"), ("apply", "--yes", "--format", "json"), ("rollback", "1", "--yes"))


def write(world: World, toy: DemoService, config: str = ENTRY, **entry: Any) -> None:
    world.write({"one": {"upstream": toy.url, "advanced_config": config, **entry}})


def hand_over(world: World, value: str | None) -> None:
    world.env.pop("PROXYSYNC_SECRET_TOKEN", None)
    if value is not None:
        world.env["PROXYSYNC_SECRET_TOKEN"] = value


def said(world: World, *commands: tuple[str, ...]) -> list[Done]:
    """What these commands print, which must hold no value of the secret."""
    done = [world.call(*words) for words in commands]
    for words, one in zip(commands, done, strict=True):
        shown = (one.out + one.err).lower()
        assert OLD.lower() not in shown, words
        assert NEW.lower() not in shown, words
    return done


def assert_told_nothing(world: World) -> None:
    """Neither the file of events nor their table has a value of the secret."""
    for path in world.state.glob("events.jsonl*"):
        text = path.read_text()
        assert OLD not in text
        assert NEW not in text


def test_commands_show_a_secret_as_its_name(
    small_world: World, services: list[DemoService]
) -> None:
    write(small_world, services[0])
    hand_over(small_world, NEW)
    (plan,) = said(small_world, ("plan",))
    assert 'set $t "${TOKEN}";' in plan.out
    said(small_world, *WRITES[:2], *LOOKS, WRITES[2], *LOOKS)
    assert_told_nothing(small_world)


def test_commands_show_a_plain_variable_as_its_value(
    small_world: World, services: list[DemoService]
) -> None:
    write(small_world, services[0], 'set $t "${TOKEN}"; # a-plain-value')
    small_world.env["PROXYSYNC_VAR_TOKEN"] = "a-plain-value"
    plan = small_world.call("plan").out
    assert "${TOKEN}" not in plan
    assert plan.count("a-plain-value") == 2


def test_plan_shows_vars_and_snippets_put_together_and_a_secret_in_them_as_its_name(
    small_world: World, services: list[DemoService]
) -> None:
    entry = {
        "upstream": f"http://${{service}}:{services[0].port}",
        "advanced_config": ["auth", 'add_header Host "${service}";'],
    }
    small_world.write(
        {"one": entry}, vars={"service": "127.0.0.1"}, snippets={"auth": 'set $t "${TOKEN}";'}
    )
    hand_over(small_world, NEW)
    plan, _ = said(small_world, ("plan",), WRITES[0])
    assert f"upstream: http://127.0.0.1:{services[0].port}" in plan.out
    assert '+ set $t "${TOKEN}";\n      + add_header Host "127.0.0.1";\n' in plan.out
    (again,) = said(small_world, ("plan", "--detailed-exitcode"))
    assert again.code == 0


def test_commands_hide_a_secret_that_nginx_quotes(
    world: World, services: list[DemoService]
) -> None:
    write(world, services[0], "${TOKEN} on;")
    hand_over(world, NEW)
    (apply,) = said(world, WRITES[0])
    assert "${TOKEN}" in apply.out
    assert apply.code == 1
    said(world, WRITES[1], *(look for look in LOOKS if look[0] != "rollback"))
    assert_told_nothing(world)


def test_secret_rotated_its_earlier_value_is_hidden(
    world: World, services: list[DemoService]
) -> None:
    write(world, services[0])
    hand_over(world, OLD)
    said(world, WRITES[0])
    hand_over(world, NEW)
    text, as_json, markdown = said(world, *LOOKS[3:6])
    assert all("${TOKEN}" in done.out for done in (text, as_json, markdown))
    said(world, *LOOKS, *WRITES[:2], *LOOKS)
    assert NEW in world.npm.host("one")["advanced_config"]
    said(world, ("rollback",), ("rollback", "--yes"), *LOOKS)
    assert_told_nothing(world)


def test_secret_dropped_from_file_and_environment_stays_hidden(
    small_world: World, services: list[DemoService]
) -> None:
    write(small_world, services[0])
    hand_over(small_world, OLD)
    said(small_world, WRITES[0])
    write(small_world, services[0], "# nothing")
    hand_over(small_world, None)
    said(small_world, *LOOKS, *WRITES[:2], *LOOKS, ("rollback", "--yes"), *LOOKS)
    assert_told_nothing(small_world)


def test_secret_of_several_lines_is_hidden_line_by_line(
    small_world: World, services: list[DemoService]
) -> None:
    hand_over(small_world, f"# first {OLD}\n# second {NEW}")
    write(small_world, services[0], "# before\n${TOKEN}\n# after\n")
    said(small_world, WRITES[0])
    write(small_world, services[0], "# before\n# after\n")
    hand_over(small_world, None)
    said(small_world, *LOOKS)


def test_state_lost_what_may_have_been_secret_is_not_shown(
    world: World, services: list[DemoService]
) -> None:
    write(world, services[0])
    hand_over(world, OLD)
    said(world, WRITES[0])
    shutil.rmtree(world.state)
    hand_over(world, NEW)
    said(world, *LOOKS[:10], WRITES[0], *LOOKS[:14])
    assert_told_nothing(world)


@pytest.mark.parametrize(
    "then", [pytest.param("rotated", marks=pytest.mark.long), "plain", "edited by hand"]
)
def test_state_lost_what_was_written_over_is_not_shown_by_the_way_back(
    world: World, services: list[DemoService], then: str
) -> None:
    location = {"path": "/x", "upstream": services[0].url, "advanced_config": ENTRY}
    write(world, services[0], locations=[location])
    hand_over(world, OLD)
    said(world, WRITES[0])
    shutil.rmtree(world.state)
    if then == "plain":
        write(world, services[0], "# plain")
    hand_over(world, None if then == "plain" else NEW)
    said(world, WRITES[0], *LOOKS[:14], ("rollback",))
    done = said(world, ("rollback", "--yes"), *LOOKS, ("plan", "--probe"))
    assert done[0].code == 0, done[0].err
    host = world.npm.host("one")
    assert OLD in host["advanced_config"]
    if then == "edited by hand":
        path = f"/nginx/proxy-hosts/{host['id']}"
        world.npm.call("PUT", path, {"advanced_config": f"# {OLD}"})
    said(world, *LOOKS, ("resume",), *LOOKS, WRITES[0], *LOOKS, ("rollback",))
    assert_told_nothing(world)


def test_state_lost_orphan_that_was_deleted_is_not_shown_by_the_way_back(
    world: World, services: list[DemoService]
) -> None:
    write(world, services[0])
    hand_over(world, OLD)
    said(world, WRITES[0])
    shutil.rmtree(world.state)
    world.write({"two": {"upstream": services[0].url}})
    hand_over(world, None)
    said(world, ("apply", "--yes", "--delete-orphans", "--max-delete", "100%"))
    said(world, *LOOKS[:14], ("rollback",), ("rollback", "--yes"), *LOOKS, ("rollback",))


def test_shell_with_another_state_folder_does_not_show_what_only_the_first_knows(
    small_world: World, services: list[DemoService]
) -> None:
    first, second = str(small_world.state), str(small_world.folder / "second")
    write(small_world, services[0])
    hand_over(small_world, OLD)
    said(small_world, WRITES[0])
    hand_over(small_world, NEW)
    small_world.env["PROXYSYNC_STATE_DIR"] = second
    said(small_world, *LOOKS, WRITES[0], *LOOKS[:14])
    hand_over(small_world, OLD)
    small_world.env["PROXYSYNC_STATE_DIR"] = first
    said(small_world, *LOOKS)


def test_instance_another_one_does_not_show_what_only_the_first_knows(
    small_world: World, services: list[DemoService]
) -> None:
    write(small_world, services[0])
    hand_over(small_world, OLD)
    said(small_world, WRITES[0])
    hand_over(small_world, NEW)
    small_world.env["PROXYSYNC_STATE_DIR"] = str(small_world.folder / "second")
    write(small_world, services[0])
    text = small_world.file.read_text()
    small_world.file.write_text(f"{text}settings: {{instance: other}}\n")
    said(small_world, *LOOKS[:10], WRITES[0], ("adopt", "one", "--yes"))


@pytest.mark.parametrize("content", ["][\n", "proxies: {one: {domains: 5}}\n", ""])
def test_file_broken_hides_what_was_secret_before(
    small_world: World, services: list[DemoService], content: str
) -> None:
    write(small_world, services[0])
    hand_over(small_world, OLD)
    said(small_world, WRITES[0])
    small_world.file.write_text(content)
    hand_over(small_world, None)
    said(small_world, *LOOKS, ("rollback", "1", "--yes"))


def test_file_that_is_a_link_to_another_is_not_quoted(small_world: World) -> None:
    target = small_world.folder / "shadow"
    small_world.file.symlink_to(target)
    for content in (f"root:{OLD}:19000:0\n", f"- {OLD}\n", f"!{OLD} x\n", f"*{OLD}\n", f"'{OLD}"):
        target.write_text(content)
        (done, *_) = said(small_world, ("validate",), ("validate", "--format", "json"), ("plan",))
        assert done.code == 1
        assert "proxies.yaml:1:" in done.err


@pytest.mark.parametrize(
    "name", ["PROXYSYNC_NPM_SECRET", "NPM_SECRET", "HOME", "npm_secret", "npm_password"]
)
def test_file_reads_nothing_that_was_not_handed_over(
    small_world: World, services: list[DemoService], name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for folder in ("credentials", "secrets"):
        (small_world.folder / folder).mkdir()
        for file in ("npm_secret", "npm_password"):
            (small_world.folder / folder / file).write_text(OLD)
    monkeypatch.setattr(variables, "CONTAINER_SECRETS", small_world.folder / "secrets")
    del small_world.env["PROXYSYNC_NPM_SECRET"]
    small_world.env |= {
        "CREDENTIALS_DIRECTORY": str(small_world.folder / "credentials"),
        "PROXYSYNC_API_TOKEN_FILE": str(small_world.folder / "credentials" / "npm_password"),
        "PROXYSYNC_NPM_SECRET_FILE": str(small_world.folder / "secrets" / "npm_password"),
    }
    health = {"path": f"/${{{name}}}"}
    write(small_world, services[0], "", health=health)
    for command in (("validate",), ("plan",), ("apply", "--yes")):
        (done,) = said(small_world, command)
        assert done.code == 1
        assert f"PROXYSYNC_VAR_{name}=" in done.err
    write(small_world, services[0], "", domains=[f"${{{name}}}.example.com"])
    assert small_world.call("validate").code == 1


def test_file_may_read_a_credential_and_a_container_secret(
    small_world: World, services: list[DemoService], monkeypatch: pytest.MonkeyPatch
) -> None:
    for folder, name in (("credentials", "one"), ("secrets", "two")):
        (small_world.folder / folder).mkdir()
        (small_world.folder / folder / name).write_text(f"{OLD}-{name}\n")
    monkeypatch.setattr(variables, "CONTAINER_SECRETS", small_world.folder / "secrets")
    small_world.env["CREDENTIALS_DIRECTORY"] = str(small_world.folder / "credentials")
    write(small_world, services[0], "# ${one} ${two}")
    (done,) = said(small_world, WRITES[0])
    assert done.code == 0, done.err
    assert small_world.npm.host("one")["advanced_config"] == f"# {OLD}-one {OLD}-two"


def test_file_cannot_send_a_secret_to_a_name_server(
    small_world: World, services: list[DemoService], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a name was looked up")

    hand_over(small_world, NEW)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    for entry in (
        {"upstream": "http://${TOKEN}.example.com"},
        {"upstream": services[0].url, "domains": ["${TOKEN}.example.com"]},
        {"upstream": services[0].url, "locations": [{"path": "/", "upstream": "http://${TOKEN}"}]},
    ):
        small_world.write({"one": entry})
        (done,) = said(small_world, ("validate",))
        assert done.code == 1
        assert "PROXYSYNC_VAR_TOKEN" in done.err


def test_run_takes_a_rotated_file_and_logs_no_value(
    small_world: World, services: list[DemoService]
) -> None:
    file = small_world.folder / "token"
    file.write_text(OLD + "\n")
    write(small_world, services[0])
    small_world.env["PROXYSYNC_SECRET_TOKEN_FILE"] = str(file)

    def live() -> str:
        hosts = small_world.npm.hosts()
        return str(hosts[0]["advanced_config"]) if hosts else ""

    with small_world.daemon() as process:
        eventually(lambda: OLD in live())
        file.write_text(NEW + "\n")
        process.send_signal(signal.SIGHUP)
        eventually(lambda: NEW in live())
        said(small_world, *LOOKS)
    log = (small_world.folder / "daemon.log").read_text()
    assert OLD not in log
    assert NEW not in log
    assert_told_nothing(small_world)


@contextmanager
def lax() -> Iterator[None]:
    before = os.umask(0)
    try:
        yield
    finally:
        os.umask(before)


def modes(folder: Path) -> Mapping[str, int]:
    return {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}


def test_state_files_are_their_owners_alone(
    small_world: World, services: list[DemoService]
) -> None:
    write(small_world, services[0])
    hand_over(small_world, OLD)
    with lax(), small_world.daemon():
        eventually(lambda: "daemon.lock" in modes(small_world.state) and small_world.npm.hosts())
        small_world.run("apply", "--yes")
        found = modes(small_world.state)
    expected = {"state.db", "state.db-wal", "state.db-shm", "events.jsonl", "events.lock"}
    assert expected | {"write.lock", "daemon.lock"} <= set(found)
    assert set(found.values()) == {0o600}
    assert stat.S_IMODE(small_world.state.stat().st_mode) == 0o700


def test_state_files_that_others_could_read_are_closed_to_them(
    small_world: World, services: list[DemoService]
) -> None:
    write(small_world, services[0])
    hand_over(small_world, OLD)
    with lax():
        small_world.call("apply", "--yes")
        for path in small_world.state.iterdir():
            path.chmod(0o644)
        (small_world.state / "state.db").write_bytes(b"damaged " * 1000)
        small_world.call("apply", "--yes")
    assert any("damaged" in name for name in modes(small_world.state))
    assert set(modes(small_world.state).values()) == {0o600}


UNSAFE = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
HOSTILE = "\x1b[31m\x9b2J\x7f\u202e\r\n::error::x"


def assert_harmless(done: Done) -> None:
    assert not UNSAFE.search(done.out + done.err)
    lines = (done.out + done.err).splitlines()
    assert not [line for line in lines if line.lstrip().startswith("::")]


def test_terminal_gets_no_control_character_from_an_argument(small_world: World) -> None:
    for wrong in ((HOSTILE,), ("plan", "--format", HOSTILE), ("events", "--limit", HOSTILE)):
        done = small_world.call(*wrong)
        assert done.code == 1
        assert "error::x" in done.err
        assert_harmless(done)
    for words in (
        ("status", HOSTILE),
        ("validate", HOSTILE),
        ("events", "--since", HOSTILE),
        ("-f", HOSTILE, "plan"),
        ("--npm-url", HOSTILE, "plan"),
        ("--npm-secret-file", HOSTILE, "plan"),
        ("--state-dir", f"{small_world.folder}/{HOSTILE}", "apply", "--yes"),
    ):
        assert_harmless(small_world.call(*words))


@pytest.mark.parametrize("colours", ["", "1"])
def test_terminal_gets_no_control_character_from_npm(
    small_world: World, services: list[DemoService], colours: str
) -> None:
    small_world.env |= {"FORCE_COLOR": colours}
    small_world.npm.add_host(f"a.{'proxysync-test.example'}", advanced_config=f"# {HOSTILE}")
    small_world.write(
        {
            "two": {"domains": ["a.proxysync-test.example"], "upstream": services[0].url},
            "one": {"upstream": services[0].url, "certificate": f"no {HOSTILE}"},
        }
    )
    ours = re.compile("\x1b\\[[0-9;]+m")
    for words in (*LOOKS[3:14], WRITES[0], ("adopt", "two", "--yes"), *LOOKS[3:14]):
        done = small_world.call(*words)
        shown = Done(done.code, done.out, done.err)
        if colours:
            assert "\x1b[31m\\u009b" not in shown.out
            shown = Done(done.code, ours.sub("", done.out), ours.sub("", done.err))
        assert_harmless(shown)


def test_terminal_gets_no_order_from_a_file_name(small_world: World) -> None:
    folder = small_world.folder / "many"
    folder.mkdir()
    (folder / "\n::error::a.yaml").write_text("[")
    (folder / "\x1b[2Jb.yaml").write_text("[")
    assert_harmless(small_world.call("-f", str(folder), "validate"))
    cwd = Path.cwd()
    os.chdir(folder)
    try:
        Path("::error file=x::y.yaml").write_text("proxies: {a: 1, b: 2}\n")
        done = small_world.call("-f", "::error file=x::y.yaml", "validate")
    finally:
        os.chdir(cwd)
    assert done.code == 1
    assert_harmless(done)
