"""What is kept of health checks: where each proxy stands, and figures that outlast results."""

from datetime import UTC, datetime, timedelta

from proxysync.model.event import NewEvent
from proxysync.model.health import Check, HealthState
from proxysync.store.alerts import ActiveAlert
from proxysync.store.database import Database
from proxysync.store.events import EventLog
from proxysync.store.health import HealthStore, Record
from tests.keys import key

NOW = datetime(2026, 1, 31, 12, 30, tzinfo=UTC)
STANDING = HealthState("unhealthy", NOW, -3, True, NOW, None, "refused", "start it")


def results(name: str, begin: datetime, end: datetime, minutes: int, ok: bool) -> list[Record]:
    count = int((end - begin) / timedelta(minutes=minutes))
    return [
        Record(
            key(name),
            HealthState(),
            Check(begin + timedelta(minutes=minutes * n), ok, n % 100, lasts=60 * minutes),
        )
        for n in range(count)
    ]


def shares(store: HealthStore) -> dict[str, float | None]:
    return {label: uptime.share for label, uptime in store.uptimes(NOW)[key("media")].items()}


def count(database: Database, table: str) -> int:
    return int(database.query(f"SELECT count(*) AS n FROM {table}")[0]["n"])


def test_where_a_proxy_stands_is_remembered_until_it_is_forgotten(store: HealthStore) -> None:
    store.save([Record(key("media"), HealthState()), Record(key("media"), STANDING)])
    assert store.standings() == {key("media"): STANDING}
    store.forget([key("media")])
    assert store.standings() == {key("media"): HealthState()}


def test_targets_do_not_see_each_other(database: Database) -> None:
    HealthStore(database, "home").save([Record(key("media"), STANDING)])
    HealthStore(database, "home").alerts.activate([ActiveAlert("network", "e", "m", NOW)])
    other = HealthStore(database, "office")
    assert other.standings() == {}
    assert other.alerts.active() == {}
    assert other.uptimes(NOW) == {}


def test_uptime_is_the_same_before_and_after_results_become_figures(store: HealthStore) -> None:
    begin = NOW - timedelta(hours=23)
    store.save(results("media", begin, NOW - timedelta(hours=5), 5, ok=True))
    store.save(results("media", NOW - timedelta(hours=5), NOW, 5, ok=False))
    before = shares(store)
    assert before == dict.fromkeys(("24h", "7d", "30d"), round(18 / 23, 5))
    store.roll_up(NOW)
    assert shares(store) == before
    store.roll_up(NOW)
    assert shares(store) == before


def test_each_window_counts_its_own_time(store: HealthStore) -> None:
    begin = NOW - timedelta(days=40)
    day = begin
    while day < NOW:
        good = day >= NOW - timedelta(days=3)
        store.save(results("media", day, min(NOW, day + timedelta(days=1)), 60, ok=good))
        day += timedelta(days=1)
        store.roll_up(day)
    uptime = shares(store)
    assert uptime["24h"] == 1.0
    assert uptime["7d"] is not None
    assert abs(uptime["7d"] - 3 / 7) < 0.01
    assert uptime["30d"] is not None
    assert abs(uptime["30d"] - 3 / 30) < 0.01


def test_results_are_kept_a_day_and_daily_figures_ninety(
    database: Database, store: HealthStore
) -> None:
    day = NOW - timedelta(days=100)
    while day < NOW:
        store.save(results("media", day, day + timedelta(days=1), 30, ok=True))
        day += timedelta(days=1)
        store.roll_up(day)
    assert 48 <= count(database, "check_result") <= 50
    daily = store.figures(key("media"), "day")
    assert 90 <= len(daily) <= 91
    assert {figures.total for _, figures in daily} == {48}
    assert {figures.p50 for _, figures in daily} == {daily[0][1].p50}
    hourly = store.figures(key("media"), "hour")
    assert {figures.total for _, figures in hourly} == {2}
    assert 31 * 24 <= len(hourly) <= 31 * 24 + 1


def test_after_a_long_pause_nothing_old_counts_as_new(store: HealthStore) -> None:
    old = NOW - timedelta(days=3)
    store.save(results("media", old, old + timedelta(hours=1), 5, ok=False))
    assert shares(store)["24h"] is None
    assert shares(store)["7d"] == 0.0
    store.roll_up(NOW)
    assert shares(store)["24h"] is None
    assert shares(store)["7d"] == 0.0


def test_rolling_up_can_be_stopped_and_goes_on_the_next_time(store: HealthStore) -> None:
    store.save(results("media", NOW - timedelta(hours=4), NOW, 5, ok=True))
    store.roll_up(NOW, lambda: True)
    assert store.figures(key("media"), "hour") == []
    store.roll_up(NOW)
    assert [figures.total for _, figures in store.figures(key("media"), "hour")] == [6, 12, 12, 12]


def test_notices_are_kept_until_taken_back(store: HealthStore) -> None:
    alert = ActiveAlert("latent nas.lan", "npm.latent_outage", "gone", NOW)
    store.alerts.activate([alert])
    assert store.alerts.active() == {alert.key: alert}
    store.alerts.end([alert.key])
    assert store.alerts.active() == {}


def test_the_last_events_of_a_proxy_come_newest_first(store: HealthStore, events: EventLog) -> None:
    for number in range(7):
        events.emit(NewEvent("proxy.updated", str(number), key=key("media")))
    events.emit(NewEvent("proxy.updated", "other", key=key("wiki")))
    assert [event.message for event in store.last_events(key("media"))] == list("65432")


def test_a_clock_that_is_set_forward_drops_no_history(
    database: Database, store: HealthStore
) -> None:
    day = NOW - timedelta(days=50)
    while day < NOW:
        store.save(results("media", day, min(NOW, day + timedelta(days=1)), 60, ok=True))
        day += timedelta(days=1)
        store.roll_up(min(day, NOW))
    before = store.figures(key("media"), "day"), store.figures(key("media"), "hour")
    ahead = NOW + timedelta(days=120)
    store.save(results("media", ahead, ahead + timedelta(hours=3), 5, ok=True))
    store.roll_up(ahead + timedelta(hours=3))
    after = store.figures(key("media"), "day"), store.figures(key("media"), "hour")
    assert [set(old) <= set(new) for old, new in zip(before, after, strict=True)] == [True, True]


def test_a_clock_that_was_ahead_for_a_while_spoils_nothing_that_comes_after(
    store: HealthStore,
) -> None:
    ahead = NOW + timedelta(days=300)
    store.save(results("media", ahead - timedelta(hours=3), ahead, 5, ok=False))
    store.roll_up(ahead)
    store.save(results("media", NOW - timedelta(hours=5), NOW, 5, ok=True))
    store.roll_up(NOW)
    assert set(shares(store).values()) == {1.0}
    assert [start for start, _ in store.figures(key("media"), "hour") if start < NOW] != []
