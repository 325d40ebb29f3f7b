"""When to check whom: spread by name, each once per interval, nothing twice at a time."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from proxysync.health.schedule import SETTLING, Schedule, next_slot, phase
from proxysync.model import Key
from tests.keys import key

KEYS = [key(f"proxy-{number}") for number in range(1000)]
keys = st.builds(key, st.text(min_size=1, max_size=20))
intervals = st.floats(min_value=1, max_value=86400)
moments = st.floats(min_value=0, max_value=1e7)


def running(schedule: Schedule, begin: float, end: float) -> list[tuple[Key, float]]:
    """Lets time go from one due moment to the next, each check ending at once."""
    starts = []
    while schedule.next_at is not None and schedule.next_at < end:
        now = max(begin, schedule.next_at)
        for one, due in schedule.take(now):
            assert due <= now
            starts.append((one, now))
            schedule.finish(one)
    return starts


@given(keys, intervals, moments)
def test_the_next_slot_is_within_one_interval(one: Key, interval: float, now: float) -> None:
    slot = next_slot(one, interval, now)
    assert now <= slot <= now + interval * (1 + 1e-9)


@given(keys, intervals, moments)
def test_slots_of_a_name_are_the_same_whoever_asks_and_when(
    one: Key, interval: float, now: float
) -> None:
    turns = (next_slot(one, interval, now) - phase(one) * interval) / interval
    assert abs(turns - round(turns)) < 1e-6


def test_a_thousand_are_spread_evenly_and_each_is_checked_once_per_interval() -> None:
    schedule = Schedule()
    schedule.replace(dict.fromkeys(KEYS, 10.0), 12345.0)
    starts = running(schedule, 12345.0, 12345.0 + 60.0)
    assert set(Counter(one for one, _ in starts).values()) == {6}
    per_tenth = Counter(int(when * 10) for _, when in starts)
    assert max(per_tenth.values()) <= 30  # 10 on average
    per_second = Counter(int(when) for _, when in starts)
    assert max(per_second.values()) <= 150  # 100 on average


@given(st.dictionaries(keys, intervals, max_size=20), moments, st.floats(0, 1e6))
def test_who_is_late_is_checked_once_however_late(
    targets: dict[Key, float], now: float, late: float
) -> None:
    schedule = Schedule()
    schedule.replace(targets, now)
    then = now + late
    taken = [one for one, _ in schedule.take(then)]
    assert len(taken) == len(set(taken))
    for one in taken:
        schedule.finish(one)
    assert schedule.take(then) == []
    assert schedule.next_at is None or schedule.next_at > then


def test_after_a_standstill_the_late_ones_are_started_in_lots() -> None:
    schedule = Schedule()
    schedule.replace(dict.fromkeys(KEYS, 10.0), 0.0)
    assert round(schedule.rate) == 100
    dues = []
    while lot := schedule.take(1000.0, 7):
        assert len(lot) <= 7
        dues += [due for _, due in lot]
    assert len(dues) == 1000
    assert dues == sorted(dues)


def test_a_check_that_still_runs_is_not_started_again_until_it_ends() -> None:
    schedule = Schedule()
    schedule.replace({key("slow"): 10.0, key("quick"): 10.0}, 0.0)
    assert {one for one, _ in schedule.take(10.0)} == {key("slow"), key("quick")}
    schedule.finish(key("quick"))
    assert [one for one, _ in schedule.take(20.0)] == [key("quick")]
    schedule.finish(key("quick"))
    schedule.finish(key("slow"))
    assert {one for one, _ in schedule.take(30.0)} == {key("slow"), key("quick")}


@given(st.dictionaries(keys, intervals, min_size=1, max_size=20), moments)
def test_a_new_list_of_the_same_targets_changes_nothing(
    targets: dict[Key, float], now: float
) -> None:
    schedule = Schedule()
    schedule.replace(targets, now, set(targets))
    before = schedule.next_at
    schedule.replace(dict(reversed(targets.items())), now + 0.5, set(targets))
    assert schedule.next_at == before


def test_who_left_is_not_checked_any_more_and_who_came_is() -> None:
    schedule = Schedule()
    schedule.replace({key("old"): 10.0, key("kept"): 10.0}, 0.0)
    schedule.replace({key("kept"): 10.0, key("new"): 10.0}, 1.0)
    assert {one for one, _ in schedule.take(30.0)} == {key("kept"), key("new")}
    schedule.replace({}, 31.0)
    assert schedule.next_at is None
    assert schedule.take(1000.0) == []


def test_those_of_whom_nothing_is_known_are_looked_at_soon_but_in_no_burst() -> None:
    schedule = Schedule()
    schedule.replace(dict.fromkeys(KEYS, 3600.0), 0.0, KEYS)
    first = running(schedule, 0.0, SETTLING)
    assert {one for one, _ in first} == set(KEYS)
    assert max(Counter(int(when) for _, when in first).values()) <= 70  # 33 on average
    later = running(schedule, SETTLING, 3600.0 * 2)
    assert max(Counter(int(when / 36) for _, when in later).values()) <= 30  # 10 on average
    gaps: dict[Key, float] = {}
    for one, when in first + later:
        assert when - gaps.get(one, -1e9) >= 1800
        gaps[one] = when


def test_one_that_has_become_unknown_is_checked_soon_however_often_it_is_told() -> None:
    schedule = Schedule()
    schedule.replace({key("a"): 3600.0, key("b"): 3600.0}, 0.0)
    for now in range(100, 130):
        schedule.replace({key("a"): 3600.0, key("b"): 3600.0}, float(now), {key("a")})
    assert [one for one, _ in schedule.take(100.0 + SETTLING)] == [key("a")]
