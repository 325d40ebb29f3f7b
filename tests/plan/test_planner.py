"""What the planner decides, one situation at a time."""

from dataclasses import replace

import pytest

from proxysync.kinds.proxy import PROXY
from proxysync.model import Applied, Snapshot
from proxysync.plan.model import FieldChange, HoldKind
from proxysync.plan.planner import make_plan
from proxysync.plan.policy import Failure, Policy
from tests.keys import key

from .world import by_name, fields, live, npm, only, row, want

FIX = Policy()
REPORT = Policy(drift="report")
MARK = {"name": "media", "instance": "default"}


def test_an_entry_that_npm_has_not_is_created() -> None:
    change = only(make_plan([want("media")], npm(), (), FIX))
    assert (change.action, change.reason, change.npm_id) == ("create", "not in NPM", None)
    assert change.fields["forward_port"] == FieldChange(None, 8096)
    assert change.target == change.desired == fields("media.example.com")


def test_an_entry_that_npm_has_is_unchanged_and_its_lost_row_is_recorded() -> None:
    plan = make_plan([want("media")], npm(live(3, "media")), (), FIX)
    assert plan.empty
    assert plan.in_sync
    assert plan.unchanged == (key("media"),)
    assert plan.records == (row("media", 3),)
    assert make_plan([want("media")], npm(live(3, "media")), plan.records, FIX).records == ()


@pytest.mark.parametrize(
    "stale", [row("media", 4), row("media", 3, created_on="before"), row("media", 3, "old.x")]
)
def test_a_row_that_says_otherwise_than_npm_is_recorded_anew(stale: Applied) -> None:
    plan = make_plan([want("media")], npm(live(3, "media")), [stale], Policy(recreate=True))
    assert plan.records == (row("media", 3),)


def test_an_edit_of_the_file_is_an_update_of_what_differs() -> None:
    plan = make_plan(
        [want("media", forward_port=9000)], npm(live(3, "media")), [row("media", 3)], FIX
    )
    change = only(plan)
    assert (change.action, change.reason, change.drift) == ("update", "changed in the file", False)
    assert change.fields == {"forward_port": FieldChange(8096, 9000)}
    assert change.npm_id == 3


def test_without_a_row_nobody_is_said_to_have_changed_it() -> None:
    change = only(make_plan([want("media", forward_port=9000)], npm(live(3, "media")), (), FIX))
    assert (change.reason, change.drift) == ("differs from the file", False)


def test_a_change_in_npm_is_drift_and_put_back() -> None:
    change = only(
        make_plan([want("media")], npm(live(3, "media", forward_port=1)), [row("media", 3)], FIX)
    )
    assert (change.reason, change.drift) == ("undoes drift: forward_port 1 -> 8096", True)
    assert change.fields == {"forward_port": FieldChange(1, 8096)}
    assert change.target == fields("media.example.com")


def test_what_was_undone_is_told_with_old_and_new_but_long_texts_by_name() -> None:
    host = live(3, "media", "a.x", advanced_config="line\nline", enabled=False)
    change = only(make_plan([want("media")], npm(host), [row("media", 3)], FIX))
    assert change.reason == (
        'undoes drift: domain_names ["a.x"] -> ["media.example.com"], advanced_config, '
        "enabled false -> true"
    )


def test_changes_on_both_sides_are_told_apart() -> None:
    host = live(3, "media", forward_port=1)
    change = only(make_plan([want("media", forward_port=2)], npm(host), [row("media", 3)], FIX))
    assert (change.reason, change.drift) == ("changed in the file and in NPM", True)


def test_a_difference_that_npm_makes_by_itself_is_none() -> None:
    host = live(3, "media")
    as_stored = {**host.fields, "ssl_forced": True, "domain_names": ["MEDIA.example.com"]}
    plan = make_plan([want("media")], npm(replace(host, fields=as_stored)), [row("media", 3)], FIX)
    assert plan.empty


