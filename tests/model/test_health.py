"""When a status has changed: after so many checks in a row, and never by fewer."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from proxysync.model.health import Check, HealthState, Rules, StatusChange, judge

NOTHING_KNOWN = HealthState()
BEGIN = datetime(2026, 1, 31, 12, tzinfo=UTC)
rules = st.builds(Rules, failure_threshold=st.integers(1, 5), success_threshold=st.integers(1, 5))
results = st.lists(st.booleans(), max_size=60)


def check(number: int, ok: bool) -> Check:
    at = BEGIN + timedelta(minutes=number)
    return Check(at, ok, 5, None if ok else "refused", None if ok else "start it")


def story(
    oks: list[bool], rules: Rules, known: HealthState = NOTHING_KNOWN, first: int = 0
) -> tuple[HealthState, list[StatusChange]]:
    changes = []
    for number, ok in enumerate(oks, first):
        known, change = judge(known, check(number, ok), rules)
        if change:
            changes.append(change)
    return known, changes


def test_a_service_killed_and_restarted_is_two_changes() -> None:
    known, changes = story([True] * 3 + [False] * 3 + [True] * 3, Rules(2, 1))
    assert [(c.before, c.after) for c in changes] == [
        ("unknown", "healthy"),
        ("healthy", "unhealthy"),
        ("unhealthy", "healthy"),
    ]
    assert [c.lasted for c in changes] == [None, 4 * 60, 2 * 60]
    assert changes[1].check.hint == "start it"
    assert (known.status, known.since, known.detail) == (
        "healthy",
        BEGIN + timedelta(minutes=6),
        None,
    )


@given(results, rules)
def test_the_status_is_what_the_last_long_enough_run_says(oks: list[bool], rules: Rules) -> None:
    expected, run = "unknown", 0
    for index, ok in enumerate(oks):
        run = run + 1 if index and oks[index - 1] == ok else 1
        if ok and run >= rules.success_threshold:
            expected = "healthy"
        if not ok and run >= rules.failure_threshold:
            expected = "unhealthy"
    assert story(oks, rules)[0].status == expected


@given(results, rules)
def test_changes_form_a_chain_and_none_is_from_a_status_to_itself(
    oks: list[bool], rules: Rules
) -> None:
    known, changes = story(oks, rules)
    status = "unknown"
    for change in changes:
        assert change.before == status != change.after
        status = change.after
    assert known.status == status


@given(results, st.integers(0, 60), rules)
def test_a_restart_in_between_announces_nothing_twice_and_forgets_nothing(
    oks: list[bool], cut: int, rules: Rules
) -> None:
    before, first = story(oks[:cut], rules)
    after, second = story(oks[cut:], rules, before, first=min(cut, len(oks)))
    assert (after, first + second) == story(oks, rules)


def test_ill_health_without_a_break_becomes_stale_until_it_ends() -> None:
    rules = Rules(1, 1, stale_after=3 * 60)
    known, _ = story([False] * 3, rules)
    assert not known.stale
    known, changes = story([False], rules, known, first=3)
    assert known.stale
    assert changes == []
    known, _ = story([True], rules, known, first=4)
    assert not known.stale
    known, _ = story([False] * 3, rules, known, first=5)
    assert not known.stale


def test_a_clock_that_was_set_back_gives_no_negative_time() -> None:
    known, _ = story([True], Rules(), first=100)
    _, changes = story([False, False], Rules(), known)
    assert changes[0].lasted == 0
