"""`status` works whatever is broken, and says that first."""

import pytest

from proxysync.demo.services import DemoService
from tests.world import World, domain, eventually


@pytest.fixture
def one(small_world: World, services: list[DemoService]) -> World:
    small_world.write({"one": {"upstream": services[0].url}})
    small_world.apply()
    return small_world


def test_a_broken_file_is_told_first_and_what_was_applied_is_shown(one: World) -> None:
    with one.daemon():
        eventually(lambda: "config.loaded" in one.event_names())
        one.file.write_text("proxies: {one: {upstream: nowhere}}\n")
        eventually(lambda: "config.invalid" in one.event_names())
        shown = one.call("status")
        assert shown.code == 0
        first, second, _, head, row, *_ = shown.out.splitlines()
        assert first.startswith("! the file has 2 errors since 20")
        assert "proxies.one.domains: is missing" in first
        assert first.endswith("; the daemon keeps the last valid one")
        assert second == "1 entry: 1 kept"
        assert head.split()[:2] == ["NAME", "DOMAINS"]
        assert row.split()[0] == "one"
    told = one.call("status", "--format", "json").json
    assert [w["event"] for w in told["warnings"]] == ["config.invalid"]
    assert told["warnings"][0]["since"] is not None
    assert told["proxies"][0]["domains"] == [domain("one")]
    assert "nothing is applied until then" in one.call("status").out


def test_what_was_changed_in_npm_shows_though_the_file_is_gone(one: World) -> None:
    one.file.unlink()
    row = one.npm.host("one")
    one.npm.call("PUT", f"/nginx/proxy-hosts/{row['id']}", {"caching_enabled": True})
    shown = one.call("status")
    assert (shown.code, "1 entry: 1 drift" in shown.out) == (0, True)
    assert "one: it is not as it was last applied" in shown.out


def test_without_npm_or_its_address_the_state_is_shown(one: World) -> None:
    one.env["PROXYSYNC_NPM_URL"] = "http://127.0.0.1:9"
    shown = one.call("status")
    assert shown.code == 0
    assert shown.out.startswith("! NPM cannot be reached at http://127.0.0.1:9")
    assert "1 entry: 1 unknown" in shown.out
    del one.env["PROXYSYNC_NPM_URL"]
    shown = one.call("status")
    assert (shown.code, shown.out[:2]) == (0, "! ")
    assert "PROXYSYNC_NPM_URL" in shown.out


def test_what_several_have_in_common_is_said_once(small_world: World, closed_port: int) -> None:
    upstream = f"http://127.0.0.1:{closed_port}"
    small_world.write({name: {"upstream": upstream} for name in ("a", "b", "c")})
    small_world.call("apply", "--yes")
    shown = small_world.call("status").out
    assert "3 entries: 3 blocked" in shown
    assert shown.count("is not accepting connections") == 1
    assert "a, b, c: " in shown


def test_health_is_known_from_the_validation_seconds_before(
    small_world: World, services: list[DemoService]
) -> None:
    small_world.write(
        {
            "one": {"upstream": services[0].url},
            "off": {"upstream": services[1].url, "health": "off"},
            "unprobed": {"upstream": services[2].url, "validation": {"mode": "off"}},
            "warned": {"upstream": "http://127.0.0.1:9", "validation": {"mode": "warn"}},
            "unasked": {"upstream": "http://127.0.0.1:9", "validation": {"skip": ["tcp", "http"]}},
        }
    )
    small_world.call("apply", "--yes")
    shown = small_world.call("status", "--format", "json").json["proxies"]
    known = {entry["name"]: entry["health"] for entry in shown}
    assert known.pop("one") == "healthy"
    assert set(known) == {"off", "unprobed", "warned", "unasked"}
    assert set(known.values()) == {"unknown"}
    one = next(entry for entry in shown if entry["name"] == "one")
    assert one["checked_at"] is not None
    assert one["latency_ms"] is not None
    assert "health.changed" not in small_world.event_names()
