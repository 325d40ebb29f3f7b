"""What a command answers: the plan first, totals last, and who was meant by a wrong name."""

import shutil
from pathlib import Path

import pytest

from proxysync.demo.services import DemoService
from tests.servers import closed
from tests.world import BAD, World, domain


@pytest.fixture
def one(small_world: World, services: list[DemoService]) -> World:
    small_world.write({"media": {"upstream": services[0].url}})
    return small_world


def test_apply_shows_the_plan_first_and_totals_last(
    one: World, services: list[DemoService]
) -> None:
    with closed() as port:
        one.write(
            {
                "media": {"upstream": services[0].url},
                "wiki": {"upstream": services[1].url},
                "odd": {"upstream": services[0].url, "advanced_config": BAD},
                "dead": {"upstream": f"http://127.0.0.1:{port}"},
            }
        )
        done = one.call("apply", "--yes")
    assert done.code == 1
    plan, results = done.out.split("Plan: 4 to create", 1)
    assert "upstream: " + services[0].url in plan
    assert "done        create media" in results
    assert results.splitlines()[-1] == "done: 2, failed: 1, blocked: 1"


def test_a_saved_plan_and_one_that_is_agreed_to_are_shown_once(one: World) -> None:
    done = one.call("apply", typed="y\n")
    assert done.code == 0, done.err
    assert done.out.count("Plan: 1 to create") == 1
    assert done.out.splitlines()[-1] == "done: 1"
    assert one.call("apply", "--yes").out.splitlines()[-1] == "NPM is in sync with the file."


def test_json_stays_alone_with_yes(one: World) -> None:
    assert one.call("apply", "--yes", "--format", "json").json["ok"]


@pytest.mark.parametrize("words", [("plan",), ("plan", "--against", "other.yaml"), ("apply", "-y")])
def test_json_tells_what_is_wrong_with_the_file(one: World, words: tuple[str, ...]) -> None:
    (one.file.parent / "other.yaml").write_text("version: 1\n")
    one.file.write_text("proxies: {media: {domains: [a.x], upstream: nowhere}}\n")
    done = one.call(*words, "--format", "json")
    assert (done.code, [p["path"] for p in done.json["problems"]]) == (
        1,
        ["proxies.media.upstream"],
    )


def test_a_rollback_is_shown_and_asked_for_as_an_apply_is(
    one: World, services: list[DemoService]
) -> None:
    one.apply()
    one.write({"media": {"upstream": services[1].url}})
    one.apply()
    done = one.call("rollback")
    assert done.code == 1
    assert f"upstream: {services[1].url} → {services[0].url}" in done.out
    assert "nothing was written: nobody can be asked" in done.err
    done = one.call("rollback", "--yes")
    assert done.code == 0, done.err
    assert f"upstream: {services[1].url} → {services[0].url}" in done.out
    assert done.out.splitlines()[-1] == "done: 1"
    assert one.call("resume", "--format", "json").json["held"]
    told = one.call("rollback", "--yes", "--format", "json").json
    assert [(o["name"], o["result"]) for o in told["outcomes"]] == [("media", "done")]


@pytest.mark.parametrize(
    "words",
    [
        ("validate", "medai"),
        ("status", "medai"),
        ("adopt", "medai"),
        ("release", "medai"),
        ("set", "medai", "websockets=true"),
        ("remove", "medai"),
        ("events", "--name", "medai"),
        ("events", "--proxy", "medai"),
    ],
)
def test_a_name_that_is_not_there_is_answered_with_the_nearest(
    one: World, words: tuple[str, ...]
) -> None:
    one.apply()
    done = one.call(*words)
    assert done.code == (0 if words[0] == "events" else 1)
    assert "medai" in done.err
    assert "did you mean media?" in done.err


def test_a_name_that_is_like_none_gets_a_list_that_can_be_read(one: World) -> None:
    one.write({f"entry-{n}": {"upstream": "http://127.0.0.1:1"} for n in range(30)})
    done = one.call("validate", "zzz")
    assert "It has: entry-0, " in done.err
    assert done.err.rstrip().endswith("and 10 more.")


