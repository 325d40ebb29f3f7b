"""Every version of NPM that it claims to work with, as the sandbox plays them."""

from collections.abc import Iterator
from pathlib import Path
from unittest.mock import patch

import pytest

from proxysync.apply import under_way
from proxysync.demo.services import DemoService
from proxysync.sandbox import Sandbox
from tests.signals import signal_at
from tests.world import Npm, World, domain, eventually

VERSIONS = ("2.10.4", "2.11.3", "2.12.6", "2.13.7", "2.14.0", "2.15.1")
OLDEST_AND_NEWEST = (VERSIONS[0], VERSIONS[-1])
BETWEEN = VERSIONS[1:-1]
"""Left to `make test-long` where a version changes nothing that the test is about."""


@pytest.fixture(params=VERSIONS)
def old_world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    with Sandbox(version=request.param) as npm:
        yield World(tmp_path, Npm(npm.url, npm.sites_url, "admin@example.com", "changeme", npm))


def test_commands_apply_makes_changes_disables_and_deletes(
    old_world: World, services: list[DemoService]
) -> None:
    one, two, _ = services
    old_world.write({"one": {"upstream": one.url}, "two": {"upstream": two.url}})
    old_world.apply()
    assert "one" in old_world.npm.visit(domain("one"))[1]
    old_world.assert_in_sync()
    old_world.write({"one": {"upstream": two.url}, "two": {"upstream": two.url, "enabled": False}})
    old_world.apply()
    assert "two" in old_world.npm.visit(domain("one"))[1]
    assert "two" not in old_world.npm.visit(domain("two"))[1]
    old_world.assert_in_sync()
    old_world.write({"one": {"upstream": two.url}})
    old_world.apply()
    assert len(old_world.npm.hosts()) == 1
    old_world.assert_in_sync()


def test_commands_apply_never_serves_what_is_disabled_from_the_start(
    old_world: World, services: list[DemoService]
) -> None:
    old_world.write({"one": {"upstream": services[0].url, "enabled": False}})
    old_world.apply()
    row = old_world.npm.host("one")
    assert (bool(row["enabled"]), row["domain_names"]) == (False, [domain("one")])
    assert "one" not in old_world.npm.visit(domain("one"))[1]
    old_world.assert_in_sync()
    old_world.write({"one": {"upstream": services[0].url}})
    old_world.apply()
    assert "one" in old_world.npm.visit(domain("one"))[1]


def test_commands_apply_has_a_changed_access_list_loaded(
    old_world: World, services: list[DemoService]
) -> None:
    def save(how: str) -> None:
        one = {"upstream": services[0].url, "access_list": "family"}
        lists = {"family": {"rules": [{how: "127.0.0.1"}]}}
        old_world.write({"one": one}, access_lists=lists)
        old_world.apply()
        old_world.assert_in_sync()

    save("allow")
    assert old_world.npm.visit(domain("one"))[0] == 200
    save("deny")
    assert old_world.npm.visit(domain("one"))[0] == 403


@pytest.mark.parametrize(
    ("old_world", "killed"),
    [
        *((version, False) for version in VERSIONS),
        *((version, True) for version in OLDEST_AND_NEWEST),
        *(pytest.param(version, True, marks=pytest.mark.long) for version in BETWEEN),
    ],
    indirect=["old_world"],
)
def test_commands_release_leaves_what_is_off_off_and_what_is_on_on(
    old_world: World, services: list[DemoService], *, killed: bool
) -> None:
    moved = {"domains": [domain("moved")], "to": "https://elsewhere.example"}
    entries = {
        "on": {"upstream": services[0].url},
        "off": {"upstream": services[0].url, "enabled": False},
    }
    old_world.write(entries, redirections={"moved": {**moved, "enabled": False}})
    old_world.apply()
    nobody = old_world.npm.visit(domain("nobody"))
    words = "release", "on", "off", "moved", "--yes"
    if killed:
        path = r"/nginx/redirection-hosts/\d+(/disable)?"
        signal_at(old_world, *words, method="PUT", path=path)
        with patch.object(under_way, "LONGEST_WRITE", 0.0):
            old_world.call("apply", "--yes")
        old_world.call(*words)
    else:
        done = old_world.call(*words)
        assert done.code == 0, done.out + done.err
    for name in ("off", "moved"):
        assert old_world.npm.visit(domain(name)) == nobody
    assert old_world.npm.visit(domain("on"))[1].strip() == services[0].text
    rows = [*old_world.npm.hosts(), *old_world.npm.call("GET", "/nginx/redirection-hosts")]
    assert [row["meta"].get("proxysync") for row in rows] == [None] * 3
    assert sorted(bool(row["enabled"]) for row in rows) == [False, False, True]


