"""What somebody else has put back too often is left alone, and nothing else."""

from dataclasses import replace

import pytest

from proxysync.model import Live
from proxysync.plan.model import HOST, MARKER_FIELD, HoldKind
from proxysync.plan.planner import make_plan
from proxysync.plan.policy import Policy
from tests.keys import key

from .world import live, npm, only, row, want


def contested(*fields: str) -> Policy:
    return Policy(contested={key("media"): frozenset(fields)})


DRIFTED = live(3, "media", forward_port=1)


def test_what_is_put_right_is_told_apart_from_what_the_file_changed() -> None:
    entry = want("media", block_exploits=True)
    change = only(make_plan([entry], npm(DRIFTED), [row("media", 3)], Policy()))
    assert set(change.fields) == {"forward_port", "block_exploits"}
    assert change.undoes == {"forward_port"}


@pytest.mark.parametrize(
    ("host", "field"),
    [
        (DRIFTED, "forward_port"),
        (live(3, None, "media.example.com"), MARKER_FIELD),
        (live(3, "media", enabled=False), "enabled"),
    ],
    ids=["a field", "the marker", "the switch"],
)
def test_a_contested_field_is_left_and_shown(host: Live, field: str) -> None:
    rows = [row("media", 3, writer="ours")]
    plan = make_plan([want("media")], npm(host), rows, contested(field))
    change = only(plan)
    assert change.hold is not None
    assert change.hold.kind is HoldKind.CONTESTED
    assert field in change.hold.reason
    assert "proxysync resume" in change.hold.reason
    assert set(change.fields) == {field}
    assert not plan.in_sync
    assert only(make_plan([want("media")], npm(host), rows, Policy())).undoes == {field}


def test_the_rest_of_a_host_is_still_made() -> None:
    entry = want("media", block_exploits=True)
    plan = make_plan([entry], npm(DRIFTED), [row("media", 3)], contested("forward_port"))
    change = only(plan)
    assert change.is_open
    assert set(change.fields) == {"block_exploits"}
    assert change.target is not None
    assert change.target["forward_port"] == 1
    assert change.desired == entry.fields
    assert "forward_port" in plan.notes[0].message


def test_a_host_that_is_deleted_again_and_again_stays_deleted() -> None:
    rows = [row("media", 3), row("wiki", 4)]
    snapshot = npm(live(4, "wiki"))
    entries = [want("media"), want("wiki")]
    assert only(make_plan(entries, snapshot, rows, Policy())).undoes == {HOST}
    change = only(make_plan(entries, snapshot, rows, contested(HOST)))
    assert change.hold is not None
    assert change.hold.kind is HoldKind.CONTESTED


def test_a_person_who_adopts_it_gets_it() -> None:
    host = live(3, "media", forward_port=1, state="other")
    rows = [row("media", 3, writer="ours")]
    policy = replace(contested("forward_port"), state="ours", adopting=frozenset({key("media")}))
    assert only(make_plan([want("media")], npm(host), rows, policy)).action == "adopt"


def test_other_entries_and_what_is_in_line_do_not_matter() -> None:
    entries = [want("media"), want("wiki")]
    snapshot = npm(live(3, "media"), live(4, "wiki", forward_port=1))
    plan = make_plan(entries, snapshot, [row("wiki", 4)], contested("forward_port"))
    assert only(plan).is_open
