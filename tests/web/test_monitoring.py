"""The examples for Prometheus and Grafana use what is exported, and promtool takes all of it."""

import json
import re
import shutil
import subprocess
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families as parse

from proxysync.app.status import EntryStatus
from proxysync.app.status_view import Status
from proxysync.app.status_warnings import StatusWarning
from proxysync.app.vitals import Vitals
from proxysync.model import Certificate, Key
from proxysync.model.event import Event
from proxysync.model.figures import Uptime
from proxysync.model.health import EdgeState, HealthState
from proxysync.web.instruments import Instruments
from proxysync.web.metrics import StatusCollector

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples" / "monitoring"
NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
HOSTILE = 'a"b\\c\nd</script>\u202e'

ENTRY = EntryStatus(
    key=Key("proxy", "media"),
    kind="proxy",
    managed=True,
    npm_id=1,
    domains=("media.example.com",),
    upstream="http://10.0.0.5:8096",
    enabled=True,
    sync="in sync",
    health=HealthState("healthy", NOW, checked_at=NOW, latency_ms=12),
    interval=60.0,
    uptime={"24h": Uptime(0.5, NOW, 60.0), "7d": Uptime(0.75, NOW, 60.0), "30d": Uptime()},
    edge=EdgeState("served", NOW, NOW),
)
STATUS = Status(
    entries=(ENTRY,),
    warnings=(StatusWarning("health.network_down", "no network"),),
    trouble=None,
    secrets={"hunter22": "${PASSWORD}"},
    certificates=(Certificate(3, HOSTILE + "hunter22", (), "2026-03-01T00:00:00Z"),),
)


def exposed(status: Status) -> str:
    """What a scrape gets."""
    vitals = Vitals()
    instruments = vitals.gauges = Instruments()
    instruments.registry.register(StatusCollector(lambda: status, vitals))
    vitals.checked("proxy", 0.2, ok=True)
    vitals.exchanged("GET", None, 31.0)
    drift = {"drift": True, "action": "update"}
    for name in ("proxy.updated", "proxy.failed"):
        event = Event(1, "", "info", "apply", name, ENTRY.key, "", drift)
        instruments.hear([event])
    return generate_latest(instruments.registry).decode()


@pytest.fixture(scope="module")
def exported() -> frozenset[str]:
    """The names of all samples of ours."""
    samples = [one for family in parse(exposed(STATUS)) for one in family.samples]
    return frozenset(one.name for one in samples if one.name.startswith("proxysync_"))


def shown() -> list[str]:
    """What the dashboard asks for."""
    board = json.loads((EXAMPLES / "grafana.json").read_text())
    return [target["expr"] for panel in board["panels"] for target in panel["targets"]]


def ours(text: str) -> set[str]:
    return set(re.findall(r"proxysync_[a-z_]+", text))


def test_every_metric_of_the_examples_and_of_the_page_is_exported(exported: frozenset[str]) -> None:
    assert len(ours(" ".join(shown()))) > 15
    for file in ("grafana.json", "rules.yaml", "rules-test.yaml"):
        text = (EXAMPLES / file).read_text().replace("proxysync_token", "")
        assert ours(text) - exported == set(), file
    page = (ROOT / "docs" / "monitoring.md").read_text()
    told = set(re.findall(r"^\| `(proxysync_[a-z_]+)", page, re.MULTILINE))
    bare = {re.sub(r"_(bucket|sum|count)$", "", n) if "_duration_" in n else n for n in exported}
    assert told == bare
    assert "proxysync_build_info" in told


def test_labels_hold_what_they_are_given_and_no_secret() -> None:
    text = exposed(STATUS)
    assert "hunter22" not in text
    families = {family.name: family.samples for family in parse(text)}
    [certificate] = families["proxysync_certificate_expiry_timestamp_seconds"]
    assert certificate.labels == {"npm_id": "3", "name": f"{HOSTILE}${{PASSWORD}}"}
    [drift] = [one for one in families["proxysync_drift_fixed"] if one.value]
    assert (drift.labels, drift.value) == ({"kind": "proxy"}, 1.0)
    [failed] = [one for one in families["proxysync_change_failures"] if one.value]
    assert failed.labels == {"kind": "proxy", "action": "update"}


def test_an_entry_is_a_handful_of_series() -> None:
    names = [f"site-{number}" for number in range(1000)]
    many = tuple(replace(ENTRY, key=Key("proxy", name)) for name in names)
    text = exposed(replace(STATUS, entries=many))
    assert text.count('name="site-7"') == 8


@pytest.fixture(scope="module")
def promtool() -> str:
    found = shutil.which("promtool")
    if found is None:
        pytest.skip("promtool (Debian's package prometheus) is not there")
    return found


def checked(promtool: str, *words: Any, stdin: str | None = None) -> None:
    done = subprocess.run(
        [promtool, *map(str, words)],
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
        timeout=50,
        cwd=EXAMPLES,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_promtool_takes_the_metrics_the_rules_and_their_tests(
    promtool: str, tmp_path: Path
) -> None:
    checked(promtool, "check", "metrics", stdin=exposed(STATUS))
    checked(promtool, "check", "rules", "rules.yaml")
    checked(promtool, "test", "rules", "rules-test.yaml")
    checked(promtool, "check", "config", "--syntax-only", "prometheus.yaml")
    rules = [{"record": f"shown:{number}", "expr": expr} for number, expr in enumerate(shown())]
    dashboard = tmp_path / "dashboard.yaml"
    dashboard.write_text(json.dumps({"groups": [{"name": "dashboard", "rules": rules}]}))
    checked(promtool, "check", "rules", dashboard)
