"""What can be read over HTTP is what the commands print."""

from tests.web.conftest import Api
from tests.world import World, eventually


def test_everything_is_shown_in_the_shapes_of_the_commands(api: Api, house: World) -> None:
    def settled() -> bool:
        found = api.get("/api/proxies")["proxies"]
        ours = [p for p in found if p["sync"] == "in sync"]
        return len(ours) == 2 and all(p["health"] == "healthy" for p in ours)

    eventually(settled)
    listed = api.get("/api/proxies")
    assert [p["name"] for p in listed["proxies"]] == ["dead", "one", "two"]
    assert [p["sync"] for p in listed["proxies"]] == ["blocked", "in sync", "in sync"]
    printed = house.run("status", "--format", "json").json
    assert listed.keys() == printed.keys()
    assert [p.keys() for p in listed["proxies"]] == [p.keys() for p in printed["proxies"][:3]]

    merged = api.get("/api/proxies/all")["proxies"]
    assert [p["domains"] for p in merged if not p["managed"]][1:] == [
        ["foreign.proxysync-test.example"]
    ]
    every = api.get("/api/resources")["resources"]
    assert [r["name"] for r in every if r["kind"] == "redirection"] == ["old"]
    assert api.get("/api/resources/redirection")["resources"] == [
        r for r in every if r["name"] == "old"
    ]

    one = api.get("/api/proxies/one")
    assert one["upstream"] == listed["proxies"][1]["upstream"]
    assert "proxy.created" in [event["event"] for event in one["changes"]]

    plan = api.get("/api/plan")
    assert plan == house.run("plan", "--format", "json").json
    assert [change["name"] for change in plan["changes"]] == ["dead"]
    page = api.get("/api/events?limit=2&severity=warn")
    assert (
        page["events"]
        == house.run("events", "--limit", "2", "--severity", "warn", "--format", "json").json[
            "events"
        ]
    )
    assert page["next_before"] in (None, page["events"][-1]["id"])
    [run] = api.get("/api/history")["runs"]
    assert api.get(f"/api/history/{run['id']}")["changes"][0]["edits"]
