"""`proxysync doctor`: what is wrong around it is named by the check that is about it."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from proxysync.app.doctor import file, machine, npm
from proxysync.app.doctor.steps import Step, run
from proxysync.apply.machine import announced
from proxysync.demo.services import DemoService
from proxysync.sandbox import Sandbox
from tests.servers import answering, closed, hanging
from tests.tls import issue
from tests.world import World, sooner_than

OLD = (
    b"HTTP/1.1 200 OK\r\nDate: Mon, 01 Jan 2024 00:00:00 GMT\r\nConnection: close\r\n\r\n"
    b'{"status": "OK", "setup": true, "version": {"major": 2, "minor": %d, "revision": 0}}'
)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """This machine's name server is none of the tests' business."""

    async def yes(_address: str | None) -> bool:
        return True

    monkeypatch.setattr(machine, "answers", yes)
    monkeypatch.setattr(npm, "ANSWER", 0.4)
    monkeypatch.setattr("proxysync.probe.edge.TIMEOUT", 0.4)


@pytest.fixture
def one(small_world: World, services: list[DemoService]) -> World:
    small_world.write({"one": {"upstream": services[0].url}})
    return small_world


def checks(world: World, *words: str, **env: str) -> dict[str, dict[str, Any]]:
    """The checks by name; the exit code must be right, and no secret anywhere."""
    done = world.call("doctor", "--format", "json", *words, env=env)
    assert done.code == (0 if done.json["ok"] else 1)
    failed = any(check["status"] == "fail" for check in done.json["checks"])
    assert done.json["ok"] is not failed
    assert world.npm.secret not in done.out + done.err
    assert all(c["hint"] for c in done.json["checks"] if c["status"] in ("warn", "fail"))
    return {check["name"]: check for check in done.json["checks"]}


def found(world: World, name: str, *words: str, **env: str) -> tuple[str, str]:
    check = checks(world, *words, **env)[name]
    return check["status"], check["message"]


def test_all_is_well_and_nothing_was_touched(one: World) -> None:
    assert one.npm.sandbox is not None
    with announced(one.npm.url, one.state):
        seen = checks(one)
    assert {name: c for name, c in seen.items() if c["status"] not in ("ok", "skipped")} == {}
    assert "1 entry" in seen["file"]["message"]
    assert f"pid {os.getpid()}" in seen["daemon"]["message"]
    assert one.npm.sandbox.writes == []
    assert not one.state.exists()
    assert [path.name for path in one.folder.iterdir()] == ["proxies.yaml"]


def test_for_people_each_check_is_a_line_with_what_to_do_below(one: World) -> None:
    done = one.call("doctor", "--npm-secret", "wrong-password")
    assert done.code == 1
    lines = done.out.splitlines()
    number = next(i for i, line in enumerate(lines) if line.startswith("fail     npm.login"))
    assert lines[number + 1].strip().startswith("hint: Check PROXYSYNC_NPM_IDENTITY")
    assert any(line.startswith("skipped  npm.rights.proxy") for line in lines)
    assert lines[-1].startswith("1 fail, ")
    assert "wrong-password" not in done.out + done.err


def away(world: World) -> None:
    world.file.unlink()


def broken(world: World) -> None:
    world.file.write_text("proxies: {one: {domain: x}}\n")


def unknown_variable(world: World) -> None:
    world.write({"one": {"upstream": "http://${NAS}:80", "note": "${FREE:-x}"}})


def lost_folder(world: World) -> None:
    world.state.write_text("no folder")


def damaged(world: World) -> None:
    world.state.mkdir()
    (world.state / "state.db").write_bytes(b"this is no database")


@pytest.mark.parametrize(
    ("spoil", "env", "name", "status", "text"),
    [
        (away, {}, "file", "fail", "does not exist"),
        (broken, {}, "file", "fail", "did you mean domains?"),
        (unknown_variable, {}, "variables", "fail", "NAS was not handed over"),
        (None, {"PROXYSYNC_SECRET_X_FILE": "/no/such"}, "variables", "fail", "cannot be read"),
        (None, {"PROXYSYNC_NPM_URL": ""}, "settings", "fail", "PROXYSYNC_NPM_URL is not set"),
        (None, {"PROXYSYNC_NPM_URL": "10.0.0.2"}, "settings", "fail", "has no scheme"),
        (None, {"PROXYSYNC_NPM_URL": ""}, "npm.address", "skipped", "is not set"),
        (None, {"PROXYSYNC_NPM_IDENTITY": ""}, "npm.login", "skipped", "because of: settings"),
        (lost_folder, {}, "state.folder", "fail", "is no folder"),
        (lost_folder, {}, "state.database", "skipped", "because of: state.folder"),
        (damaged, {}, "state.database", "fail", "cannot be read"),
        (None, {}, "daemon", "warn", "no daemon runs"),
        (None, {"PROXYSYNC_NPM_URL": "http://x.invalid"}, "npm.address", "fail", "x.invalid"),
        (None, {"PROXYSYNC_NPM_SECRET": "wrong-one"}, "npm.login", "fail", "does not accept"),
    ],
)
def test_what_is_wrong_is_named_by_its_check(
    one: World,
    spoil: Callable[[World], None] | None,
    env: dict[str, str],
    name: str,
    status: str,
    text: str,
) -> None:
    if spoil:
        spoil(one)
    got, message = found(one, name, **env)
    assert got == status
    assert text in message


def test_the_daemon_with_another_state_folder_is_a_warning(one: World, tmp_path: Path) -> None:
    with announced(one.npm.url, tmp_path / "theirs"):
        check = checks(one)["daemon"]
    assert check["status"] == "warn"
    assert f"--state-dir {tmp_path / 'theirs'}" in check["hint"]


def test_a_frozen_npm_is_a_failed_check_in_time_and_the_rest_is_skipped(one: World) -> None:
    with hanging() as port, sooner_than(10):
        seen = checks(one, PROXYSYNC_NPM_URL=f"http://127.0.0.1:{port}")
    assert seen["npm.port"]["status"] == "ok"
    assert "did not answer" in seen["npm.api"]["message"]
    after = [name for name in seen if name.startswith("npm.")][4:]
    assert {seen[name]["status"] for name in after} == {"skipped"}


def test_what_answers_instead_of_npm_is_told(one: World, services: list[DemoService]) -> None:
    with closed() as port:
        seen = checks(one, PROXYSYNC_NPM_URL=f"http://127.0.0.1:{port}")
    assert "not accepting connections" in seen["npm.port"]["hint"]
    assert seen["npm.api"]["status"] == "skipped"
    assert "web page" in found(one, "npm.api", PROXYSYNC_NPM_URL=services[0].url)[1]


def test_a_certificate_that_is_not_trusted_is_told_and_one_that_is(
    one: World, tmp_path: Path
) -> None:
    issued = issue(tmp_path)
    with Sandbox(tls=(issued.certificate, issued.key)) as server:
        seen = checks(one, PROXYSYNC_NPM_URL=server.url)
        assert "is not trusted" in seen["npm.tls"]["message"]
        assert seen["npm.api"]["status"] == "skipped"
        seen = checks(one, "--npm-ca-file", str(issued.ca), PROXYSYNC_NPM_URL=server.url)
    assert "expires on" in seen["npm.tls"]["message"]
    assert seen["npm.login"]["status"] == "ok"


@pytest.mark.parametrize(("minor", "status"), [(9, "fail"), (14, "ok"), (16, "warn")])
def test_the_version_and_the_clock_are_judged(one: World, minor: int, status: str) -> None:
    with answering(OLD % minor) as server:
        seen = checks(one, PROXYSYNC_NPM_URL=f"http://127.0.0.1:{server.port}")
    assert seen["npm.version"]["status"] == status
    assert seen["npm.clock"]["status"] == "warn"
    assert "ahead of NPM's" in seen["npm.clock"]["message"]


def test_rights_are_told_for_each_kind_of_the_file_and_others_only_noted(one: World) -> None:
    assert one.npm.sandbox is not None
    rights = {"proxy_hosts": "view", "streams": "hidden"}
    one.npm.sandbox.add_user("few@example.com", "changeme", rights)
    seen = checks(one, PROXYSYNC_NPM_IDENTITY="few@example.com")
    assert "see proxy hosts but not change" in seen["npm.rights.proxy"]["message"]
    assert seen["npm.rights.proxy"]["status"] == "fail"
    assert seen["npm.rights"]["status"] == "ok"
    assert "Streams" in seen["npm.rights"]["message"]
    assert seen["npm.visibility"]["status"] == "warn"


def test_the_edge_is_npms_if_managed_sites_are_served_there(
    one: World, services: list[DemoService]
) -> None:
    proxies = {"one": {"upstream": services[0].url}}
    one.write(proxies, settings={"verify": {"url": one.npm.sites_url}})
    assert "no managed site" in found(one, "edge.http")[1]
    one.apply()
    assert "managed sites are served there" in found(one, "edge.http")[1]
    one.write(proxies, settings={"verify": {"url": services[1].url}})
    assert found(one, "edge.http")[0] == "warn"
    with closed() as port:
        one.write(proxies, settings={"verify": {"url": f"http://127.0.0.1:{port}"}})
        assert "is not reached" in found(one, "edge.http")[1]


def test_the_files_own_name_server_is_asked(one: World, monkeypatch: pytest.MonkeyPatch) -> None:
    async def only_system(address: str | None) -> bool:
        return address is None

    monkeypatch.setattr(machine, "answers", only_system)
    one.write({}, settings={"validation": {"resolver": "10.9.8.7"}})
    assert found(one, "resolver")[0] == "ok"
    assert found(one, "resolver.validation") == (
        "fail",
        "the name server 10.9.8.7 does not answer",
    )


def test_few_watches_are_a_warning(
    one: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "max_user_watches").write_text("7\n")
    monkeypatch.setattr(machine, "LIMITS", tmp_path)
    status, message = found(one, "inotify")
    assert status == "warn"
    assert "of 7 watches left" in message


def test_a_file_that_is_mounted_by_itself_is_a_warning_and_a_lost_one_a_failure(
    one: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mounts = tmp_path / "mountinfo"
    name = str(one.file.resolve()).replace(" ", r"\040")
    mounts.write_text(f"36 35 98:0 /x {name} rw,noatime - ext4 /dev/root rw\n")
    monkeypatch.setattr(file, "MOUNTS", mounts)
    assert found(one, "mount")[0] == "warn"
    with one.file.open() as held:
        one.file.unlink()
        lost = f"/proc/self/fd/{held.fileno()}"
        assert found(one, "mount", "-f", lost)[0] == "fail"


def test_no_secret_of_the_file_is_shown(one: World) -> None:
    one.write({"one": {"upstream": "http://${S}:80", "advanced_config": "# ${S}"}})
    done = one.call("doctor", env={"PROXYSYNC_SECRET_S": "very-secret-word"})
    assert done.code == 1
    assert "very-secret-word" not in done.out + done.err


def test_a_check_that_hangs_or_breaks_fails_alone_and_what_needs_it_is_skipped() -> None:
    import threading

    from proxysync.app.doctor.check import Check

    forever = threading.Event()

    def hang() -> Check:
        forever.wait(30)
        return Check.ok("")

    def crash() -> Check:
        raise ZeroDivisionError

    made = run(
        [
            Step("hangs", hang),
            Step("needs", lambda: Check.ok("fine"), needs=("crashes",)),
            Step("crashes", crash),
            Step("good", lambda: Check.ok("fine")),
        ],
        0.2,
    )
    forever.set()
    assert [(check.name, str(check.status)) for check in made] == [
        ("hangs", "fail"),
        ("needs", "skipped"),
        ("crashes", "fail"),
        ("good", "ok"),
    ]
