"""One bad entry never stops the others, and the history tells of each that was tried."""

from typing import Any

import pytest

from proxysync.demo.services import DemoService
from tests.faults import Fault, FaultProxy
from tests.world import BAD, HOSTS, World, domain, eventually

LARGE = "\n".join(["# as a generated list may be"] * 2500)

ANSWERS: dict[str, dict[str, Any]] = {
    "a 400": {"fault": Fault.STATUS_400},
    "a page with 413": {"fault": Fault.HTML, "status": 413},
}


def sites(url: str, **bad: Any) -> dict[str, Any]:
    return {"good": {"upstream": url}, "bad": {"upstream": url, **bad}}


def port(world: World, name: str) -> int:
    return int(world.npm.host(name)["forward_port"])


@pytest.fixture
def applied(world: World, services: list[DemoService]) -> World:
    world.write(sites(services[0].url))
    world.apply()
    return world


def assert_told(world: World, out: str, *more: str) -> None:
    """Whether it is said of the one entry, in words that lead somewhere, and once only."""
    assert "bad" in out
    for text in more:
        assert text in out
    said = [e for e in world.events() if e["event"] == "proxy.failed"]
    assert [e["name"] for e in said] == ["bad"]


def test_commands_an_entry_too_large_with_what_others_keep_in_its_meta_is_refused_alone(
    applied: World, services: list[DemoService]
) -> None:
    one, two, _ = services
    row = applied.npm.host("bad")
    meta = {**row["meta"], "theirs": "x" * 60_000}
    applied.npm.call("PUT", f"{HOSTS}/{row['id']}", {"meta": meta})
    applied.write(sites(two.url, advanced_config=LARGE))
    for _ in range(2):
        done = applied.call("apply", "--yes")
        assert done.code == 1
        assert_told(applied, done.out, "100 KiB")
        assert (port(applied, "good"), port(applied, "bad")) == (two.port, one.port)
    applied.write(sites(two.url))
    applied.apply()
    assert port(applied, "bad") == two.port


@pytest.mark.parametrize("answer", ANSWERS)
def test_commands_any_4xx_while_trying_out_is_that_entrys(
    applied: World, services: list[DemoService], answer: str
) -> None:
    one, two, _ = services
    applied.write(sites(two.url, advanced_config="client_max_body_size 9m;"))
    with FaultProxy(applied.npm.url) as proxy:
        proxy.inject(**ANSWERS[answer], method="POST", path=HOSTS)
        applied.env["PROXYSYNC_NPM_URL"] = proxy.url
        done = applied.call("apply", "--yes")
    assert done.code == 1
    assert_told(applied, done.out)
    assert (port(applied, "good"), port(applied, "bad")) == (two.port, one.port)


@pytest.mark.parametrize("answer", ANSWERS)
def test_commands_any_4xx_at_the_write_is_that_entrys(
    applied: World, services: list[DemoService], answer: str
) -> None:
    one, two, _ = services
    applied.write(sites(two.url))
    with FaultProxy(applied.npm.url) as proxy:
        bad = applied.npm.host("bad")["id"]
        proxy.inject(**ANSWERS[answer], method="PUT", path=f"{HOSTS}/{bad}")
        applied.env["PROXYSYNC_NPM_URL"] = proxy.url
        done = applied.call("apply", "--yes")
    assert done.code == 1
    assert_told(applied, done.out)
    assert (port(applied, "good"), port(applied, "bad")) == (two.port, one.port)


def test_commands_adopt_goes_on_with_the_others(world: World, services: list[DemoService]) -> None:
    one, two, _ = services
    for name in ("good", "bad"):
        world.npm.add_host(domain(name), port=one.port)
    world.write(sites(two.url, advanced_config=BAD))
    assert world.call("adopt", "--all", "--yes").code == 1
    assert port(world, "good") == two.port
    assert world.npm.visit(domain("bad"))[1].strip() == one.text


def test_commands_rollback_goes_on_with_the_others(
    applied: World, services: list[DemoService]
) -> None:
    one, two, _ = services
    applied.write(sites(two.url))
    applied.apply()
    with FaultProxy(applied.npm.url) as proxy:
        bad = applied.npm.host("bad")["id"]
        proxy.inject(Fault.STATUS_400, method="PUT", path=f"{HOSTS}/{bad}")
        applied.env["PROXYSYNC_NPM_URL"] = proxy.url
        assert applied.call("rollback", "--yes").code == 1
    assert (port(applied, "good"), port(applied, "bad")) == (one.port, two.port)


