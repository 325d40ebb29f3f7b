"""`plan --out` and `apply --plan`: the plan that a person saw is applied, or nothing is."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from proxysync.demo.services import DemoService
from tests.world import Done, World, domain

PASSWORD = {"PROXYSYNC_SECRET_ALICE": "a-password-of-hers"}


@pytest.fixture
def one(small_world: World, services: list[DemoService]) -> World:
    write(small_world, services)
    return small_world


def write(world: World, services: list[DemoService], **entry: Any) -> None:
    lists = {"lan": {"rules": [{"allow": "127.0.0.0/8"}], "users": {"alice": "${ALICE}"}}}
    entry = {"upstream": services[0].url, "access_list": "lan", **entry}
    world.write({"one": entry}, access_lists=lists)


def save(world: World, *words: str) -> Path:
    path = world.folder / "plan.json"
    done = world.call("plan", "--out", str(path), *words, env=PASSWORD)
    assert done.code == 0, done.err
    assert f"`proxysync apply --plan {path}` applies just this plan" in done.err
    return path


def apply(world: World, path: Path, *words: str) -> Done:
    return world.call("apply", "--plan", str(path), *words, env=PASSWORD)


def test_the_plan_that_was_saved_is_applied_without_a_question(one: World) -> None:
    path = save(one)
    done = apply(one, path)
    assert done.code == 0, done.err
    assert one.npm.host("one")["enabled"]
    again = apply(one, path)
    assert again.code == 1
    assert "NPM, or a variable of the file, has changed since the plan was saved" in again.err


def test_what_is_saved_is_private_and_holds_no_secret(one: World) -> None:
    (one.folder / "plan.json").write_text("of before")
    (one.folder / "plan.json").chmod(0o644)
    before = os.umask(0)
    try:
        path = save(one)
    finally:
        os.umask(before)
    assert path.stat().st_mode & 0o777 == 0o600
    assert json.loads(path.read_text()).keys() == {"proxysync_plan", "npm", "file", "changes"}
    assert "password" not in path.read_text()
    assert list(path.parent.glob(".plan*")) == []


def test_a_plan_is_stale_once_the_file_has_changed(one: World, services: list[DemoService]) -> None:
    path = save(one)
    write(one, services, websockets=True)
    done = apply(one, path, "--format", "json")
    assert (done.code, done.out) == (1, "")
    assert "The file has changed since the plan was saved, so nothing was written" in done.err
    assert one.npm.hosts() == []


def test_a_plan_is_stale_once_npm_has_changed(one: World) -> None:
    path = save(one)
    one.npm.add_host(domain("one"))
    done = apply(one, path, "--yes")
    assert done.code == 1
    assert "NPM, or a variable of the file, has changed" in done.err
    assert len(one.npm.hosts()) == 1


def test_a_plan_for_another_npm_is_refused(one: World) -> None:
    path = save(one)
    saved = json.loads(path.read_text())
    path.write_text(json.dumps({**saved, "npm": "http://10.0.0.9:81"}))
    done = apply(one, path)
    assert done.code == 1
    assert "It is for the NPM at http://10.0.0.9:81, and this is http" in done.err


def test_what_validation_blocks_by_then_is_left_out_as_ever(
    one: World, services: list[DemoService], closed_port: int
) -> None:
    write(one, services, upstream=f"http://127.0.0.1:{closed_port}")
    path = save(one, "--probe")
    done = apply(one, path)
    assert done.code == 1
    assert "blocked" in done.out
    path = save(one)
    assert "blocked" in apply(one, path).out


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ("", "is damaged"),
        ("{", "is damaged"),
        ("[]", "is damaged"),
        ("[" * 100_000, "is damaged"),
        ('{"proxysync_plan": 1, "npm": "x", "file": 3, "changes": "x"}', "is damaged"),
        ('{"proxysync_plan": 2}', "was saved by another version of proxysync"),
        (None, "does not exist"),
    ],
)
def test_a_damaged_plan_is_a_sentence(one: World, content: str | None, why: str) -> None:
    path = one.folder / "plan.json"
    if content is not None:
        path.write_text(content)
    done = apply(one, path)
    assert (done.code, done.out) == (1, "")
    assert f"Error: {path} {why}" in done.err
    assert "hint: " in done.err


def test_flags_that_contradict_each_other_are_sentences(one: World) -> None:
    path = save(one)
    for words in (
        ["apply", "--plan", str(path), "--recreate"],
        ["plan", "--out", "x", "--against", "."],
    ):
        done = one.call(*words, env=PASSWORD)
        assert done.code == 1
        assert "hint: " in done.err


def test_a_person_may_agree_to_the_first_plan_of_all(one: World) -> None:
    done = one.call("apply", env=PASSWORD, typed="y\n")
    assert done.code == 0, done.err