@pytest.mark.parametrize(
    "old_world",
    [*OLDEST_AND_NEWEST, *(pytest.param(v, marks=pytest.mark.long) for v in BETWEEN)],
    indirect=True,
)
def test_commands_run_makes_again_what_a_hand_has_deleted(
    old_world: World, services: list[DemoService]
) -> None:
    old_world.write({"one": {"upstream": services[0].url}}, settings={"resync_interval": "1s"})
    with old_world.daemon():
        first = eventually(old_world.npm.hosts)[0]["id"]
        old_world.npm.call("DELETE", f"/nginx/proxy-hosts/{first}")
        eventually(lambda: [row for row in old_world.npm.hosts() if row["id"] != first])
        eventually(lambda: "one" in old_world.npm.visit(domain("one"))[1])


def redirection(to: str, **fields: object) -> dict[str, object]:
    return {"old": {"domains": [domain("old")], "to": to, **fields}}


@pytest.mark.parametrize(
    ("old_world", "begins"),
    [
        *((version, "on") for version in VERSIONS),
        *((version, "off") for version in OLDEST_AND_NEWEST),
        *(pytest.param(version, "off", marks=pytest.mark.long) for version in BETWEEN),
    ],
    indirect=["old_world"],
)
def test_commands_apply_serves_no_redirection_that_is_off(old_world: World, begins: str) -> None:
    first = redirection("https://one.example.com", enabled=begins == "on")
    old_world.write({}, redirections=first)
    old_world.apply()
    assert (old_world.npm.visit(domain("old"))[0] == 302) is (begins == "on")
    for to in ("https://two.example.com", "http://three.example.com"):
        old_world.write({}, redirections=redirection(to, enabled=False))
        old_world.apply("--max-delete", "100%")
        assert old_world.npm.visit(domain("old"))[0] != 302
        old_world.assert_in_sync()
    old_world.write({}, redirections=redirection("https://two.example.com"))
    old_world.apply()
    assert old_world.npm.visit(domain("old"))[0] == 302
    old_world.assert_in_sync()


@pytest.mark.parametrize("old_world", ["2.12.0", "2.13.2"], indirect=True)
def test_commands_apply_takes_down_what_the_server_could_not_serve(old_world: World) -> None:
    """Such a target would send visitors to auto://, and NPM 2.12.0 does not even take it."""
    old_world.write({}, redirections=redirection("https://one.example.com"))
    old_world.apply()
    old_world.write({}, redirections=redirection("two.example.com"))
    assert "auto://" in old_world.call("apply", "--yes").out
    assert old_world.npm.visit(domain("old"))[0] == 302
    old_world.write({}, redirections=redirection("two.example.com", enabled=False))
    done = old_world.call("apply", "--yes", "--max-delete", "100%")
    assert (done.code, old_world.npm.visit(domain("old"))[0] == 302) == (0, False), done.out
    assert "forward_scheme stays as NPM has it" in done.out
    old_world.assert_in_sync()


@pytest.mark.parametrize("old_world", ["2.12.0"], indirect=True)
def test_commands_apply_makes_nothing_that_is_off_and_that_the_server_does_not_take(
    old_world: World,
) -> None:
    old_world.write({}, redirections=redirection("two.example.com", enabled=False))
    done = old_world.call("apply", "--yes")
    assert done.code == 1
    assert "It is off, and it is not created" in done.out
    assert old_world.npm.call("GET", "/nginx/redirection-hosts") == []
