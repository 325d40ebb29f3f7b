"""Who gets a domain when several hosts want, hold or keep it."""

from dataclasses import replace

import pytest

from proxysync.plan.adoption import adopt_command, advice
from proxysync.plan.model import FieldChange, HoldKind, Plan
from proxysync.plan.planner import make_plan
from proxysync.plan.policy import Policy
from tests.keys import key

from .world import by_name, fields, live, npm, only, redirection, row, want

FIX = Policy()


def hold_kinds(plan: Plan) -> dict[str, str]:
    return {c.name: c.hold.kind if c.hold else c.action for c in plan.changes}


def test_a_domain_of_a_foreign_host_is_a_conflict_that_says_how_to_take_it_over() -> None:
    snapshot = npm(live(3, None, "media.example.com"))
    plan = make_plan([want("media"), want("wiki")], snapshot, (), FIX)
    conflict = by_name(plan)["media"]
    assert conflict.reason + advice(conflict, "media") == (
        "media.example.com is held by proxy host #3, which proxysync does not manage; take it "
        "over with `proxysync adopt media`, or free the domain in NPM"
    )
    assert [c.name for c in plan.to_make] == ["wiki"]
    assert conflict.takes == snapshot.objects[0]
    assert conflict.fields == {}, "nothing would change in it"


@pytest.mark.parametrize(("number", "command"), [(2, "a b"), (5, "a b c d e"), (6, "--all")])
def test_what_could_be_taken_over_is_one_command(number: int, command: str) -> None:
    names = "abcdef"[:number]
    hosts = [live(n, None, f"{name}.x", forward_port=n) for n, name in enumerate(names, start=1)]
    ours = live(9, "ours", instance="other")
    entries = [*(want(name, f"{name}.x") for name in names), want("ours")]
    plan = make_plan(entries, npm(*hosts, ours), (), FIX)
    assert plan.changes[0].fields == {"forward_port": FieldChange(1, 8096)}
    assert adopt_command(plan) == f"proxysync adopt {command}"
    assert advice(by_name(plan)["ours"], "ours") == "", "that takes a word for itself"


def test_a_host_that_is_already_ours_is_not_told_to_adopt_a_second_one() -> None:
    snapshot = npm(live(3, None, "new.x"), live(4, "media"))
    conflict = only(make_plan([want("media", "media.example.com", "new.x")], snapshot, (), FIX))
    assert conflict.action == "conflict"
    assert "adopt" not in conflict.reason + advice(conflict, "media")
    assert "free the domain in NPM" in conflict.reason


def test_a_domain_of_another_type_of_host_has_to_be_freed() -> None:
    snapshot = npm(redirection(3, "Media.example.com"))
    conflict = only(
        make_plan([want("media")], snapshot, (), replace(FIX, adopting=frozenset({key("media")})))
    )
    assert conflict.action == "conflict"
    assert "redirection host #3" in conflict.reason
    assert "free the domain in NPM" in conflict.reason


@pytest.mark.parametrize(("theirs", "ours"), [(".a.x", "a.x"), (".a.x", "*.a.x"), (".A.x", "a.x")])
@pytest.mark.parametrize("kind", ["proxy", "redirection"])
def test_a_name_with_a_dot_before_it_is_that_name_and_all_below(
    theirs: str, ours: str, kind: str
) -> None:
    there = {
        "proxy": npm(live(3, None, theirs)),
        "redirection": npm(redirection(3, theirs)),
    }[kind]
    conflict = only(make_plan([want("media", ours)], there, (), FIX))
    assert conflict.action == "conflict"
    assert f"{ours} is held by {kind} host #3" in conflict.reason
    assert only(make_plan([want("media", "b.a.x")], there, (), FIX)).action == "create"


def test_a_host_is_adopted_and_renamed_by_a_name_with_a_dot_before_it() -> None:
    adopting = replace(FIX, adopting=frozenset({key("media")}))
    change = only(make_plan([want("media", "a.x")], npm(live(3, None, ".a.x")), (), adopting))
    assert (change.action, change.npm_id) == ("adopt", 3)
    renamed = only(make_plan([want("media", "a.x")], npm(live(3, "tv", ".a.x")), (), FIX))
    assert (renamed.action, renamed.reason) == ("update", "renamed from tv")


