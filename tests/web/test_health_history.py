"""How well entries did, over HTTP: the days that were summed up, today, and the last checks."""

from datetime import UTC, datetime, timedelta

from proxysync.model import Key, clock
from proxysync.model.health import Check, HealthState
from proxysync.store.database import open_for_writing
from proxysync.store.health import HealthStore, Record
from proxysync.store.health_history import HealthHistory
from tests.web.conftest import Api
from tests.world import World, eventually

ONE, TWO = Key("proxy", "one"), Key("proxy", "two")


def test_days_are_of_what_was_summed_up_and_of_what_was_not_yet(store: HealthStore) -> None:
    now = datetime(2026, 3, 10, 12, tzinfo=UTC)
    for day, (good, bad) in {2: (3, 1), 1: (4, 0)}.items():
        for minute in range(good + bad):
            at = now - timedelta(days=day, minutes=-minute)
            check = Check(at, minute < good, 10 + minute if minute < good else None)
            store.save([Record(ONE, HealthState(status="healthy"), check)])
    store.roll_up(now - timedelta(days=1))  # of two days ago, for yesterday was not over then
    store.save([Record(ONE, HealthState(), Check(now, False)), Record(TWO, HealthState())])
    past = HealthHistory(store._database)

    days = past.days(now.date() - timedelta(days=89), now)
    assert {day.day: (f.total, f.ok) for day, f in days[ONE].items()} == {
        8: (4, 3),
        9: (4, 4),
        10: (1, 0),
    }
    assert TWO not in days
    assert past.days(now.date(), now, TWO) == {}
    assert list(past.days(now.date(), now, ONE)[ONE]) == [now.date()]

    last = past.last_checks(3)
    assert [(c.ok, c.latency_ms) for c in last[ONE]] == [(True, 12), (True, 13), (False, None)]
    assert past.last_checks(3, TWO) == {}


def test_the_history_of_all_and_of_one(api: Api, house: World) -> None:
    eventually(lambda: len(api.get("/api/resources/proxy/one/health")["checks"]) > 1)
    one = api.get("/api/resources/proxy/one/health")
    today = clock.now().date().isoformat()
    assert [(day["day"], day["ok"] == day["checks"]) for day in one["days"]] == [(today, True)]
    assert all(check["ok"] and check["latency_ms"] >= 0 for check in one["checks"])

    every = api.get("/api/health")
    assert every["today"] == today
    assert [(row["kind"], row["name"], row["days"]) for row in every["entries"]] == [
        ("proxy", "one", [1.0]),
        ("proxy", "two", [1.0]),
    ]
    near = api.ask("GET", "/api/resources/proxy/onee/health")
    assert (near.status_code, near.json()["error"]["hint"]) == (404, "did you mean one?")
    assert api.get("/api/proxies/one")["health_valid_until"] > clock.to_text(clock.now())
    _with_an_older_day(house)
    [row, _] = api.get("/api/health")["entries"]
    assert row["days"] == [0.9965, None, 1.0]


def _with_an_older_day(house: World) -> None:
    database, _ = open_for_writing(house.state / "state.db")
    start = int(clock.now().timestamp()) // 86400 * 86400 - 2 * 86400
    with database.transaction() as connection:
        connection.execute(
            "INSERT INTO check_figures SELECT id, 'day', ?, 288, 287, 9, 9 FROM health"
            " WHERE name = 'one'",
            (start,),
        )
    database.close()
