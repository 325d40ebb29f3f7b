"""Health checks of the daemon as its users see them: events, status, restarts."""

import json
import os
import select
import signal
import sqlite3
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from proxysync.demo.services import DemoService
from tests.servers import NameServer, hanging
from tests.world import PATIENCE, World, domain, eventually

pytestmark = pytest.mark.timeout(120)

INTERVAL = 1.0
SPARE = 1.0
"""Seconds that a busy machine may take for a check and an event."""

SECOND_TRY = 0.5
SOON = f"from proxysync.health import latent\nlatent.SECOND_TRY = {SECOND_TRY}"
"""Python to run first in a daemon that is to look at a name again so soon."""

QUICK = {"health": {"interval": INTERVAL}, "resync_interval": "1s"}


@pytest.fixture
def three(small_world: World, services: list[DemoService]) -> World:
    """Three live proxies that are checked each second."""
    small_world.write({toy.text: {"upstream": toy.url} for toy in services}, settings=QUICK)
    return small_world


def changes(world: World, name: str | None = None) -> list[dict[str, Any]]:
    return [
        event
        for event in world.events()
        if event["event"] == "health.changed" and name in (None, event["name"])
    ]


def status(world: World, *words: str) -> dict[str, Any]:
    done = world.call("status", *words, "--format", "json")
    assert done.code == 0, done.err
    found: dict[str, Any] = done.json
    return found


def health(world: World) -> dict[str, str]:
    return {proxy["name"]: proxy["health"] for proxy in status(world)["proxies"]}


def all_healthy(world: World) -> bool:
    found = health(world)
    return bool(found) and set(found.values()) == {"healthy"}


def rows(world: World) -> list[dict[str, Any]]:
    """The event log as SQLite has it, in the shape of the lines."""
    with sqlite3.connect(world.state / "state.db") as connection:
        connection.row_factory = sqlite3.Row
        found = [dict(row) for row in connection.execute("SELECT * FROM event_log ORDER BY id")]
    connection.close()
    return [{**row, "data": json.loads(row["data"])} for row in found]


def readings(world: World) -> int:
    """How often the daemon has read all of NPM."""
    assert world.npm.sandbox is not None
    return world.npm.sandbox.requests.count(("GET", "/nginx/streams"))


def wait_for_readings(world: World, before: int) -> None:
    """Waits until a daemon has gone round twice: then it has also begun to inspect."""
    eventually(lambda: readings(world) > before + 1)


def elapsed(moment: datetime, event: dict[str, Any]) -> float:
    return (datetime.fromisoformat(event["ts"]) - moment).total_seconds()


def test_a_service_killed_and_restarted_is_exactly_two_events_also_after_kill_9(
    three: World, services: list[DemoService]
) -> None:
    with three.daemon() as process:
        eventually(lambda: all_healthy(three))
        assert changes(three) == []
        killed = datetime.now(UTC)
        services[0].stop()
        eventually(lambda: len(changes(three)) == 1)
        unhealthy = changes(three)[0]
        assert elapsed(killed, unhealthy) < INTERVAL * 2 + SPARE
        assert (unhealthy["name"], unhealthy["severity"]) == ("one", "warn")
        assert (unhealthy["data"]["from"], unhealthy["data"]["to"]) == ("healthy", "unhealthy")
        assert unhealthy["data"]["hint"].startswith(f"Port {services[0].port} is not accepting")
        process.kill()
        process.wait()

    with three.daemon() as process:
        eventually(lambda: status(three, "one")["proxies"][0]["checked_at"] > unhealthy["ts"])
        time.sleep(INTERVAL * 2.5)  # what must not happen has no condition to wait for
        assert len(changes(three)) == 1
        restarted = datetime.now(UTC)
        services[0].start()
        eventually(lambda: len(changes(three)) == 2)
        healthy = changes(three)[1]
        assert elapsed(restarted, healthy) < INTERVAL + SPARE
        assert (healthy["data"]["from"], healthy["data"]["to"]) == ("unhealthy", "healthy")
        lasted = elapsed(datetime.fromisoformat(unhealthy["ts"]), healthy)
        assert abs(healthy["data"]["lasted_seconds"] - lasted) < 0.5
        process.kill()
        process.wait()

    with three.daemon():
        eventually(lambda: status(three, "one")["proxies"][0]["checked_at"] > healthy["ts"])
        time.sleep(INTERVAL * 2.5)
    assert len(changes(three)) == 2
    assert rows(three) == three.events()


