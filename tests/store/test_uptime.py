"""Uptime counts time, and only the time of which something is known."""

from datetime import UTC, datetime, timedelta

from proxysync.model.figures import Uptime
from proxysync.model.health import Check, HealthState
from proxysync.store.database import Database
from proxysync.store.health import HealthStore, Record
from tests.keys import key

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)


def check(store: HealthStore, at: datetime, *, ok: bool, lasts: timedelta = MINUTE) -> None:
    found = Check(at, ok, 5, lasts=lasts.total_seconds())
    store.save([Record(key("media"), HealthState(), found)])


def uptime(store: HealthStore, window: str = "24h", now: datetime = NOW) -> Uptime:
    return store.uptimes(now)[key("media")][window]


def test_an_hour_of_frequent_checks_weighs_no_more_than_one_of_rare_ones(
    store: HealthStore,
) -> None:
    begin = NOW - 2 * HOUR
    for number in range(3):
        check(store, begin + number * 20 * MINUTE, ok=True, lasts=20 * MINUTE)
    for number in range(61):
        check(store, begin + HOUR + number * MINUTE, ok=False)
    assert uptime(store) == Uptime(0.5, begin, 7200.0)


def test_a_pause_of_the_checks_counts_neither_as_up_nor_as_down(store: HealthStore) -> None:
    for start, ok in ((NOW - 10 * HOUR, True), (NOW - HOUR, False)):
        for number in range(61):
            check(store, start + number * MINUTE, ok=ok)
    assert uptime(store) == Uptime(0.5, NOW - 10 * HOUR, 7200.0)


def test_one_check_that_was_left_out_is_no_pause(store: HealthStore) -> None:
    check(store, NOW - 2 * MINUTE, ok=True)
    check(store, NOW, ok=True)
    assert uptime(store).seconds == 120


def test_the_last_check_speaks_until_the_next_one_is_due_and_no_longer(store: HealthStore) -> None:
    check(store, NOW, ok=True)
    assert uptime(store) == Uptime()
    assert uptime(store, now=NOW + MINUTE / 2) == Uptime(1.0, NOW, 30.0)
    assert uptime(store, now=NOW + HOUR) == Uptime(1.0, NOW, 60.0)


def test_a_window_begins_where_it_says_and_not_on_a_full_hour(store: HealthStore) -> None:
    now = NOW + 17 * MINUTE
    for number in range(26 * 60 + 1):
        check(store, now - 26 * HOUR + number * MINUTE, ok=number > 3 * 60)
    found = uptime(store, now=now)
    assert found.since == now - timedelta(days=1)
    assert found.seconds == 86400
    assert found.share == round(1 - 61 / 1440, 5)


def test_a_clock_set_back_counts_no_time_twice(store: HealthStore) -> None:
    for number in range(121):
        check(store, NOW - HOUR + number * MINUTE, ok=number < 90)
    for number in range(61):
        check(store, NOW - HOUR + number * MINUTE, ok=True)
    assert uptime(store) == Uptime(1.0, NOW - HOUR, 3600.0)


def test_what_is_older_than_every_window_is_dropped(database: Database, store: HealthStore) -> None:
    for hours in (40 * 24, 32 * 24, 20 * 24, 20):
        check(store, NOW - timedelta(hours=hours), ok=True)
    store.roll_up(NOW)
    assert database.query("SELECT count(*) AS n FROM uptime_period")[0]["n"] == 2