def test_a_field_that_the_server_does_not_know_is_neither_compared_nor_written() -> None:
    accepted = {"proxy": frozenset(PROXY.defaults) - {"trust_forwarded_proto"}}
    entry = want("media", trust_forwarded_proto=True, forward_port=1)
    change = only(make_plan([entry], Snapshot((live(3, "media"),), accepted=accepted), (), FIX))
    assert set(change.fields) == {"forward_port"}
    assert change.target is not None
    assert "trust_forwarded_proto" not in change.target


def test_under_report_drift_is_shown_but_left() -> None:
    host = live(3, "media", forward_port=1)
    plan = make_plan([want("media")], npm(host), [row("media", 3)], REPORT)
    change = only(plan)
    assert change.hold is not None
    assert change.hold.kind is HoldKind.DRIFT
    assert change.fields == {"forward_port": FieldChange(1, 8096)}
    assert plan.in_sync
    assert plan.summary["drift"] == 1
    assert plan.summary["update"] == 0


def test_under_report_an_edit_of_the_file_leaves_what_was_changed_in_npm() -> None:
    host = live(3, "media", forward_port=1)
    entry = want("media", block_exploits=True)
    change = only(make_plan([entry], npm(host), [row("media", 3)], REPORT))
    assert change.is_open
    assert change.fields == {"block_exploits": FieldChange(old=False, new=True)}
    assert change.target == fields("media.example.com", block_exploits=True, forward_port=1)
    assert change.desired == entry.fields


def test_under_report_a_host_deleted_in_npm_stays_deleted() -> None:
    rows = [row("media", 3), row("wiki", 4), row("files", 5)]
    entries = [want("media"), want("wiki"), want("files")]
    snapshot = npm(live(4, "wiki"), live(5, "files"))
    change = only(make_plan(entries, snapshot, rows, REPORT))
    assert (change.action, change.reason, change.drift) == ("create", "deleted in NPM", True)
    assert change.hold is not None
    assert change.hold.kind is HoldKind.DRIFT
    assert only(make_plan(entries, snapshot, rows, FIX)).is_open
    assert only(make_plan(entries, snapshot, rows, replace(REPORT, recreate=True))).is_open


def test_a_host_that_lost_its_marker_is_known_by_the_state() -> None:
    change = only(make_plan([want("media")], npm(live(3, None, "media.example.com")),
                            [row("media", 3, writer="ours")], FIX))  # fmt: skip
    assert (change.action, change.drift) == ("update", True)
    assert change.fields == {"meta.proxysync": FieldChange(None, MARK)}


def test_a_host_that_was_adopted_as_it_is_gets_a_marker_with_its_next_write_only() -> None:
    host, rows = live(3, None, "media.example.com"), [row("media", 3)]
    assert make_plan([want("media")], npm(host), rows, FIX).changes == ()
    changed = only(make_plan([want("media", forward_port=1)], npm(host), rows, FIX))
    assert changed.fields == {
        "forward_port": FieldChange(8096, 1),
        "meta.proxysync": FieldChange(None, MARK),
    }
    assert (changed.reason, changed.drift) == ("changed in the file", False)
    moved = only(make_plan([want("media")], npm(replace(host, fields=fields(
        "media.example.com", forward_port=1))), rows, FIX))  # fmt: skip
    assert moved.reason == "undoes drift: forward_port 1 -> 8096"
    assert moved.undoes == {"forward_port"}


def test_the_row_of_a_host_without_a_marker_follows_the_name_of_its_entry() -> None:
    host, rows = live(3, None, "media.example.com"), [row("media", 3)]
    plan = make_plan([want("films", "media.example.com")], npm(host), rows, FIX)
    assert (plan.changes, [record.name for record in plan.records]) == ((), ["films"])


