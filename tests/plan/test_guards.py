"""When a whole plan is refused, and what lets it pass."""

from dataclasses import replace

import pytest

from proxysync.model import Applied, Snapshot
from proxysync.plan.model import Plan
from proxysync.plan.planner import make_plan
from proxysync.plan.policy import Policy
from proxysync.values.limits import DeleteLimit
from tests.keys import key

from .world import live, npm, row, want

FIX = Policy()
ALL = replace(FIX, max_delete_override=DeleteLimit(share=1.0))


def known(count: int) -> tuple[Applied, ...]:
    return tuple(row(f"h{n}", n) for n in range(1, count + 1))


def hosts(count: int) -> Snapshot:
    return npm(*(live(n, f"h{n}") for n in range(1, count + 1)))


def deleting(gone: int, of: int, policy: Policy = FIX) -> Plan:
    entries = [want(f"h{n}") for n in range(gone + 1, of + 1)]
    return make_plan(entries, hosts(of), known(of), policy)


@pytest.mark.parametrize(("gone", "of"), [(1, 2), (1, 3), (1, 6), (2, 7), (3, 10)])
def test_a_few_deletions_pass(gone: int, of: int) -> None:
    plan = deleting(gone, of)
    assert plan.refused is None
    assert len(plan.to_make) == gone


@pytest.mark.parametrize(("gone", "of"), [(2, 3), (2, 6), (3, 9), (4, 10)])
def test_more_than_the_limit_is_refused_with_the_command_that_lets_it_pass(
    gone: int, of: int
) -> None:
    plan = deleting(gone, of)
    assert plan.refused is not None
    assert f"delete {gone} of the {of} managed hosts (h1, h2" in plan.refused
    assert "`proxysync apply --max-delete 100%`" in plan.refused
    assert plan.to_make == ()
    assert len(plan.changes) == gone
    assert not plan.in_sync
    assert plan.summary["delete"] == gone
    assert deleting(gone, of, ALL).refused is None


def disabling(off: int, gone: int, of: int, policy: Policy = FIX) -> Plan:
    """Of so many hosts, the first are disabled, and the next are deleted."""
    entries = [
        want(f"h{n}", enabled=n > off) for n in range(1, of + 1) if not off < n <= off + gone
    ]
    return make_plan(entries, hosts(of), known(of), policy)


@pytest.mark.parametrize(("off", "gone", "of"), [(1, 0, 2), (1, 0, 5), (2, 0, 7), (1, 1, 7)])
def test_a_few_may_be_disabled(off: int, gone: int, of: int) -> None:
    assert disabling(off, gone, of).refused is None


@pytest.mark.parametrize(
    ("off", "gone", "of", "verb"),
    [(5, 0, 5, "disable"), (2, 0, 5, "disable"), (1, 1, 5, "delete or disable")],
)
def test_disabling_counts_like_deleting(off: int, gone: int, of: int, verb: str) -> None:
    plan = disabling(off, gone, of)
    assert plan.refused is not None
    assert f"this plan would {verb} {off + gone} of the {of} managed hosts" in plan.refused
    assert plan.to_make == ()
    assert disabling(off, gone, of, ALL).refused is None


def test_all_of_two_are_not_disabled_even_if_the_limit_would_let_them() -> None:
    assert disabling(2, 0, 2, replace(FIX, max_delete=DeleteLimit(count=5))).refused is not None


def test_what_is_off_already_does_not_count() -> None:
    snapshot = npm(*(live(n, f"h{n}", enabled=False) for n in range(1, 6)))
    entries = [want(f"h{n}", enabled=False, forward_port=1) for n in range(1, 6)]
    plan = make_plan(entries, snapshot, (), FIX)
    assert (plan.refused, len(plan.to_make)) == (None, 5)


def test_a_file_that_may_have_been_cut_short_disables_nothing() -> None:
    assert disabling(1, 0, 5, replace(FIX, maybe_truncated=True)).refused is not None


def test_all_of_two_are_refused_even_if_the_limit_would_let_them() -> None:
    policy = replace(FIX, max_delete=DeleteLimit(count=5))
    plan = make_plan([want("new", "n.x")], hosts(2), known(2), policy)
    assert plan.refused is not None
    assert "all of them never go without a word" in plan.refused
    override = replace(policy, max_delete_override=DeleteLimit(count=2))
    assert make_plan([want("new", "n.x")], hosts(2), known(2), override).refused is None