def test_what_a_refused_plan_leaves_in_npm_is_watched_as_its_entry_said_last(
    three: World, services: list[DemoService]
) -> None:
    def one() -> dict[str, Any]:
        found: dict[str, Any] = status(three, "one")["proxies"][0]
        return found

    with three.daemon():
        eventually(lambda: all_healthy(three))
        services[0].stop()
        eventually(lambda: len(changes(three)) == 1)
        whole = three.file.read_text()
        three.write({"three": {"upstream": services[2].url}}, settings=QUICK)
        eventually(lambda: "plan.refused" in three.event_names())
        refused = three.events()[-1]["ts"]
        eventually(lambda: (one()["checked_at"] or "") > refused)
        assert (one()["sync"], one()["health"], one()["watched"]) == ("held", "unhealthy", True)
        assert "unhealthy" in three.call("status").out
        three.file.write_text(whole)
        eventually(lambda: one()["sync"] == "in sync")
        services[0].start()
        eventually(lambda: len(changes(three)) == 2)
    assert [event["data"]["to"] for event in changes(three)] == ["unhealthy", "healthy"]


def test_when_all_fail_at_once_it_is_the_network_and_every_status_is_kept(
    three: World, services: list[DemoService]
) -> None:
    with three.daemon():
        eventually(lambda: all_healthy(three))
        for toy in services:
            toy.stop()
        eventually(lambda: "health.network_down" in three.event_names())
        time.sleep(INTERVAL * 3)
        assert all_healthy(three)
        assert [w["event"] for w in status(three)["warnings"]] == ["health.network_down"]
        for toy in services:
            toy.start()
        eventually(lambda: "health.network_back" in three.event_names())
        time.sleep(INTERVAL * 2)
    names = [name for name in three.event_names() if name.startswith("health.")]
    assert names == ["health.network_down", "health.network_back"]


def test_status_of_one_shows_uptimes_and_the_last_changes(
    three: World, services: list[DemoService]
) -> None:
    with three.daemon():
        eventually(lambda: all_healthy(three))
        services[0].stop()
        eventually(lambda: len(changes(three)) == 1)
        eventually(lambda: health(three)["one"] == "unhealthy")
        one = status(three, "one")["proxies"][0]
        assert 0 < one["uptime"]["24h"] < 1
        assert one["uptime"].keys() == {"24h", "7d", "30d"}
        assert [event["event"] for event in one["changes"]] == ["health.changed", "proxy.created"]
        text = three.call("status", "one", env={"NO_COLOR": "1"}).out
        assert "Uptime   24h" in text
        assert "one is unhealthy" in text
        assert "hint: Port" in text
        others = [p for p in status(three)["proxies"] if p["name"] != "one"]
        assert [p["uptime"]["24h"] for p in others] == [1.0, 1.0]
        assert {type(p["latency_ms"]) for p in others} == {int}


def test_ill_health_that_lasts_is_stale_and_said_once(
    small_world: World, services: list[DemoService]
) -> None:
    small_world.write(
        {toy.text: {"upstream": toy.url} for toy in services[:2]},
        settings={**QUICK, "stale_threshold_days": 7},
    )
    text = small_world.file.read_text().replace("_days: 7", "_days: 0.00001")
    small_world.file.write_text(text)
    with small_world.daemon():
        eventually(lambda: all_healthy(small_world))
        services[0].stop()
        eventually(lambda: "health.stale" in small_world.event_names(name="one"))
        eventually(lambda: status(small_world, "one")["proxies"][0]["stale"])
        time.sleep(INTERVAL * 2)
        assert small_world.event_names().count("health.stale") == 1
        assert "stale" in small_world.call("status").out
        services[0].start()
        eventually(lambda: not status(small_world, "one")["proxies"][0]["stale"])