def test_a_stand_in_of_a_killed_run_keeps_its_name_while_nobody_can_take_it() -> None:
    snapshot = npm(live(3, "one", ".a.x", "b.x"))
    entries = [want("one", "b.x"), want("two", "a.x")]
    plan = make_plan(entries, snapshot, (), FIX, blocked={key("two"): "no answer"})
    kept = by_name(plan)["one"].target
    assert kept is not None
    assert kept["domain_names"] == ["a.x", "b.x"]


def test_a_host_of_another_instance_is_foreign() -> None:
    snapshot = npm(live(3, "media", instance="other"))
    conflict = only(make_plan([want("media")], snapshot, (), FIX))
    assert conflict.action == "conflict"
    assert 'the proxysync instance "other" manages' in conflict.reason


def test_adopting_takes_over_the_one_foreign_host() -> None:
    snapshot = npm(live(3, None, "media.example.com", "old.x", forward_port=1))
    adopting = replace(FIX, adopting=frozenset({key("media")}))
    change = only(make_plan([want("media")], snapshot, (), adopting))
    assert (change.action, change.npm_id, change.drift) == ("adopt", 3, False)
    assert change.target == fields("media.example.com")
    assert change.fields["forward_port"] == FieldChange(1, 8096)
    mark = {"name": "media", "instance": "default"}
    assert change.fields["meta.proxysync"] == FieldChange(None, mark)


def test_two_foreign_holders_cannot_be_adopted_at_once() -> None:
    snapshot = npm(live(3, None, "a.x"), live(4, None, "b.x"))
    adopting = replace(FIX, adopting=frozenset({key("media")}))
    conflict = only(make_plan([want("media", "a.x", "b.x")], snapshot, (), adopting))
    assert conflict.action == "conflict"
    assert "a.x is held by proxy host #3; b.x is held by proxy host #4" in conflict.reason


def test_an_adopted_host_gives_its_other_domains_to_their_entries() -> None:
    snapshot = npm(live(3, None, "a.x", "b.x", "c.x"))
    adopting = replace(FIX, adopting=frozenset({key("one"), key("two")}))
    plan = make_plan([want("one", "c.x"), want("two", "a.x", "b.x")], snapshot, (), adopting)
    assert {c.name: c.action for c in plan.to_make} == {"one": "create", "two": "adopt"}


def test_a_domain_asked_for_twice_goes_to_neither() -> None:
    plan = make_plan([want("one", "a.x"), want("two", "a.x")], npm(), (), FIX)
    assert hold_kinds(plan) == {"one": "conflict", "two": "conflict"}
    assert "also asked for by" in plan.changes[0].reason


def test_swapped_domains_are_two_updates() -> None:
    snapshot = npm(live(3, "one", "a.x"), live(4, "two", "b.x"))
    plan = make_plan([want("one", "b.x"), want("two", "a.x")], snapshot, (), FIX)
    assert {c.name: c.action for c in plan.to_make} == {"one": "update", "two": "update"}


def test_a_domain_stays_where_it_is_served_until_its_new_host_can_take_it() -> None:
    snapshot = npm(live(3, "one", "a.x", "b.x"))
    entries = [want("one", "a.x"), want("two", "b.x")]
    plan = make_plan(entries, snapshot, (), FIX, blocked={key("two"): "no answer"})
    assert hold_kinds(plan) == {"one": HoldKind.WAITING, "two": HoldKind.BLOCKED}
    waiting = plan.changes[0]
    assert waiting.hold is not None
    assert waiting.hold.reason == 'keeps b.x until it can go to "two"'
    assert waiting.fields == {"domain_names": FieldChange(["a.x", "b.x"], ["a.x"])}


def test_other_changes_of_a_host_that_keeps_a_domain_go_on() -> None:
    snapshot = npm(live(3, "one", "a.x", "b.x"))
    entries = [want("one", "a.x", forward_port=1), want("two", "b.x")]
    plan = make_plan(
        entries, snapshot, [row("one", 3, "a.x", "b.x")], FIX, blocked={key("two"): "no"}
    )
    (update,) = plan.to_make
    assert update.fields == {"forward_port": FieldChange(8096, 1)}
    assert update.target == update.desired == fields("a.x", "b.x", forward_port=1)
    assert update.reason == 'changed in the file; keeps b.x until it can go to "two"'