@pytest.mark.parametrize("created_on", [None, "2020-01-01 00:00:00"])
def test_the_id_alone_does_not_make_a_host_ours(created_on: str | None) -> None:
    host = live(3, None, "media.example.com", created_on=created_on)
    known = row("media", 3, created_on=CREATED_ELSEWHERE if created_on else None)
    plan = make_plan([want("media")], npm(host), [known], replace(FIX, recreate=True))
    assert only(plan).action == "conflict"


CREATED_ELSEWHERE = "2026-01-31 12:00:00"


def test_a_host_that_left_the_file_is_deleted() -> None:
    snapshot = npm(live(3, "media"), live(4, "wiki"))
    change = only(make_plan([want("media")], snapshot, [row("wiki", 4)], FIX))
    assert (change.action, change.name, change.npm_id) == ("delete", "wiki", 4)
    assert (change.reason, change.target, change.desired) == ("removed from the file", None, None)


def test_without_prune_a_host_that_left_the_file_stays() -> None:
    snapshot = npm(live(3, "media"), live(4, "wiki"))
    plan = make_plan([want("media")], snapshot, [row("wiki", 4)], replace(FIX, prune=False))
    hold = only(plan).hold
    assert hold is not None
    assert hold.kind is HoldKind.PRUNE
    assert plan.to_make == ()
    assert plan.in_sync


def test_a_renamed_key_is_an_update() -> None:
    plan = make_plan([want("media")], npm(live(3, "tv", "media.example.com")),
                     [row("tv", 3, "media.example.com")], FIX)  # fmt: skip
    change = only(plan)
    assert (change.action, change.reason) == ("update", "renamed from tv")
    old = {"name": "tv", "instance": "default"}
    assert change.fields == {"meta.proxysync": FieldChange(old, MARK)}
    assert plan.forget == ()


def test_a_rename_goes_to_the_host_that_shares_most_domains() -> None:
    snapshot = npm(live(3, "one", "a.x", "b.x"), live(4, "two", "c.x"))
    changes = by_name(make_plan([want("new", "a.x", "c.x", "b.x")], snapshot, (), FIX))
    assert changes["new"].npm_id == 3
    assert changes["two"].action == "delete"


def test_equal_overlaps_go_to_the_oldest_host() -> None:
    snapshot = npm(live(4, "two", "b.x"), live(3, "one", "a.x"))
    changes = by_name(make_plan([want("new", "a.x", "b.x")], snapshot, (), FIX))
    assert changes["new"].npm_id == 3


def test_the_state_finds_a_renamed_host_even_if_all_its_domains_changed() -> None:
    change = only(
        make_plan([want("new", "b.x")], npm(live(3, "old", "a.x")), [row("new", 3, "a.x")], FIX)
    )
    assert (change.action, change.npm_id, change.reason) == ("update", 3, "renamed from old")


def test_two_hosts_with_one_name_are_a_conflict_and_both_stay() -> None:
    snapshot = npm(live(3, "media"), live(4, "media", "b.x"))
    change = only(make_plan([want("media")], snapshot, [row("media", 4, "b.x")], FIX))
    assert (change.action, change.npm_id) == ("conflict", 4)
    assert "#3 and #4" in change.reason
    change = only(make_plan([want("media")], snapshot, (), FIX))
    assert change.npm_id == 3


def test_two_hosts_with_a_name_that_left_the_file_both_stay() -> None:
    snapshot = npm(live(3, "media"), live(4, "wiki"), live(5, "wiki", "b.x"))
    change = only(make_plan([want("media")], snapshot, (), FIX))
    assert (change.action, change.name, change.fields) == ("conflict", "wiki", {})


def test_an_unconfirmed_host_is_written_again_though_npm_shows_it_right() -> None:
    plan = make_plan(
        [want("media")], npm(live(3, "media")), [row("media", 3, unconfirmed=True)], FIX
    )
    change = only(plan)
    assert (change.action, change.fields, change.is_open) == ("update", {}, True)
    assert "nginx may not run what NPM shows" in change.reason
    assert change.target == fields("media.example.com")


