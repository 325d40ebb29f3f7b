"""What an edit is said to have come to, by what is told of the run that takes it in."""

from pathlib import Path

import pytest

from proxysync.app.apply_watch import ApplyWatch
from proxysync.app.vitals import Vitals
from proxysync.config.load import load
from proxysync.model import Key
from proxysync.model.event import NewEvent
from proxysync.store.events import EventLog

ONE = Key("proxy", "one")
DATA = {"npm_id": 1, "fields": [], "drift": False}


@pytest.mark.parametrize(
    ("was_written", "outcomes"),
    [(True, ["pending", "applied"]), (False, ["failed", "failed"])],
)
def test_what_npm_does_to_others_is_no_failure_of_what_was_written(
    tmp_path: Path, events: EventLog, was_written: bool, outcomes: list[str]
) -> None:
    file = tmp_path / "proxies.yaml"
    file.write_text("proxies:\n  one: {domains: [one.example.com], upstream: http://10.0.0.1}\n")
    config, vitals = load(file, {}), Vitals()
    watch = ApplyWatch(tmp_path, vitals, ONE, config, 0, (1.0, 2.0))
    vitals.loaded(config, looked_at=3.0)
    loaded = {"fingerprint": config.fingerprint, "entries": 1, "commit": None}
    events.emit(NewEvent("config.loaded", "is loaded", data=loaded))
    if was_written:
        events.emit(NewEvent("proxy.created", "one created: not in NPM", ONE, data=DATA))
    events.emit(NewEvent("npm.unconfirmed", "another host was written, but it is gone"))
    found = [watch.look().outcome]
    vitals.synced()
    watch.look()
    assert [*found, watch.look().outcome] == outcomes