def test_a_host_is_not_deleted_while_an_entry_that_wants_its_domain_is_held() -> None:
    snapshot = npm(live(3, "old", "a.x"), live(4, "two", "b.x"))
    rows = [row("old", 3, "a.x")]
    plan = make_plan(
        [want("two", "a.x", "b.x")], snapshot, rows, FIX, blocked={key("two"): "no answer"}
    )
    assert hold_kinds(plan) == {"two": HoldKind.BLOCKED, "old": HoldKind.WAITING}


def test_waiting_goes_on_down_the_line() -> None:
    snapshot = npm(live(3, "one", "a.x"), live(4, "two", "b.x"), live(5, "three", "c.x"))
    entries = [want("one", "b.x"), want("two", "c.x"), want("three", "d.x")]
    plan = make_plan(entries, snapshot, (), FIX, blocked={key("three"): "no answer"})
    assert hold_kinds(plan) == {
        "one": HoldKind.WAITING,
        "two": HoldKind.WAITING,
        "three": HoldKind.BLOCKED,
    }


def test_a_domain_of_a_host_that_prune_leaves_is_a_conflict() -> None:
    snapshot = npm(live(3, "old", "a.x"), live(4, "two", "b.x"))
    rows = [row("old", 3, "a.x")]
    plan = make_plan([want("two", "a.x", "b.x")], snapshot, rows, replace(FIX, prune=False))
    conflict = by_name(plan)["two"]
    assert conflict.action == "conflict"
    assert '"old" (proxy host #3), which was removed from the file but stays' in conflict.reason


@pytest.mark.parametrize("drift", ["fix", "report"])
def test_a_domain_moved_in_npm_returns_only_when_drift_is_fixed(drift: str) -> None:
    snapshot = npm(live(3, "one", "x.x"), live(4, "two", "a.x", "b.x"))
    rows = [row("one", 3, "a.x"), row("two", 4, "b.x")]
    policy = FIX if drift == "fix" else replace(FIX, drift="report")
    plan = make_plan([want("one", "a.x"), want("two", "b.x")], snapshot, rows, policy)
    expected = "update" if drift == "fix" else HoldKind.DRIFT
    assert hold_kinds(plan) == {"one": expected, "two": expected}


def test_under_report_a_domain_given_to_a_host_in_npm_is_not_taken_from_it() -> None:
    snapshot = npm(live(3, "one", "a.x", "b.x"))
    rows = [row("one", 3, "a.x")]
    policy = replace(FIX, drift="report")
    plan = make_plan([want("one", "a.x"), want("two", "b.x")], snapshot, rows, policy)
    assert hold_kinds(plan) == {"one": HoldKind.DRIFT, "two": "conflict"}


def test_under_report_a_host_keeps_what_it_was_given_in_npm_while_it_is_edited() -> None:
    snapshot = npm(live(3, "one", "a.x", "b.x"))
    rows = [row("one", 3, "a.x")]
    entries = [want("one", "a.x", forward_port=1), want("two", "b.x")]
    plan = make_plan(entries, snapshot, rows, replace(FIX, drift="report"))
    assert hold_kinds(plan) == {"one": "update", "two": "conflict"}
    assert plan.changes[0].target == fields("a.x", "b.x", forward_port=1)


def test_a_host_cannot_be_adopted_while_another_type_of_host_holds_a_domain() -> None:
    snapshot = npm(live(3, None, "a.x"), redirection(7, "b.x"))
    adopting = replace(FIX, adopting=frozenset({key("media")}))
    conflict = only(make_plan([want("media", "a.x", "b.x")], snapshot, (), adopting))
    assert conflict.action == "conflict"
    assert "proxy host #3" in conflict.reason
    assert "redirection host #7" in conflict.reason


def test_an_adopted_host_has_not_drifted_from_what_an_earlier_one_was() -> None:
    snapshot = npm(live(3, None, "media.example.com", forward_port=1))
    policy = replace(FIX, adopting=frozenset({key("media")}), drift="report")
    change = only(make_plan([want("media")], snapshot, [row("media", 9)], policy))
    assert (change.action, change.drift, change.is_open) == ("adopt", False, True)
