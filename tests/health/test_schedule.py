"""When to check whom: spread by name, each once per interval, nothing twice at a time."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from proxysync.health.schedule import SETTLING, Schedule, next_slot, phase

NAMES = [f"proxy-{number}" for number in range(1000)]
names = st.text(min_size=1, max_size=20)
intervals = st.floats(min_value=1, max_value=86400)
moments = st.floats(min_value=0, max_value=1e7)


def running(schedule: Schedule, begin: float, end: float) -> list[tuple[str, float]]:
    """Lets time go from one due moment to the next, each check ending at once."""
    starts = []
    while schedule.next_at is not None and schedule.next_at < end:
        now = max(begin, schedule.next_at)
        for name, due in schedule.take(now):
            assert due <= now
            starts.append((name, now))
            schedule.finish(name)
    return starts


@given(names, intervals, moments)
def test_the_next_slot_is_within_one_interval(name: str, interval: float, now: float) -> None:
    slot = next_slot(name, interval, now)
    assert now <= slot <= now + interval * (1 + 1e-9)


@given(names, intervals, moments)
def test_slots_of_a_name_are_the_same_whoever_asks_and_when(
    name: str, interval: float, now: float
) -> None:
    turns = (next_slot(name, interval, now) - phase(name) * interval) / interval
    assert abs(turns - round(turns)) < 1e-6


def test_a_thousand_are_spread_evenly_and_each_is_checked_once_per_interval() -> None:
    schedule = Schedule()
    schedule.replace(dict.fromkeys(NAMES, 10.0), 12345.0)
    starts = running(schedule, 12345.0, 12345.0 + 60.0)
    assert set(Counter(name for name, _ in starts).values()) == {6}
    per_tenth = Counter(int(when * 10) for _, when in starts)
    assert max(per_tenth.values()) <= 30  # 10 on average
    per_second = Counter(int(when) for _, when in starts)
    assert max(per_second.values()) <= 150  # 100 on average


@given(st.dictionaries(names, intervals, max_size=20), moments, st.floats(0, 1e6))
def test_who_is_late_is_checked_once_however_late(
    targets: dict[str, float], now: float, late: float
) -> None:
    schedule = Schedule()
    schedule.replace(targets, now)
    then = now + late
    taken = [name for name, _ in schedule.take(then)]
    assert len(taken) == len(set(taken))
    for name in taken:
        schedule.finish(name)
    assert schedule.take(then) == []
    assert schedule.next_at is None or schedule.next_at > then


def test_after_a_standstill_the_late_ones_are_started_in_lots() -> None:
    schedule = Schedule()
    schedule.replace(dict.fromkeys(NAMES, 10.0), 0.0)
    assert round(schedule.rate) == 100
    dues = []
    while lot := schedule.take(1000.0, 7):
        assert len(lot) <= 7
        dues += [due for _, due in lot]
    assert len(dues) == 1000
    assert dues == sorted(dues)


def test_a_check_that_still_runs_is_not_started_again_until_it_ends() -> None:
    schedule = Schedule()
    schedule.replace({"slow": 10.0, "quick": 10.0}, 0.0)
    assert {name for name, _ in schedule.take(10.0)} == {"slow", "quick"}
    schedule.finish("quick")
    assert [name for name, _ in schedule.take(20.0)] == ["quick"]
    schedule.finish("quick")
    schedule.finish("slow")
    assert {name for name, _ in schedule.take(30.0)} == {"slow", "quick"}


@given(st.dictionaries(names, intervals, min_size=1, max_size=20), moments)
def test_a_new_list_of_the_same_targets_changes_nothing(
    targets: dict[str, float], now: float
) -> None:
    schedule = Schedule()
    schedule.replace(targets, now, set(targets))
    before = schedule.next_at
    schedule.replace(dict(reversed(targets.items())), now + 0.5, set(targets))
    assert schedule.next_at == before


def test_who_left_is_not_checked_any_more_and_who_came_is() -> None:
    schedule = Schedule()
    schedule.replace({"old": 10.0, "kept": 10.0}, 0.0)
    schedule.replace({"kept": 10.0, "new": 10.0}, 1.0)
    assert {name for name, _ in schedule.take(30.0)} == {"kept", "new"}
    schedule.replace({}, 31.0)
    assert schedule.next_at is None
    assert schedule.take(1000.0) == []


def test_those_of_whom_nothing_is_known_are_looked_at_soon_but_in_no_burst() -> None:
    schedule = Schedule()
    schedule.replace(dict.fromkeys(NAMES, 3600.0), 0.0, NAMES)
    first = running(schedule, 0.0, SETTLING)
    assert {name for name, _ in first} == set(NAMES)
    assert max(Counter(int(when) for _, when in first).values()) <= 70  # 33 on average
    later = running(schedule, SETTLING, 3600.0 * 2)
    assert max(Counter(int(when / 36) for _, when in later).values()) <= 30  # 10 on average
    gaps: dict[str, float] = {}
    for name, when in first + later:
        assert when - gaps.get(name, -1e9) >= 1800
        gaps[name] = when


def test_one_that_has_become_unknown_is_checked_soon_however_often_it_is_told() -> None:
    schedule = Schedule()
    schedule.replace({"a": 3600.0, "b": 3600.0}, 0.0)
    for now in range(100, 130):
        schedule.replace({"a": 3600.0, "b": 3600.0}, float(now), {"a"})
    assert [name for name, _ in schedule.take(100.0 + SETTLING)] == ["a"]