def test_a_host_that_nginx_does_not_serve_is_written_again() -> None:
    host = live(3, "media", online=False, nginx_error="unknown directive\nmore")
    change = only(make_plan([want("media")], npm(host), [row("media", 3)], FIX))
    assert change.reason == "nginx does not serve it: unknown directive"
    assert change.fields == {}
    host = live(3, "media", online=False, enabled=False)
    assert make_plan([want("media", enabled=False)], npm(host), (), FIX).empty


@pytest.mark.parametrize("rows", [[], [row("media", 2)]], ids=["no row", "the row of one before"])
def test_a_host_of_which_npm_does_not_say_whether_nginx_has_it_is_written_again(
    rows: list[Applied],
) -> None:
    """As after a creation that was cut off, of a host that somebody had deleted."""
    plan = make_plan([want("media")], npm(live(3, "media", online=None)), rows, FIX)
    change = only(plan)
    assert (change.action, change.fields) == ("update", {})
    assert "after a write that was cut off" in change.reason


def test_the_reason_is_what_nginx_says_and_not_the_command_that_old_npms_quote_before() -> None:
    said = "nginx: [emerg] unknown directive in /data/nginx/custom/http.conf:9"
    error = f'Command failed: /usr/sbin/nginx -t -g "error_log off;"\n{said}\nmore\n'
    host = live(3, "media", online=False, nginx_error=error)
    change = only(make_plan([want("media")], npm(host), [row("media", 3)], FIX))
    assert change.reason == f"nginx does not serve it: {said.removeprefix('nginx: [emerg] ')}"


def test_a_definition_that_failed_is_not_tried_again_until_something_changes() -> None:
    entry, host = want("media", advanced_config="bad;"), live(3, "media")
    failure = Failure(key("media"), entry.fields, host.fields, "nginx: unknown directive")
    plan = make_plan([entry], npm(host), (), FIX, failures=[failure])
    hold = only(plan).hold
    assert hold is not None
    assert (hold.kind, hold.reason) == (HoldKind.FAILED, "nginx: unknown directive")
    assert not plan.in_sync
    edited = want("media", advanced_config="good;")
    assert only(make_plan([edited], npm(host), (), FIX, failures=[failure])).is_open
    moved = live(3, "media", forward_port=1)
    assert only(make_plan([entry], npm(moved), (), FIX, failures=[failure])).is_open


def test_a_create_that_failed_is_not_tried_again() -> None:
    failure = Failure(key("media"), want("media").fields, None, "nginx: no")
    assert make_plan([want("media")], npm(), (), FIX, failures=[failure]).to_make == ()


def test_a_failure_does_not_stop_the_write_that_confirms_a_host() -> None:
    failure = Failure(key("media"), want("media").fields, want("media").fields, "500")
    rows = [row("media", 3, unconfirmed=True)]
    plan = make_plan([want("media")], npm(live(3, "media")), rows, FIX, failures=[failure])
    assert only(plan).is_open


def test_a_failure_of_an_entry_that_is_in_line_by_now_is_forgotten() -> None:
    failure = Failure(key("media"), want("media").fields, want("media").fields, "nginx: no")
    assert make_plan([want("media")], npm(live(3, "media")), (), FIX, failures=[failure]).empty


def test_validation_blocks_what_changes_a_definition_and_nothing_else() -> None:
    entries = [want("new"), want("edited", forward_port=1), want("same"), want("renamed", "old.x")]
    snapshot = npm(live(3, "edited"), live(4, "same"), live(5, "old", "old.x"))
    blocked = dict.fromkeys(map(key, ("new", "edited", "same", "renamed")), "port 1 is closed")
    plan = make_plan(entries, snapshot, (), FIX, blocked=blocked)
    held = {c.name: c.hold.reason for c in plan.held(HoldKind.BLOCKED) if c.hold}
    assert held == {"new": "port 1 is closed", "edited": "port 1 is closed"}
    assert plan.unchanged == (key("same"),)
    assert [c.name for c in plan.to_make] == ["renamed"]
    assert plan.summary["blocked"] == 2


