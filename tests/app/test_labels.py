"""Two kinds may have an entry of the same name: what is shown tells them apart, as commands do."""

import re
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from proxysync.app.adopt import entries_to_adopt
from proxysync.app.history import AppliedChange, AppliedRun, History
from proxysync.app.plan import result
from proxysync.app.planning import Options, plan_from, read
from proxysync.app.result import ReconcileResult
from proxysync.app.status import collect
from proxysync.app.validate import check_file, validate
from proxysync.apply.report import ChangeOutcome, ChangeResult, Report
from proxysync.cli import history
from proxysync.cli.main import main
from proxysync.cli.outcome import print_result
from proxysync.cli.status_table import render
from proxysync.config.load import load_text
from proxysync.config.models import Config
from proxysync.kinds import KINDS
from proxysync.kinds.base import NONE_OWN
from proxysync.model import Live, Marker, Snapshot
from proxysync.plan.adoption import advice
from proxysync.plan.model import Plan
from tests.keys import key


@pytest.fixture
def config() -> Config:
    return load_text(
        "proxies:\n"
        "  a: {domains: [a.example.com], upstream: 'http://127.0.0.1:1'}\n"
        "  b: {domains: [b.example.com], upstream: 'http://127.0.0.1:1'}\n"
        "redirections:\n"
        "  a: {domains: [old.example.com], to: 'https://a.example.com'}\n",
        "proxies.yaml",
        {},
    )


def plan(config: Config, snapshot: Snapshot) -> Plan:
    return plan_from(read(config, Options(), snapshot, None)).plan


def held(config: Config, marker: Marker | None = None) -> Snapshot:
    """NPM with a host that has the domain of the proxy."""
    kind = KINDS["proxy"]
    fields = kind.desired(config.resources[0], Snapshot(()), NONE_OWN).fields
    return Snapshot((Live("proxy", 1, fields, marker),))


@pytest.mark.parametrize(
    "marker", [None, Marker("a", "office")], ids=["of nobody", "of another instance"]
)
def test_what_a_conflict_advises_can_be_done(config: Config, marker: Marker | None) -> None:
    found = plan(config, held(config, marker))
    (conflict,) = (c for c in found.changes if c.action == "conflict")
    told = conflict.reason + advice(conflict, found.label_of(conflict.key))
    advised = re.search("`proxysync adopt (.*?)`", told)
    assert advised
    assert entries_to_adopt(config, [advised[1]]) == {key("a")}


def test_a_rivals_host_is_taken_back_by_a_name_that_is_one_entrys(config: Config) -> None:
    snapshot = held(config, Marker("a", "default", state="other"))
    (live,) = snapshot.objects
    elsewhere = {**live.fields, "domain_names": ["elsewhere.example.com"]}
    snapshot = replace(snapshot, objects=(replace(live, fields=elsewhere),))
    (conflict,) = (c for c in plan(config, snapshot).changes if c.action == "conflict")
    assert "`proxysync adopt proxy/a`" in conflict.reason


def test_plans_results_and_status_tell_them_apart(
    config: Config, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    found = result(plan_from(read(config, Options(), held(config), None)))
    text, markdown = found.to_text(colour=False), found.to_markdown()
    for line in ("! proxy/a", "+ redirection/a", "+ b ("):
        assert line in text
    for code in ("<code>proxy/a</code>", "<code>redirection/a</code>", "<code>b</code>"):
        assert code in markdown
    print_result(ReconcileResult(found.plan))
    assert re.search("^conflict +proxy/a: ", capsys.readouterr().out, re.MULTILINE)
    entries = collect(config, None, None, None)
    _, table = render(entries, [], datetime.now(UTC)).split("\n\n")
    names = [line.split()[0] for line in table.splitlines()]
    assert names == ["NAME", "proxy/a", "b", "redirection/a"]


def test_the_history_tells_them_apart(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = [key("a"), key("a", "redirection"), key("b")]
    changes = tuple(AppliedChange("create", one, 1, "done", "") for one in keys)
    run = AppliedRun(1, "2026-01-31T12:00:00", None, "apply", "done", changes)
    monkeypatch.setattr(history, "history", lambda *_: History((run,)))
    assert main(["history"]) == 0
    assert "create proxy/a, create redirection/a, create b" in capsys.readouterr().out
    assert [one["kind"] for one in run.to_json()["changes"]] == [one.kind for one in keys]


def test_json_says_the_kind_beside_each_name(config: Config) -> None:
    keys = [resource.key for resource in config.resources]
    outcomes = tuple(ChangeOutcome(one, "create", 1, ChangeResult.DONE) for one in keys)
    done = ReconcileResult(
        plan(config, Snapshot(())),
        validate(config).verdicts,
        Report(outcomes),
    ).to_json()
    for shown in (done["outcomes"], done["validation"], check_file(config).to_json()["results"]):
        assert [(one["kind"], one["name"]) for one in shown] == [(k.kind, k.name) for k in keys]
