"""What a monitoring system scrapes and asks: /metrics, /readyz and /healthz."""

import time
from datetime import timedelta
from xml.etree import ElementTree as ET

from prometheus_client.openmetrics.parser import (
    text_string_to_metric_families as parse_openmetrics,
)
from prometheus_client.parser import text_string_to_metric_families as parse

from proxysync.app.vitals import STUCK, Vitals
from proxysync.config.api_settings import ApiSettings
from proxysync.config.environment import read_environment
from proxysync.model import clock
from proxysync.store.bus import Bus
from proxysync.web.badge import RED, badge
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


def picture(api: Api, path: str) -> str | None:
    """What a badge says to whoever cannot see it; None where there is none."""
    answer = api.ask("GET", path)
    if answer.status_code == 404:
        return None
    assert answer.headers["Content-Type"] == "image/svg+xml"
    assert answer.headers["Cache-Control"] == "max-age=60"
    assert answer.headers["Cross-Origin-Resource-Policy"] == "cross-origin"
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    return ET.fromstring(answer.text).get("aria-label")


def test_a_badge_is_as_wide_as_its_texts_and_shows_them_as_they_are() -> None:
    drawn = ET.fromstring(badge('<b a="1">&', "50 %", RED))
    svg = "{http://www.w3.org/2000/svg}"
    texts = drawn.findall(f".//{svg}text")
    assert [text.text for text in texts] == ['<b a="1">&', "50 %"]
    widths = [int(box.get("width", "")) for box in drawn.findall(f"{svg}rect")]
    assert sum(widths) == int(drawn.get("width", ""))
    for text, width in zip(texts, widths, strict=True):
        assert 0 < int(text.get("textLength", "")) < width
    assert drawn.get("aria-label") == drawn.findtext(f"{svg}title") == '<b a="1">&: 50 %'


def test_a_scrape_tells_how_all_is(api: Api, house: World) -> None:
    def checked() -> Samples | None:
        found = samples(api)
        counted = value(found, "health_check_duration_seconds_count", kind="proxy", result="good")
        return found if counted and value(found, "entry_up", kind="proxy", name="two") else None

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

    assert api.ask("GET", "/badge/two/health.svg").status_code == 404
    assert house.call("set", "two", "badge=true").code == 0
    shown = eventually(lambda: picture(api, "/badge/two/health.svg"))
    assert shown == "two: healthy"
    assert picture(api, "/badge/proxy/two/uptime-7d.svg") == "two 7d: 100 %"
    for path in ("one/health", "none/health", "stream/two/health", "two/uptime-8d"):
        assert api.ask("GET", f"/badge/{path}.svg").status_code == 404, path
    update = {"kind": "proxy", "action": "update"}
    assert value(samples(api), "changes_total", **update) == 0, "it is nothing to NPM"

    assert house.call("remove", "one").code == 0
    eventually(lambda: value(samples(api), "changes_total", kind="proxy", action="delete"))
    assert not any(("name", "one") in labels for _, labels in samples(api))

    house.file.write_text("proxies: [")
    eventually(lambda: value(samples(api), "file_valid") == 0)
    refused = api.ask("GET", "/readyz")
    assert refused.status_code == 503
    assert [reason["event"] for reason in refused.json()["reasons"]] == ["config.invalid"]
    assert value(samples(api), "entry_up", kind="proxy", name="two") == 1, "it is still watched"
    assert picture(api, "/badge/two/health.svg") == "two: healthy"


def test_a_daemon_that_is_stuck_or_never_synced_is_told(house: World) -> None:
    class Stuck(Vitals):
        silent_for = STUCK + 1

    env = read_environment(house.env, overrides={})
    with serving(ApiSettings("127.0.0.1", 0), env, house.env, Stuck(), Bus()) as served:
        stuck = Api(served.url).ask("GET", "/healthz")
        assert stuck.status_code == 503
        assert "no sign of life" in stuck.json()["status"]
        refused = Api(served.url).ask("GET", "/readyz")
        assert refused.status_code == 503
        assert "stuck" in refused.json()["reasons"][0]["message"]
    vitals = Vitals()
    with serving(ApiSettings("127.0.0.1", 0), env, house.env, vitals, Bus()) as served:
        assert Api(served.url).get("/healthz")["status"] == "ok"
        assert "since the daemon" in Api(served.url).ask("GET", "/readyz").text
        vitals.synced()
        assert Api(served.url).get("/readyz")["status"] == "ready"
        vitals.synced_at = clock.now() - timedelta(hours=1)
        assert "last brought in sync 3600 s ago" in Api(served.url).ask("GET", "/readyz").text