def test_what_is_off_disabled_or_not_live_is_not_checked(
    small_world: World, services: list[DemoService]
) -> None:
    small_world.write(
        {
            "one": {"upstream": services[0].url},
            "off": {"upstream": services[1].url, "health": "off"},
            "disabled": {"upstream": services[2].url, "enabled": False},
            "blocked": {"upstream": "http://127.0.0.1:1"},
        },
        settings=QUICK,
    )
    with small_world.daemon():
        eventually(lambda: health(small_world).get("one") == "healthy")
        time.sleep(INTERVAL * 2)
        found = {p["name"]: (p["watched"], p["checked_at"]) for p in status(small_world)["proxies"]}
    assert found["one"][0]
    assert [found[n] for n in ("off", "disabled", "blocked")] == [(False, None)] * 3


def test_an_edit_that_is_blocked_leaves_the_live_upstream_watched(
    three: World, services: list[DemoService]
) -> None:
    with three.daemon():
        eventually(lambda: all_healthy(three))
        three.file.write_text(three.file.read_text().replace(services[0].url, "http://127.0.0.1:1"))
        eventually(lambda: "proxy.blocked" in three.event_names(name="one"))
        time.sleep(INTERVAL * 2.5)
        assert changes(three) == []


def test_health_goes_on_while_npm_is_away(three: World, services: list[DemoService]) -> None:
    assert three.npm.sandbox is not None
    with three.daemon():
        eventually(lambda: all_healthy(three))
    three.npm.sandbox.stop()
    services[0].stop()
    with three.daemon():
        eventually(lambda: "npm.unavailable" in three.event_names())
        eventually(lambda: len(changes(three, "one")) == 1)


def test_a_check_that_hangs_delays_neither_the_others_nor_the_end(
    small_world: World, services: list[DemoService]
) -> None:
    with hanging() as port:
        small_world.write(
            {
                "slow": {"upstream": f"http://127.0.0.1:{port}"},
                **{toy.text: {"upstream": toy.url} for toy in services},
            },
            settings={**QUICK, "validation": {"mode": "off", "http_timeout": "60s"}},
        )
        with small_world.daemon() as process:
            eventually(lambda: health(small_world).get("one") == "healthy")
            services[0].stop()
            eventually(lambda: len(changes(small_world, "one")) == 1)
            process.send_signal(signal.SIGTERM)
            assert process.wait(PATIENCE) == 0


def test_a_log_that_nobody_reads_holds_up_neither_the_work_nor_the_end(
    small_world: World, services: list[DemoService]
) -> None:
    blocked = {f"p{number}": {"upstream": "http://127.0.0.1:1"} for number in range(200)}
    small_world.write(blocked, settings=QUICK)
    reader, stderr = os.pipe()
    process = subprocess.Popen(
        [sys.executable, "-m", "proxysync", "run"], env=small_world.env, stderr=stderr
    )
    try:
        eventually(lambda: small_world.event_names().count("proxy.blocked") == 200)
        small_world.write({"one": {"upstream": services[0].url}}, settings=QUICK)
        eventually(lambda: health(small_world) == {"one": "healthy"})
        assert select.select((), (stderr,), (), 0)[1] == [], "it must be full for this to count"
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
        assert small_world.event_names()[-1] == "daemon.stopped"
    finally:
        process.kill()
        process.wait()
        os.close(reader)
        os.close(stderr)


