"""What a command prints, in text, in JSON and by its exit code, is how it is."""

from datetime import timedelta

from proxysync.demo.services import DemoService
from proxysync.model import clock
from proxysync.model.health import Check, HealthState
from proxysync.store.database import open_for_writing
from proxysync.store.health import HealthStore, Record
from tests.keys import key
from tests.world import World, domain

UNPROBED = {"validation": {"mode": "off"}}
DEAD = "http://127.0.0.1:1"
WARN = {"validation": {"mode": "warn"}}


def states(world: World) -> dict[str, str]:
    shown = world.call("status", "--format", "json").json["proxies"]
    return {proxy["name"]: proxy["sync"] for proxy in shown}


def test_validate_shows_a_failure_under_mode_warn_as_a_warning(small_world: World) -> None:
    small_world.write({"dead": {"upstream": DEAD}}, settings=WARN)
    done = small_world.call("validate")
    assert done.code == 0
    assert "WARN  dead" in done.out
    assert "Port 1 is not accepting connections" in done.out
    assert "0 of 1 entry passes, 1 with a warning" in done.out
    result = small_world.call("validate", "--format", "json").json["results"][0]
    assert (result["ok"], result["blocks"]) == (False, False)


def test_validate_does_not_fail_for_an_entry_that_is_off(
    small_world: World, services: list[DemoService]
) -> None:
    small_world.write(
        {"off": {"upstream": DEAD, "enabled": False}, "one": {"upstream": services[0].url}}
    )
    done = small_world.call("validate")
    assert done.code == 0
    assert "skip  off  http://127.0.0.1:1  (enabled is false)" in done.out
    assert "1 of 2 entries pass, 1 not probed" in done.out
    off, one = small_world.call("validate", "--format", "json").json["results"]
    assert (off["skipped"], off["steps"], one["skipped"]) == ("enabled is false", [], None)
    named = small_world.call("validate", "off")
    assert named.code == 0
    assert "WARN  off" in named.out, "who asks by name wants to know whether it would work"


def test_validate_does_not_call_ok_what_it_did_not_probe(small_world: World) -> None:
    small_world.write({"dead": {"upstream": DEAD}}, settings={"validation": {"mode": "off"}})
    done = small_world.call("validate")
    assert done.code == 0
    assert "skip  dead  http://127.0.0.1:1  (validation.mode is off)" in done.out
    assert "0 of 1 entry passes, 1 not probed" in done.out


def test_apply_warns_of_what_it_applied_although_validation_failed(small_world: World) -> None:
    small_world.write({"dead": {"upstream": DEAD}}, settings=WARN)
    assert "dead would be applied although validation" in small_world.call("plan", "--probe").err
    done = small_world.call("apply", "--yes")
    assert done.code == 0
    assert "warning     dead: applied although validation failed (mode: warn): tcp" in done.out
    small_world.write({"dead": {"upstream": "http://127.0.0.1:2"}}, settings=WARN)
    (warning,) = small_world.apply()["warnings"]
    assert warning["name"] == "dead"
    assert warning["hint"].startswith("Port 2 is not accepting connections")
    assert small_world.apply()["warnings"] == []


def test_adopt_does_not_call_blocked_what_it_adopts(small_world: World) -> None:
    small_world.npm.add_host(domain("one"), port=1)
    small_world.write({"one": {"upstream": DEAD}})
    done = small_world.call("adopt", "one", "--yes")
    assert done.code == 0
    assert "blocked" not in done.out + done.err
    assert small_world.event_names() == ["proxy.adopted"]
    assert states(small_world) == {"one": "in sync"}
    small_world.assert_in_sync()


def test_adopt_still_blocks_an_upstream_that_would_take_a_site_down(
    small_world: World, services: list[DemoService]
) -> None:
    small_world.npm.add_host(domain("one"), port=services[0].port)
    small_world.write({"one": {"upstream": DEAD}})
    assert small_world.call("adopt", "one", "--yes").code == 1
    assert small_world.npm.hosts()[0]["forward_port"] == services[0].port


def test_adopt_of_one_leaves_the_others_blocked(small_world: World) -> None:
    small_world.npm.add_host(domain("one"), port=1)
    small_world.write({"one": {"upstream": DEAD}, "dead": {"upstream": DEAD}})
    assert small_world.call("apply", "--yes").code == 1
    small_world.call("adopt", "--all", "--yes")
    status = small_world.call("status", "dead", "--format", "json").json["proxies"][0]
    assert (status["sync"], status["since"] is None) == ("blocked", False)


def test_adopt_says_that_there_is_nothing_to_adopt(
    small_world: World, services: list[DemoService]
) -> None:
    small_world.write({"one": {"upstream": services[0].url}})
    done = small_world.call("adopt", "one", "--yes")
    assert done.code == 0
    assert "Nothing to adopt for one" in done.out


