"""An entry that cannot work is stopped before it is live, and its owner reads what to do."""

import pytest

from proxysync.demo.services import DemoService
from tests.servers import NameServer, answering, gathering, hanging
from tests.world import World


def test_the_table_has_a_line_for_each_step_and_the_hint(
    small_world: World, services: list[DemoService]
) -> None:
    small_world.write(
        {"one": {"upstream": services[0].url}, "dead": {"upstream": "http://127.0.0.1:1"}}
    )
    done = small_world.call("validate")
    assert done.code == 1
    assert "1 of 2 entries pass" in done.out
    for step in ("syntax pass", "tcp    fail", "http   skipped"):
        assert step in done.out
    assert (
        "hint: Port 1 is not accepting connections. "
        "Check if the service is running and the port is correct."
    ) in done.out
    assert small_world.call("validate", "one").code == 0
    assert small_world.call("validate", "nobody").code == 1


def test_json_has_the_shape_that_scripts_rely_on(
    small_world: World, services: list[DemoService]
) -> None:
    location = {"path": "/api", "upstream": "http://127.0.0.1:1/v1"}
    small_world.write({"one": {"upstream": services[0].url, "locations": [location]}})
    result = small_world.call("validate", "--format", "json").json["results"][0]
    assert (result["name"], result["ok"]) == ("one", False)
    assert [(s["name"], s["status"]) for s in result["steps"]] == [
        ("syntax", "pass"),
        ("dns", "pass"),
        ("tcp", "pass"),
        ("http", "pass"),
    ]
    assert set(result["steps"][0]) == {"name", "status", "detail", "hint", "duration_ms"}
    assert result["locations"][0]["path"] == "/api"
    assert [s["status"] for s in result["locations"][0]["steps"]][2:] == ["fail", "skipped"]


def test_500_upstreams_are_waited_for_together(small_world: World) -> None:
    with gathering(500) as port:
        small_world.write(
            {f"p{i}": {"upstream": f"http://127.0.0.1:{port}"} for i in range(500)},
            settings={"validation": {"tcp_timeout": "20s", "http_timeout": "20s"}},
        )
        done = small_world.call("validate", "--format", "json")
    assert done.code == 0
    assert [r["ok"] for r in done.json["results"]] == [True] * 500


def test_an_upstream_that_hangs_is_given_up_and_its_owner_told_why(small_world: World) -> None:
    with hanging() as port:
        small_world.write(
            {f"p{i}": {"upstream": f"http://127.0.0.1:{port}"} for i in range(20)},
            settings={"validation": {"tcp_timeout": "1s", "http_timeout": "1s"}},
        )
        done = small_world.call("validate", "--format", "json")
    assert done.code == 1
    hints = {r["steps"][3]["hint"] or r["steps"][2]["hint"] for r in done.json["results"]}
    assert hints == {
        "Connection timed out. Possible firewall blocking. Check network/firewall rules."
    }


def test_a_status_that_is_not_expected_fails_and_one_below_500_passes(small_world: World) -> None:
    with answering(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n") as server:
        entry = {"upstream": f"http://127.0.0.1:{server.port}"}
        small_world.write({"any": entry, "picky": {**entry, "health": {"expect_status": 200}}})
        results = {
            result["name"]: result
            for result in small_world.call("validate", "--format", "json").json["results"]
        }
    assert results["any"]["ok"] is True
    assert results["picky"]["steps"][3]["hint"] == (
        "Service responded with HTTP 404. The service may not be healthy."
    )


@pytest.mark.parametrize("mode", ["enforce", "warn", "off"])
@pytest.mark.parametrize("skip", [[], ["dns", "tcp", "http"]])
def test_an_unresolvable_name_in_a_location_never_reaches_npm(
    small_world: World,
    services: list[DemoService],
    name_server: NameServer,
    mode: str,
    skip: list[str],
) -> None:
    location = {"path": "/api", "upstream": "http://nowhere.lan:9000"}
    small_world.write(
        {
            "one": {
                "upstream": services[0].url,
                "locations": [location],
                "validation": {"skip": skip},
            },
            "two": {"upstream": services[1].url},
        },
        settings={"validation": {"mode": mode, "resolver": f"127.0.0.1:{name_server.port}"}},
    )
    done = small_world.call("apply", "--yes")
    assert done.code == 1
    assert "all sites would be down" in done.out
    assert [row["meta"]["proxysync"]["name"] for row in small_world.npm.hosts()] == ["two"]


def test_an_unresolvable_name_in_a_location_is_let_through_where_the_entry_says_so(
    small_world: World, services: list[DemoService], name_server: NameServer
) -> None:
    small_world.write(
        {
            "one": {
                "upstream": services[0].url,
                "locations": [{"path": "/api", "upstream": "http://nowhere.lan:9000"}],
                "validation": {"allow_unresolved": True},
            }
        },
        settings={"validation": {"resolver": f"127.0.0.1:{name_server.port}"}},
    )
    small_world.apply()
    assert small_world.npm.host("one")["locations"][0]["forward_host"] == "nowhere.lan"


def test_warn_lets_a_dead_upstream_through_and_says_so(small_world: World) -> None:
    small_world.write(
        {"dead": {"upstream": "http://127.0.0.1:1"}}, settings={"validation": {"mode": "warn"}}
    )
    small_world.apply()
    assert "proxy.suspect" in small_world.event_names(name="dead")


def test_what_this_machine_cannot_see_can_be_skipped(small_world: World) -> None:
    small_world.write(
        {
            "container": {
                "upstream": "http://some-container:8080",
                "validation": {"skip": ["dns", "tcp", "http"]},
            }
        }
    )
    small_world.apply()
    assert small_world.npm.host("container")["forward_host"] == "some-container"


def test_plan_probes_only_when_told_to(small_world: World) -> None:
    small_world.write({"dead": {"upstream": "http://127.0.0.1:1"}})
    assert small_world.plan()["summary"]["create"] == 1
    plan = small_world.call("plan", "--probe", "--format", "json").json
    assert (plan["summary"]["create"], plan["summary"]["blocked"]) == (0, 1)


def test_an_entry_that_did_not_change_is_not_probed(
    small_world: World, services: list[DemoService]
) -> None:
    small_world.write({toy.text: {"upstream": toy.url} for toy in services[:2]})
    small_world.apply()
    services[0].stop()
    small_world.write({"one": {"upstream": services[0].url}, "two": {"upstream": services[2].url}})
    assert small_world.apply()["validation"][0]["name"] == "two"


def test_a_disabled_entry_needs_no_upstream(small_world: World) -> None:
    small_world.write({"later": {"upstream": "http://127.0.0.1:1", "enabled": False}})
    small_world.apply()
    assert small_world.npm.host("later")


def test_a_block_is_told_once_however_often_it_is_tried(small_world: World) -> None:
    small_world.write({"dead": {"upstream": "http://127.0.0.1:1"}})
    for _ in range(3):
        assert small_world.call("apply", "--yes").code == 1
    assert small_world.event_names() == ["proxy.blocked"]