def test_a_name_in_a_foreign_location_that_is_gone_is_a_latent_outage_said_once(
    three: World, services: list[DemoService], name_server: NameServer
) -> None:
    nas = domain("nas")
    location = {
        "path": "/files",
        "forward_scheme": "http",
        "forward_host": nas,
        "forward_port": 80,
    }
    row = three.npm.add_host(domain("theirs"), locations=[location])
    settings = {**QUICK, "validation": {"resolver": name_server.address}}
    three.write({toy.text: {"upstream": toy.url} for toy in services}, settings=settings)
    with three.daemon(SOON):
        eventually(lambda: "npm.latent_outage" in three.event_names())
    before = readings(three)
    with three.daemon(SOON):
        wait_for_readings(three, before)
        time.sleep(SECOND_TRY + 1)
    (event,) = [e for e in three.events() if e["event"] == "npm.latent_outage"]
    assert event["severity"] == "error"
    assert nas in event["message"]
    assert f"#{row['id']}" in event["message"]
    assert "the next restart of NPM takes all sites down" in event["message"]
    assert nas in three.call("status").out
    assert [w["event"] for w in status(three)["warnings"]] == ["npm.latent_outage"]

    name_server.records[nas, "A"] = ["127.0.0.1"]
    with three.daemon(SOON):
        eventually(lambda: "npm.latent_outage_over" in three.event_names())
    assert status(three)["warnings"] == []


def test_a_certificate_in_use_that_runs_out_is_said_once(three: World) -> None:
    assert three.npm.sandbox is not None
    soon = datetime.now() + timedelta(days=10)  # noqa: DTZ005 - NPM writes its local time
    text = f"{soon:%Y-%m-%d %H:%M:%S}"
    used = three.npm.sandbox.add_certificate("used", [domain("theirs")], text)
    three.npm.sandbox.add_certificate("unused", [domain("other")], text)
    three.npm.add_host(domain("theirs"), certificate_id=used)
    for _ in range(2):
        before = readings(three)
        with three.daemon():
            wait_for_readings(three, before)
            eventually(lambda: "npm.certificate_expiring" in three.event_names())
    told = [e for e in three.events() if e["event"].startswith("npm.certificate")]
    assert [(e["severity"], e["message"].split(" (")[0]) for e in told] == [
        ("warn", "certificate used")
    ]


def test_status_fits_a_narrow_terminal_and_colours_only_where_wanted(three: World) -> None:
    three.apply()
    wide = three.call("status", env={"COLUMNS": "200", "FORCE_COLOR": "1"}).out
    assert "\033[" in wide
    assert "UPSTREAM" in wide
    narrow = three.call("status", env={"COLUMNS": "50", "NO_COLOR": "1", "FORCE_COLOR": "1"}).out
    assert "\033[" not in narrow
    assert "UPSTREAM" not in narrow
    assert max(len(line) for line in narrow.splitlines()) <= 50


def test_status_of_all_marks_whose_the_foreign_ones_are_of_whatever_kind(three: World) -> None:
    three.apply()
    three.npm.add_host(domain("theirs"))
    dead = three.npm.call("POST", "/nginx/dead-hosts", {"domain_names": [domain("dead")]})
    text = three.run("status", "--all", env={"COLUMNS": "200"}).out
    assert [line.split()[-6] for line in text.splitlines() if "theirs" in line] == ["foreign"]
    assert sum(domain("dead") in line for line in text.splitlines()) == 1
    found = [p for p in status(three, "--all")["proxies"] if p["holder"]]
    assert [(p["holder"], p["managed"], p["upstream"]) for p in found] == [
        (f"404 host #{dead['id']}", False, None)
    ]


def test_a_state_that_cannot_be_read_is_a_sentence(three: World) -> None:
    three.apply()
    database = three.state / "state.db"
    content = database.read_bytes()
    database.write_bytes(content[:4096] + b"x" * (len(content) - 4096))
    for command in ("status", "events"):
        done = three.call(command)
        assert done.code == 1
        assert "cannot be read" in done.err
        assert "set a damaged file aside" in done.err


def test_status_that_watches_shows_it_again_until_it_is_interrupted(three: World) -> None:
    three.apply()
    process = subprocess.Popen(
        [sys.executable, "-m", "proxysync", "status", "--watch"],
        env=three.env,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    heads = 0
    while heads < 2:
        heads += process.stdout.readline().startswith("NAME")
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=10)
    assert (process.returncode, err) == (0, "")
    assert three.call("status", "--watch", "--format", "json").code == 1
