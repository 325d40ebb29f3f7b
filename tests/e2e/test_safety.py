"""What must never happen, whatever is in the file."""

import json
import random

import pytest
import yaml

from proxysync.demo.services import DemoService
from tests.world import World, domain, eventually

GOOD = {
    "version": 1,
    "settings": {"resync_interval": "5m", "max_delete": "30%"},
    "defaults": {"block_exploits": True},
    "proxies": {
        "one": {"domains": [domain("one")], "upstream": "http://127.0.0.1:9001"},
        "two": {
            "domains": [domain("two"), domain("zwei")],
            "upstream": "http://127.0.0.1:9002",
            "locations": [{"path": "/api", "upstream": "http://127.0.0.1:9003/v1"}],
            "advanced_config": "client_max_body_size 10m;",
        },
        "three": {
            "domains": [domain("three")],
            "upstream": "https://127.0.0.1:9004",
            "health": {"path": "/health", "expect_status": "200-399"},
        },
    },
}


@pytest.fixture
def three(small_world: World, services: list[DemoService]) -> World:
    """Three entries, in NPM already."""
    small_world.write({toy.text: {"upstream": toy.url} for toy in services})
    small_world.apply()
    return small_world


def mangled(text: str, random_: random.Random) -> bytes:
    """A copy with something wrong, in one of the ways that files go wrong."""
    data = bytearray(text.encode())
    for _ in range(random_.randint(1, 3)):
        at = random_.randrange(len(data))
        end = min(len(data), at + random_.randint(1, 40))
        way = random_.randrange(5)
        if way == 0:
            del data[at:end]
        elif way == 1:
            data[at:end] = data[at:end] * 2
        elif way == 2:
            data[at] = random_.randrange(256)
        elif way == 3:
            data[at:at] = random_.choice([b"\t", b"\n", b": ", b"- ", b"{", b"&x ", b"*x", b"\0"])
        else:
            del data[at:]
        data = data or bytearray(b"x")
    return bytes(data)


def test_fifty_mangled_files_give_a_clear_error_or_a_valid_plan_and_never_a_write(
    small_world: World,
) -> None:
    text = yaml.safe_dump(GOOD)
    sandbox = small_world.npm.sandbox
    assert sandbox is not None
    random_ = random.Random(20260131)
    codes = []
    for _ in range(50):
        small_world.file.write_bytes(mangled(text, random_))
        done = small_world.call("plan", "--format", "json")
        codes.append(done.code)
        if done.code == 0:
            assert done.json["refused"] is None
        elif done.out:
            assert done.json.get("problems") or done.json["refused"]
        else:
            assert done.err.startswith("Error: ")
            assert "proxies.yaml" in done.err
    assert sandbox.writes == []
    assert 5 < codes.count(1) < 50, "the mangling should not always, nor never, do harm"


@pytest.mark.parametrize("content", [None, "", "proxies: {}\n", "proxies:\n", "# nothing\n"])
@pytest.mark.parametrize("command", ["plan", "apply"])
def test_a_missing_or_empty_file_deletes_nothing(
    three: World, content: str | None, command: str
) -> None:
    before = three.npm.hosts()
    if content is None:
        three.file.unlink()
    else:
        three.file.write_text(content)
    done = three.call(*([command] if command == "plan" else [command, "--yes"]))
    assert done.code == 1
    assert done.out + done.err
    assert three.npm.hosts() == before


def test_no_truncated_file_deletes_anything(three: World) -> None:
    text = yaml.safe_dump(yaml.safe_load(three.file.read_text()), sort_keys=False)
    before = three.npm.hosts()
    for end in range(0, len(text), 7):
        if text[:end].endswith("\n"):
            continue
        three.file.write_text(text[:end])
        done = three.call("plan", "--format", "json")
        assert done.code == 1 or done.json["summary"]["delete"] == 0, text[:end]
    assert three.npm.hosts() == before


def test_deleting_all_is_refused_everywhere_and_lets_itself_be_allowed(
    three: World, services: list[DemoService]
) -> None:
    three.write({"new": {"upstream": services[0].url}})
    before = three.npm.hosts()
    plan = three.call("plan", "--format", "json")
    assert plan.code == 1
    assert "--max-delete 100%" in plan.json["refused"]
    assert plan.json["summary"]["delete"] == 3

    apply = three.call("apply", "--yes")
    assert apply.code == 1
    assert apply.out.count("--max-delete 100%") == 1
    with three.daemon():
        eventually(lambda: "plan.refused" in three.event_names())
    assert three.npm.hosts() == before

    assert three.call("apply", "--yes", "--max-delete", "100%").code == 0
    assert [row["meta"]["proxysync"]["name"] for row in three.npm.hosts()] == ["new"]
    three.assert_in_sync()


def test_more_than_max_delete_is_refused_and_one_of_three_is_not(
    three: World, services: list[DemoService]
) -> None:
    one = services[0]
    three.write({"one": {"upstream": one.url}})
    assert three.call("apply", "--yes").code == 1
    assert len(three.npm.hosts()) == 3
    three.write({toy.text: {"upstream": toy.url} for toy in services[:2]})
    assert three.call("apply", "--yes").code == 0
    assert len(three.npm.hosts()) == 2


def test_an_npm_that_lost_its_hosts_is_not_written_to(three: World) -> None:
    sandbox = three.npm.sandbox
    assert sandbox is not None
    for row in three.npm.hosts():
        three.npm.call("DELETE", f"/nginx/proxy-hosts/{row['id']}")
    writes = len(sandbox.writes)
    done = three.call("apply", "--yes")
    assert done.code == 1
    assert "--recreate" in done.out
    assert len(sandbox.writes) == writes
    assert three.call("apply", "--yes", "--recreate").code == 0
    assert len(three.npm.hosts()) == 3


def test_apply_without_an_answer_changes_nothing(
    small_world: World, services: list[DemoService]
) -> None:
    small_world.write({"one": {"upstream": services[0].url}})
    done = small_world.call("apply", stdin="y\n")
    assert done.code == 1
    assert "--yes" in done.err
    assert small_world.npm.hosts() == []


def test_the_value_of_a_secret_is_shown_nowhere(
    small_world: World, services: list[DemoService]
) -> None:
    token = "t0p-s3cret-value"
    small_world.write(
        {"one": {"upstream": services[0].url, "advanced_config": 'set $t "${TOKEN}";'}}
    )
    small_world.env["PROXYSYNC_SECRET_TOKEN"] = token
    printed = [
        small_world.call("plan", *style)
        for style in ([], ["--format", "json"], ["--format", "markdown"])
    ]
    printed.append(small_world.call("apply", "--yes", "--format", "json"))
    printed.append(small_world.call("status", "--format", "json"))
    assert all(done.code == 0 for done in printed)
    for done in printed:
        assert token not in done.out + done.err
    assert "${TOKEN}" in printed[0].out
    assert token not in (small_world.state / "events.jsonl").read_text()
    assert token in small_world.npm.host("one")["advanced_config"]
    for file in small_world.state.rglob("*"):
        assert small_world.npm.secret.encode() not in file.read_bytes()


def test_json_goes_alone_to_stdout(small_world: World, services: list[DemoService]) -> None:
    small_world.write({"one": {"upstream": services[0].url}})
    for command in (["validate"], ["plan"], ["apply", "--yes"], ["status"]):
        done = small_world.run(*command, "--format", "json")
        json.loads(done.out)
        assert done.code == 0
