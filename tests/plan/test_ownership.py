"""Hosts with our marker, but with another state folder's id in it, or without a row."""

from dataclasses import replace

import pytest

from proxysync.model import Applied, Live
from proxysync.plan.model import Change, HoldKind, Plan
from proxysync.plan.planner import make_plan
from proxysync.plan.policy import Policy
from proxysync.values.limits import DeleteLimit
from tests.keys import key

from .world import PerfectNpm, by_name, live, npm, only, row, want

OURS = Policy(state="ours")
ADOPTING = replace(OURS, adopting=frozenset({key("media")}))
ORPHANS = replace(OURS, delete_orphans=True)


def held(change: Change) -> HoldKind | None:
    return change.hold.kind if change.hold else None


def test_a_host_without_a_row_and_an_entry_is_an_orphan_and_stays() -> None:
    snapshot = npm(live(3, "media"), live(4, "wiki", state="another"))
    plan = make_plan([want("media")], snapshot, (), OURS)
    orphan = only(plan)
    assert (orphan.action, orphan.name, held(orphan)) == ("delete", "wiki", HoldKind.ORPHAN)
    assert orphan.hold is not None
    assert "`proxysync apply --delete-orphans`" in orphan.hold.reason
    assert plan.to_make == ()
    assert plan.in_sync


@pytest.mark.parametrize("created_on", ["another day", None])
def test_a_row_of_another_host_with_its_name_makes_no_orphan_ours(created_on: str | None) -> None:
    snapshot = npm(live(3, "media"), live(4, "wiki"))
    plan = make_plan([want("media")], snapshot, [row("wiki", 4, created_on=created_on)], OURS)
    assert held(only(plan)) is HoldKind.ORPHAN


def test_orphans_go_when_a_person_says_so_and_under_the_usual_guard() -> None:
    snapshot = npm(*(live(n, f"h{n}") for n in range(1, 5)))
    one = make_plan([want("h1"), want("h2"), want("h3")], snapshot, (), ORPHANS)
    assert [c.name for c in one.to_make] == ["h4"]
    three = make_plan([want("h1")], snapshot, (), ORPHANS)
    assert three.refused is not None
    allowed = replace(ORPHANS, max_delete_override=DeleteLimit(share=1.0))
    assert len(make_plan([want("h1")], snapshot, (), allowed).to_make) == 3


def test_deleting_orphans_does_not_turn_prune_on() -> None:
    snapshot = npm(live(3, "media"), live(4, "wiki"), live(5, "files"))
    policy = replace(ORPHANS, prune=False)
    changes = by_name(make_plan([want("media")], snapshot, [row("wiki", 4)], policy))
    assert {name: held(change) for name, change in changes.items()} == {
        "wiki": HoldKind.PRUNE,
        "files": None,
    }


def test_orphans_make_no_room_for_deletions_of_our_own() -> None:
    orphans = [live(n, f"o{n}", state="another") for n in range(10, 20)]
    snapshot = npm(live(1, "h1"), live(2, "h2"), *orphans)
    plan = make_plan([want("new")], snapshot, [row("h1", 1), row("h2", 2)], OURS)
    assert plan.refused is not None
    assert "2 of the 2 managed hosts" in plan.refused


def test_an_entry_takes_an_orphan_by_its_domains() -> None:
    snapshot = npm(live(3, "tv", "media.example.com", state="lost"))
    change = only(make_plan([want("media")], snapshot, (), OURS))
    assert (change.action, change.npm_id, change.reason) == ("update", 3, "renamed from tv")


def test_a_domain_of_an_orphan_is_not_taken_from_it() -> None:
    snapshot = npm(live(3, "media", "a.x"), live(4, "wiki", "b.x"))
    conflict = by_name(make_plan([want("media", "a.x", "b.x")], snapshot, (), OURS))["media"]
    assert conflict.action == "conflict"
    assert "an orphan; delete it with `proxysync apply --delete-orphans`" in conflict.reason


def test_a_lost_state_is_rebuilt_without_a_write_and_goes_on_without_churn() -> None:
    server = PerfectNpm.of([live(3, "media", state="lost")], (), state="ours")
    plan = make_plan([want("media")], server.snapshot, (), OURS)
    assert plan.changes == ()
    assert plan.records == (row("media", 3, writer="lost"),)
    server.carry_out(plan)
    assert make_plan([want("media")], server.snapshot, plan.records, OURS).records == ()
    edited = make_plan([want("media", forward_port=1)], server.snapshot, plan.records, OURS)
    assert (only(edited).is_open, only(edited).reason) == (True, "changed in the file")
    server.carry_out(edited)
    assert server.hosts[3].writer == "ours"
    gone = make_plan([want("new", "n.x")], server.snapshot, tuple(server.rows.values()), OURS)
    assert [c.action for c in gone.to_make] == ["create", "delete"]


def test_an_edit_made_while_the_state_was_lost_is_made() -> None:
    host = live(3, "media", "media.example.com", "old.x", state="lost")
    change = only(make_plan([want("media", forward_port=1)], npm(host), (), OURS))
    assert (change.action, change.is_open) == ("update", True)


