"""What a monitoring system scrapes and asks: /metrics, /readyz and /healthz."""

import time

from prometheus_client.openmetrics.parser import (
    text_string_to_metric_families as parse_openmetrics,
)
from prometheus_client.parser import text_string_to_metric_families as parse

from proxysync.app.vitals import STUCK, Vitals
from proxysync.config.api_settings import ApiSettings
from proxysync.config.environment import read_environment
from proxysync.store.bus import Bus
from proxysync.web.server import serving
from tests.web.conftest import Api
from tests.world import World, eventually

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]

OPENMETRICS = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5"


def samples(api: Api) -> Samples:
    """Each sample by its name and labels."""
    families = parse(api.ask("GET", "/metrics").text)
    found = [one for family in families for one in family.samples]
    by_name = {(one.name, tuple(sorted(one.labels.items()))): one.value for one in found}
    assert len(by_name) == len(found), "no series is there twice"
    return by_name


def value(found: Samples, metric: str, /, **labels: str) -> float | None:
    return found.get((f"proxysync_{metric}", tuple(sorted(labels.items()))))


def test_a_scrape_tells_how_all_is(api: Api, house: World) -> None:
    def checked() -> Samples | None:
        found = samples(api)
        return found if value(found, "entry_up", kind="proxy", name="two") else None

    found = eventually(checked)
    assert found is not None
    one = {"kind": "proxy", "name": "one"}
    assert value(found, "entry_sync", **one, state="in sync") == 1
    assert value(found, "entry_sync", kind="proxy", name="dead", state="blocked") == 1
    assert value(found, "entry_up", kind="proxy", name="dead") is None, "never checked"
    assert value(found, "sync_entries", state="in sync") == 3
    assert value(found, "sync_entries", state="foreign") == 1
    assert value(found, "sync_entries", state="drift") == 0
    assert (value(found, "file_valid"), value(found, "npm_up"), value(found, "paused")) == (1, 1, 0)
    assert value(found, "changes_total", kind="proxy", action="create") == 2
    assert value(found, "change_failures_total", kind="proxy", action="create") == 0
    blocked = {"event": "proxy.blocked", "severity": "error", "source": "validation"}
    assert value(found, "events_total", **blocked) == 1
    assert (value(found, "npm_request_duration_seconds_count", method="POST", code="201") or 0) > 2
    good = {"kind": "proxy", "result": "good"}
    assert (value(found, "health_check_duration_seconds_count", **good) or 0) >= 1
    assert time.time() - (value(found, "last_sync_timestamp_seconds") or 0) < 60
    assert not any("foreign" in str(labels) for name, labels in found if "entry_" in name)

    answer = api.ask("GET", "/metrics", headers={"Accept": OPENMETRICS})
    assert answer.headers["Content-Type"].startswith("application/openmetrics-text; version=1.0.0")
    families = parse_openmetrics(answer.text)  # type: ignore[no-untyped-call]
    assert len(list(families)) > 20
    odd = api.ask("GET", "/metrics", headers={"Accept": "application/openmetrics-text;version=x"})
    assert odd.status_code == 200
    assert api.get("/readyz") | {"synced_at": None} == {
        "status": "ready",
        "reasons": [],
        "synced_at": None,
    }

    assert house.call("remove", "one").code == 0
    eventually(lambda: value(samples(api), "changes_total", kind="proxy", action="delete"))
    assert not any(("name", "one") in labels for _, labels in samples(api))

    house.file.write_text("proxies: [")
    eventually(lambda: value(samples(api), "file_valid") == 0)
    refused = api.ask("GET", "/readyz")
    assert refused.status_code == 503
    assert [reason["event"] for reason in refused.json()["reasons"]] == ["config.invalid"]


def test_a_daemon_that_is_stuck_or_never_synced_is_told(house: World) -> None:
    class Stuck(Vitals):
        silent_for = STUCK + 1

    env = read_environment(house.env, overrides={})
    with serving(ApiSettings("127.0.0.1", 0), env, house.env, Stuck(), Bus()) as url:
        stuck = Api(url).ask("GET", "/healthz")
        assert stuck.status_code == 503
        assert "no sign of life" in stuck.json()["status"]
        refused = Api(url).ask("GET", "/readyz")
        assert refused.status_code == 503
        assert "stuck" in refused.json()["reasons"][0]["message"]
    with serving(ApiSettings("127.0.0.1", 0), env, house.env, Vitals(), Bus()) as url:
        assert Api(url).get("/healthz")["status"] == "ok"
        assert "since the daemon" in Api(url).ask("GET", "/readyz").text