def test_the_only_host_may_be_replaced() -> None:
    assert make_plan([want("new", "n.x")], hosts(1), known(1), FIX).refused is None


def test_an_override_that_admits_too_few_is_still_a_limit() -> None:
    policy = replace(FIX, max_delete_override=DeleteLimit(count=2))
    assert deleting(2, 6, policy).refused is None
    refused = deleting(3, 6, policy).refused
    assert refused is not None
    assert "max_delete is 2" in refused


def test_held_deletions_do_not_count() -> None:
    assert deleting(3, 4, replace(FIX, prune=False)).refused is None


def test_a_file_without_proxies_is_refused() -> None:
    plan = make_plan([], hosts(1), known(1), FIX)
    assert plan.refused is not None
    assert "no proxies at all, which would delete h1" in plan.refused
    assert make_plan([], npm(), (), FIX).refused is not None
    count = replace(FIX, max_delete_override=DeleteLimit(count=9))
    assert make_plan([], hosts(3), known(3), count).refused is not None
    assert len(make_plan([], hosts(3), known(3), ALL).to_make) == 3


def test_a_file_that_may_have_been_cut_short_deletes_nothing() -> None:
    cut = replace(FIX, maybe_truncated=True)
    refused = deleting(1, 5, cut).refused
    assert refused is not None
    assert "does not end with a newline" in refused
    assert deleting(0, 5, cut).refused is None
    assert deleting(1, 5, replace(ALL, maybe_truncated=True)).refused is None


@pytest.mark.parametrize(
    ("known", "there", "passes"), [(1, 0, True), (2, 1, True), (2, 0, False), (3, 2, True),
                                   (3, 1, False), (4, 2, True), (4, 1, False), (9, 0, False)]
)  # fmt: skip
def test_much_fewer_hosts_than_the_state_knows_stop_everything(
    known: int, there: int, passes: bool
) -> None:
    rows = [row(f"h{n}", n) for n in range(1, known + 1)]
    entries = [want(f"h{n}") for n in range(1, known + 1)]
    plan = make_plan(entries, hosts(there), rows, FIX)
    assert (plan.refused is None) is passes
    if plan.refused is not None:
        assert "check the account" in plan.refused
        assert "`proxysync apply --recreate`" in plan.refused
        assert (plan.to_make, plan.records, plan.forget) == ((), (), ())
    recreate = make_plan(entries, hosts(there), rows, replace(FIX, recreate=True))
    assert len(recreate.to_make) == known - there


def test_a_refused_plan_leaves_the_state_alone() -> None:
    rows = [row("h1", 1), row("h2", 2), row("gone", 3)]
    plan = make_plan([want("h1"), want("new")], npm(live(9, "new")), rows, FIX)
    assert plan.refused is not None
    assert plan.unchanged == (key("new"),)
    assert (plan.records, plan.forget) == ((), ())


def test_other_hosts_with_the_old_ids_count_as_missing() -> None:
    rows = [row(f"h{n}", n, created_on="last year") for n in (1, 2)]
    strangers = npm(live(1, None, "a.x"), live(2, None, "b.x"))
    assert make_plan([want("h1"), want("h2")], strangers, rows, FIX).refused is not None


def test_hosts_that_still_carry_our_marker_are_not_missing_whatever_their_ids() -> None:
    rows = [row(f"h{n}", n) for n in (1, 2)]
    restored = npm(live(11, "h1"), live(12, "h2"))
    plan = make_plan([want("h1"), want("h2")], restored, rows, FIX)
    assert plan.refused is None
    assert len(plan.records) == 2


def test_a_limit_is_rounded_down_but_never_to_nothing() -> None:
    assert [DeleteLimit(share=0.29).of(n) for n in (1, 3, 7, 100)] == [1, 1, 2, 29]
    assert [DeleteLimit(count=n).of(50) for n in (0, 1, 7)] == [1, 1, 7]
    with pytest.raises(ValueError, match="either a share or a count"):
        DeleteLimit()
    with pytest.raises(ValueError, match="either a share or a count"):
        DeleteLimit(share=0.1, count=1)