def test_status_says_from_when_uptime_counts_and_how_much_is_known(
    small_world: World, services: list[DemoService]
) -> None:
    small_world.write({"one": {"upstream": services[0].url}}, settings=UNPROBED)
    small_world.apply()
    began = clock.now().replace(microsecond=0) - timedelta(hours=2)
    database, _ = open_for_writing(small_world.state / "state.db")
    checks = [Check(began, ok=True), Check(began + timedelta(minutes=5), ok=True)]
    checks.append(Check(clock.now(), ok=False))
    HealthStore(database).save([Record(key("one"), HealthState(), check) for check in checks])
    database.close()
    status = small_world.call("status", "one", "--format", "json").json["proxies"][0]
    assert status["uptime"]["24h"] > 0.9, "nobody knows of the time in between"
    assert status["uptime_since"]["24h"] == clock.to_text(began)
    assert 300 <= status["uptime_known_seconds"]["24h"] < 330
    shown = small_world.call("status", "one").out
    assert f"Counted  from {clock.local(began)}, 5 min in all" in shown


def test_apply_and_status_name_what_the_settings_leave_in_npm(
    small_world: World, services: list[DemoService]
) -> None:
    small_world.write({toy.text: {"upstream": toy.url} for toy in services[:2]})
    small_world.apply()
    small_world.write({"one": {"upstream": services[0].url}}, settings={"prune": False})
    done = small_world.call("apply", "--yes")
    assert done.code == 0
    assert "prune       two: removed from the file: settings.prune is off" in done.out
    assert "in sync with the file, but for what is left as it is: two." in done.out
    assert states(small_world) == {"one": "in sync", "two": "prune"}
    assert "two: settings.prune is off" in small_world.call("status").out


def test_status_says_that_the_plan_is_refused(
    small_world: World, services: list[DemoService]
) -> None:
    small_world.write({toy.text: {"upstream": toy.url} for toy in services})
    small_world.apply()
    small_world.write({"one": {"upstream": services[0].url}})
    assert "! the plan is refused: " in small_world.call("status").out
    (warning,) = small_world.call("status", "--format", "json").json["warnings"]
    assert warning["event"] == "plan.refused"


def test_plan_names_what_was_blocked_when_it_was_last_probed(small_world: World) -> None:
    small_world.write({"dead": {"upstream": DEAD}})
    assert "    blocked:" not in small_world.call("plan").out
    small_world.call("apply", "--yes")
    plan = small_world.call("plan").out
    assert "    blocked: tcp" in plan
    assert "(when it was last probed; `proxysync plan --probe` probes it again)" in plan
    assert "0 to create" in plan
    small_world.write({"dead": {"upstream": "http://127.0.0.1:2"}})
    assert "    blocked:" not in small_world.call("plan").out


def test_npm_that_is_away_is_told_in_json_too(
    small_world: World, services: list[DemoService]
) -> None:
    small_world.write({"one": {"upstream": services[0].url}})
    small_world.apply()
    assert small_world.npm.sandbox is not None
    small_world.npm.sandbox.stop()
    shown = small_world.call("status", "--format", "json").json
    assert shown["proxies"][0]["sync"] == "unknown"
    assert [warning["event"] for warning in shown["warnings"]] == ["npm.unavailable"]


def test_rights_that_hide_hosts_are_told_by_status(small_world: World) -> None:
    assert small_world.npm.sandbox is not None
    small_world.npm.sandbox.add_user(
        "own@example.com", "changeme", permissions={"proxy_hosts": "manage"}
    )
    small_world.env["PROXYSYNC_NPM_IDENTITY"] = "own@example.com"
    small_world.write({"dead": {"upstream": DEAD}})
    (warning,) = small_world.call("status", "--format", "json").json["warnings"]
    assert warning["event"] == "npm.visibility"
    assert "sees only hosts of its own" in small_world.call("status").out


def test_rights_that_allow_no_deletion_are_named_and_do_not_make_it_an_orphan(
    small_world: World, services: list[DemoService]
) -> None:
    world, sandbox = small_world, small_world.npm.sandbox
    assert sandbox is not None
    proxies = {"site": {"upstream": services[0].url}, "more": {"upstream": services[0].url}}
    old = {"domains": [domain("old")], "to": "https://elsewhere.example.com"}
    world.write(proxies, redirections={"old": old})
    world.apply()
    sandbox.add_user("few@example.com", "changeme", {"redirection_hosts": "view"}, "all")
    world.env["PROXYSYNC_NPM_IDENTITY"] = "few@example.com"
    for new in (proxies, {**proxies, "old": {"upstream": services[0].url}}):
        world.write(new)
        done = world.call("apply", "--yes")
        assert done.code == 1
        assert "set Redirection Hosts to Manage" in done.out
        assert "orphan" not in done.out
        assert len(world.npm.hosts()) == 2


def test_rollback_that_can_do_nothing_says_so(
    small_world: World, services: list[DemoService]
) -> None:
    world = small_world
    sites = {toy.text: {"upstream": toy.url} for toy in services[:2]}
    world.write(sites)
    world.apply()
    world.write({"one": sites["one"]})
    world.apply()
    world.npm.add_host(domain("two"))
    assert world.call("rollback", "--yes").code == 1
