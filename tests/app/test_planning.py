"""Plan, probe, plan again: the values of one reconcile, each made of the one before it."""

from datetime import timedelta
from pathlib import Path

import pytest

from proxysync.app.planning import Options, plan_from, probe, read, replan
from proxysync.app.remembered import Remembered
from proxysync.app.verdict import definition_digest
from proxysync.config.load import load_text
from proxysync.config.models import Config
from proxysync.model import Snapshot, clock
from proxysync.store.database import open_for_writing
from proxysync.store.state import State
from tests.keys import key

EMPTY = Snapshot(())


def config(closed_port: int, mode: str = "enforce") -> Config:
    return load_text(
        f"settings: {{validation: {{mode: {mode}}}}}\n"
        "proxies:\n"
        f"  dead: {{domains: [dead.example.com], upstream: 'http://127.0.0.1:{closed_port}'}}\n"
        f"  off: {{domains: [off.example.com], upstream: 'http://127.0.0.1:{closed_port}', "
        "enabled: false}\n",
        "proxies.yaml",
        {},
    )


def test_what_fails_validation_leaves_the_plan_and_what_is_off_is_not_probed(
    closed_port: int,
) -> None:
    planned = plan_from(read(config(closed_port), Options(), EMPTY, None))
    assert planned.read.remembered == Remembered()
    assert [entry.key for entry in planned.candidates] == [key("dead")]
    totals: list[int] = []

    def count(total: int) -> "type[object]":
        totals.append(total)
        return object

    probed = probe(planned, on_probe=count)
    assert totals == [1]
    assert probed.planned is planned
    assert list(probed.blocked) == [key("dead")]
    again = replan(probed)
    assert again.read is planned.read, "made of the same reading"
    assert [change.key for change in again.plan.to_make] == [key("off")]
    assert again.plan.summary["blocked"] == 1


def test_a_warning_keeps_nothing_out_so_that_the_plan_stays(closed_port: int) -> None:
    planned = plan_from(read(config(closed_port, "warn"), Options(), EMPTY, None))
    probed = probe(planned)
    assert [verdict.warns for verdict in probed.verdicts] == [True]
    assert replan(probed) is planned


@pytest.mark.parametrize("edited", [False, True])
def test_a_blocked_entry_waits_for_its_next_try_as_long_as_it_is_the_same(
    tmp_path: Path, closed_port: int, edited: bool
) -> None:
    database, _ = open_for_writing(tmp_path / "state.db")
    state, file = State(database), config(closed_port)
    dead = next(entry for entry in file.resources if entry.key == key("dead"))
    digest = "another" if edited else definition_digest(dead, file.settings.validation)
    state.block(key("dead"), digest, "it was away", None, timedelta(seconds=60))
    planned = plan_from(read(file, Options(), EMPTY, state))
    assert [entry.key for entry in planned.known_blocks] == ([] if edited else [key("dead")])
    backing_off = probe(planned, due_by=clock.now())
    later = probe(planned, due_by=clock.now() + timedelta(seconds=61))
    database.close()
    assert backing_off.backing_off == ({} if edited else {key("dead"): "it was away"})
    assert len(backing_off.verdicts) == int(edited)
    assert list(backing_off.blocked) == [key("dead")]
    assert later.backing_off == {}
    assert len(later.verdicts) == 1