def test_commands_the_daemon_goes_on_with_the_others(
    applied: World, services: list[DemoService]
) -> None:
    one, two, _ = services
    with FaultProxy(applied.npm.url) as proxy:
        proxy.inject(Fault.STATUS_400, method="POST", path=HOSTS)
        with applied.daemon(PROXYSYNC_NPM_URL=proxy.url):
            eventually(lambda: "config.loaded" in applied.event_names())
            applied.write(sites(two.url, advanced_config="client_max_body_size 9m;"))
            eventually(lambda: port(applied, "good") == two.port)
    assert port(applied, "bad") == one.port


def test_commands_history_has_a_run_in_which_all_was_refused(
    applied: World, services: list[DemoService]
) -> None:
    """In the rehearsal, before anything was touched; and it is not repeated with each resync."""
    applied.write(
        {n: {"upstream": services[0].url, "advanced_config": BAD} for n in ("good", "bad")}
    )
    for _ in range(2):
        assert applied.call("apply", "--yes").code == 1
    run, first = applied.call("history", "--format", "json").json["runs"]
    assert (run["outcome"], first["outcome"]) == ("failed", "done")
    assert sorted((c["name"], c["outcome"]) for c in run["changes"]) == [
        ("bad", "failed"),
        ("good", "failed"),
    ]
    assert all("no_such_directive" in c["message"] for c in run["changes"])
    assert "update bad (failed)" in applied.call("history").out


def test_commands_history_has_a_run_in_which_all_creations_were_refused(
    world: World, services: list[DemoService]
) -> None:
    world.write({"bad": {"upstream": services[0].url, "advanced_config": BAD}})
    assert world.call("apply", "--yes").code == 1
    (run,) = world.call("history", "--format", "json").json["runs"]
    assert run["outcome"] == "failed"
    assert [c["name"] for c in run["changes"]] == ["bad"]


def test_stop_a_run_after_one_in_which_all_was_refused_can_be_rolled_back(
    applied: World, services: list[DemoService]
) -> None:
    one, two, _ = services
    applied.write({**sites(one.url), "bad": {"upstream": one.url, "advanced_config": BAD}})
    assert applied.call("apply", "--yes").code == 1
    applied.write(sites(two.url))
    applied.apply()
    assert applied.call("rollback", "2", "--yes").code == 0
    assert (port(applied, "good"), port(applied, "bad")) == (one.port, one.port)


@pytest.mark.parametrize("right", ["view", "hidden"])
def test_rollback_goes_on_without_what_the_account_has_no_right_to(
    small_world: World, services: list[DemoService], right: str
) -> None:
    world, sandbox = small_world, small_world.npm.sandbox
    assert sandbox is not None
    one, two, _ = services
    stays = {"domains": [domain("stays")], "to": "https://elsewhere.example.com"}
    gone = {**stays, "domains": [domain("gone")]}
    world.write({"good": {"upstream": one.url}}, redirections={"stays": stays, "gone": gone})
    world.apply()
    world.write({"good": {"upstream": two.url}}, redirections={"stays": stays})
    world.apply()
    sandbox.add_user("few@example.com", "changeme", {"redirection_hosts": right}, "all")
    world.env["PROXYSYNC_NPM_IDENTITY"] = "few@example.com"
    done = world.call("rollback", "--yes")
    assert done.code == 1
    assert port(world, "good") == one.port
    conflicts = [line for line in done.out.splitlines() if line.startswith("conflict")]
    assert [line.split()[1].strip(":") for line in conflicts] == ["gone"]
    assert "set Redirection Hosts to Manage" in conflicts[0]


def test_rights_to_look_only_make_no_conflict_of_what_is_as_it_should_be(
    small_world: World, services: list[DemoService]
) -> None:
    world, sandbox = small_world, small_world.npm.sandbox
    assert sandbox is not None
    old = {"domains": [domain("old")], "to": "https://elsewhere.example.com"}
    world.write({"good": {"upstream": services[0].url}}, redirections={"old": old})
    world.apply()
    sandbox.add_user("few@example.com", "changeme", {"redirection_hosts": "view"}, "all")
    world.env["PROXYSYNC_NPM_IDENTITY"] = "few@example.com"
    world.apply()
    world.assert_in_sync()
    world.write({}, redirections={"old": {**old, "code": 301}}, settings={"prune": False})
    assert world.plan()["summary"]["conflict"] == 1