@pytest.mark.parametrize(
    "host",
    [live(3, "media", "a.x", state="other"), live(3, "tv", "media.example.com", "b.x", state="o")],
    ids=["the same name, other domains", "another name, more domains"],
)
def test_a_host_of_another_folder_is_not_taken_down_by_chance(host: Live) -> None:
    conflict = only(make_plan([want("media")], npm(host), (), OURS))
    assert (conflict.action, conflict.npm_id) == ("conflict", 3)
    assert "`proxysync adopt media`" in conflict.reason
    change = only(make_plan([want("media")], npm(host), (), ADOPTING))
    assert (change.action, change.is_open) == ("adopt", True)


WRITTEN_AFTER_US = live(3, "media", forward_port=1, state="other")
OUR_ROW = row("media", 3, writer="ours")


def test_a_host_that_another_folder_left_with_a_placeholder_is_taken_by_its_entry() -> None:
    host = live(3, "media", state="another", domain_names=["moving-3.proxysync.invalid"])
    plan = make_plan([want("media")], npm(host), (), OURS)
    assert [change.action for change in plan.to_make] == ["update"]


def test_an_orphan_goes_when_asked_for_though_the_entry_for_its_domain_is_a_conflict() -> None:
    entries = [want("media", "d9.x"), want("keep", "k.x")]
    theirs = live(63, "media", "w0.x", state="other")
    orphan, keep = live(12, "old", "d9.x", state="other"), live(1, "keep", "k.x", state="ours")
    plan = make_plan(entries, npm(theirs, orphan, keep), (), ORPHANS)
    assert [(c.action, c.name) for c in plan.to_make] == [("delete", "old")]
    adopted = make_plan(entries, npm(theirs, keep), (), ADOPTING)
    assert [(c.action, c.name) for c in adopted.to_make] == [("adopt", "media")]


def test_what_another_folder_wrote_after_us_is_not_written_over() -> None:
    plan = make_plan([want("media")], npm(WRITTEN_AFTER_US), [OUR_ROW], OURS)
    conflict = only(plan)
    assert conflict.action == "conflict"
    assert "another state folder (other) wrote proxy host #3 after this one" in conflict.reason
    assert "two proxysync run with one instance" in conflict.reason
    assert not plan.in_sync
    adopted = only(make_plan([want("media")], npm(WRITTEN_AFTER_US), [OUR_ROW], ADOPTING))
    assert (adopted.action, adopted.is_open) == ("adopt", True)


def test_a_rename_by_another_folder_is_not_undone() -> None:
    host = live(3, "tv", "media.example.com", state="other")
    assert only(make_plan([want("media")], npm(host), [OUR_ROW], OURS)).action == "conflict"


def test_what_another_folder_wrote_as_our_file_says_is_fine() -> None:
    plan = make_plan([want("media")], npm(live(3, "media", state="other")), [OUR_ROW], OURS)
    assert plan.changes == ()
    assert plan.records == (replace(OUR_ROW, writer="other"),)


def test_an_edit_goes_over_what_another_folder_left_as_we_had_written_it() -> None:
    host = live(3, "media", state="other")
    change = only(make_plan([want("media", forward_port=2)], npm(host), [OUR_ROW], OURS))
    assert (change.action, change.is_open) == ("update", True)


def test_a_host_that_left_the_file_stays_if_another_folder_wrote_it_after_us() -> None:
    snapshot = npm(live(3, "media", state="ours"), live(4, "wiki", state="other"))
    rows = [OUR_ROW, row("wiki", 4, writer="ours")]
    assert only(make_plan([want("media")], snapshot, rows, OURS)).action == "conflict"
    assert only(make_plan([want("media")], snapshot, rows, ORPHANS)).is_open


def test_two_folders_with_different_files_come_to_rest() -> None:
    """Each plans in turn, as two daemons would: whatever they disagree on is written once."""
    files = {
        "one": [want("media", forward_port=1), want("only-one", "o.x")],
        "two": [want("media", forward_port=2), want("only-two", "t.x")],
    }
    hosts: dict[int, Live] = {}
    rows: dict[str, tuple[Applied, ...]] = {"one": (), "two": ()}
    plans: list[Plan] = []
    for turn in range(8):
        state = ("one", "two")[turn % 2]
        server = PerfectNpm.of(hosts.values(), rows[state], state=state)
        plans.append(make_plan(files[state], server.snapshot, rows[state], Policy(state=state)))
        server.carry_out(plans[-1])
        hosts, rows[state] = server.hosts, tuple(server.rows.values())
    assert [len(plan.to_make) for plan in plans] == [2, 2, 0, 0, 0, 0, 0, 0]
    assert {host.marker.name for host in hosts.values() if host.marker} == {
        "media",
        "only-one",
        "only-two",
    }
    assert by_name(plans[-2])["media"].action == "conflict"


@pytest.mark.parametrize("known", [False, True])
@pytest.mark.parametrize("serves_nothing", [{"domain": "moving-3.proxysync.invalid"}, {}])
def test_what_another_state_folder_left_without_visitors_is_taken(
    serves_nothing: dict[str, str], known: bool
) -> None:
    """It was killed while it moved domains, or has disabled the host: nobody loses a site."""
    domains = [serves_nothing["domain"]] if serves_nothing else ["other.example.com"]
    host = live(3, "media", *domains, state="another", enabled=bool(serves_nothing))
    rows = [row("media", 3, writer="ours")] if known else []
    change = only(make_plan([want("media")], npm(host), rows, OURS))
    assert (change.action, change.hold) == ("update", None)