@pytest.mark.parametrize(
    ("words", "command"),
    [
        (("apply", "--nope"), "apply"),
        (("apply", "--tag", "nas", "--yes"), "apply"),  # it is not --tags, which deletes others
        (("status", "a", "b"), "status"),
        (("history", "first"), "history"),
        (("set",), "set"),
        (("events", "--limit", "x"), "events"),
        (("-f", "x.yaml", "plan", "--format", "xml"), "plan"),
    ],
)
def test_a_usage_error_shows_how_that_command_is_used(
    small_world: World, words: tuple[str, ...], command: str
) -> None:
    done = small_world.call(*words)
    assert done.code == 1
    assert done.err.startswith(f"usage: proxysync {command} ")
    assert f"hint: see `proxysync {command} --help`" in done.err


def test_history_of_one_run_says_old_and_new_in_the_words_of_the_file(
    one: World, services: list[DemoService]
) -> None:
    media = {"upstream": services[0].url, "advanced_config": "# ${S}"}
    lists = {"lan": {"rules": [{"allow": "10.0.0.0/8"}]}}
    secret = {"PROXYSYNC_SECRET_S": "very-secret-word"}
    one.write({"media": {**media, "access_list": "lan"}}, access_lists=lists)
    assert one.call("apply", "--yes", env=secret).code == 0
    changed = {**media, "upstream": services[1].url, "websockets": True, "access_list": "none"}
    one.write(
        {"media": {**changed, "domains": [domain("media"), domain("tv")]}}, access_lists=lists
    )
    assert one.call("apply", "--yes", env=secret).code == 0
    first, second = (one.call("history", run) for run in ("1", "2"))
    assert f"    upstream: {services[0].url}\n" in first.out
    assert "    access_list: lan\n" in first.out
    assert "${S}" in first.out
    assert second.out.startswith("run 2, ")
    assert "\nupdate media: " in second.out
    assert f"    upstream: {services[0].url} → {services[1].url}\n" in second.out
    assert f"    domains: + {domain('tv')}\n" in second.out
    assert "    websockets: false → true\n" in second.out
    assert "    access_list: lan → none\n" in second.out
    found = one.call("history", "2", "--format", "json")
    edit = {"path": "upstream", "from": services[0].url, "to": services[1].url}
    assert edit in found.json["changes"][0]["edits"]
    assert "very-secret-word" not in first.out + second.out + found.out


def test_history_of_a_run_that_deleted_says_what_there_was(
    one: World, services: list[DemoService]
) -> None:
    two = {name: {"upstream": services[0].url} for name in ("media", "wiki")}
    one.write(two)
    one.apply()
    one.write({"media": two["media"]})
    one.apply()
    done = one.call("history", "2")
    assert "\ndelete wiki: " in done.out
    assert f"    upstream: {services[0].url}\n" in done.out


def test_history_shows_no_secret_that_was_lost_with_the_state(
    one: World, services: list[DemoService]
) -> None:
    media = {"upstream": services[0].url, "advanced_config": "# ${S}"}
    one.write({"media": media})
    assert one.call("apply", "--yes", env={"PROXYSYNC_SECRET_S": "very-secret-word"}).code == 0
    shutil.rmtree(one.state)
    one.write({"media": {**media, "advanced_config": "# plain"}})
    one.apply()
    done = one.call("history", "1")
    assert "# plain" in done.out
    assert "(not shown: without the state" in done.out
    assert "very-secret-word" not in done.out
    assert "very-secret-word" not in one.call("history", "1", "--format", "json").out


@pytest.mark.parametrize("run", ["7", "0", "-1", str(2**70)])
def test_a_run_that_is_not_there_is_a_sentence(one: World, run: str) -> None:
    one.apply()
    done = one.call("history", "--", run)
    assert done.code == 1
    assert f"there is no run {run}" in done.err


def test_history_of_a_state_that_is_not_there_is_a_sentence(one: World, tmp_path: Path) -> None:
    done = one.call("history", "1", "--state-dir", str(tmp_path / "none"))
    assert done.code == 1
    assert "there is no run 1" in done.err