def test_an_entry_with_a_problem_is_a_conflict_and_its_host_stays_as_it_is() -> None:
    plan = make_plan([want("media", problem="no certificate x", forward_port=1)],
                     npm(live(3, "media")), (), FIX)  # fmt: skip
    change = only(plan)
    assert (change.action, change.reason, change.npm_id) == ("conflict", "no certificate x", 3)
    assert change.fields == {}
    assert change.target is None
    assert not plan.in_sync


def test_what_an_entry_that_is_off_refers_to_stays_as_it_is_where_it_cannot_be_told() -> None:
    entry = replace(
        want("media", enabled=False, certificate_id=-1, access_list_id=-1, ssl_forced=True),
        unknown={"certificate_id": "no certificate x", "access_list_id": "no list y"},
    )
    host = live(3, "media", certificate_id=5, access_list_id=7, ssl_forced=True, forward_port=1)
    plan = make_plan([entry], npm(host), [row("media", 3)], FIX)
    change = only(plan)
    assert change.is_open
    assert set(change.fields) == {"enabled", "forward_port"}
    assert change.target == change.desired
    assert change.target is not None
    assert (change.target["certificate_id"], change.target["access_list_id"]) == (5, 7)
    assert [note.message.partition(".")[0] for note in plan.notes] == [
        "no certificate x",
        "no list y",
    ]
    bare = only(make_plan([entry], npm(live(3, "media")), (), FIX)).target
    assert bare is not None
    assert (bare["certificate_id"], bare["ssl_forced"]) == (0, False)


def test_an_entry_that_is_off_is_not_created_without_what_protects_it() -> None:
    entry = replace(want("media", enabled=False), unknown={"access_list_id": "no list y"})
    conflict = only(make_plan([entry], npm(), (), FIX))
    assert conflict.action == "conflict"
    assert conflict.reason.startswith("no list y. It is off, and it is not created")


def test_names_that_are_gone_everywhere_are_forgotten() -> None:
    rows = [row("media", 3), row("wiki", 4), row("files", 5)]
    snapshot = npm(live(3, "media"), live(4, "wiki"))
    assert make_plan([want("media"), want("wiki")], snapshot, rows, FIX).forget == (key("files"),)


def test_a_new_entry_gets_none_of_two_hosts_that_carry_one_name() -> None:
    snapshot = npm(live(3, "old", "a.x"), live(4, "old", "b.x"))
    changes = by_name(make_plan([want("new", "a.x")], snapshot, (), FIX))
    assert {name: change.action for name, change in changes.items()} == {
        "new": "conflict",
        "old": "conflict",
    }


def test_of_two_rows_for_one_host_the_one_in_the_file_counts() -> None:
    rows = [row(name, 3, "a.x", writer="ours") for name in ("a-old", "media")]
    change = only(make_plan([want("media", "a.x")], npm(live(3, None, "a.x")), rows, FIX))
    assert (change.action, change.reason) == ("update", "undoes drift: the marker of proxysync")


def test_under_report_a_renamed_key_still_reaches_npm() -> None:
    host = live(3, "tv", "media.example.com", forward_port=1)
    plan = make_plan([want("media")], npm(host), [row("tv", 3, "media.example.com")], REPORT)
    change = only(plan)
    assert (change.is_open, change.reason, change.drift) == (True, "renamed from tv", True)
    assert set(change.fields) == {"meta.proxysync"}
    assert change.target == host.fields


def test_under_report_an_unconfirmed_host_is_written_as_npm_has_it() -> None:
    host = live(3, "media", forward_port=1)
    rows = [row("media", 3, unconfirmed=True)]
    change = only(make_plan([want("media")], npm(host), rows, REPORT))
    assert change.is_open
    assert change.target == host.fields
