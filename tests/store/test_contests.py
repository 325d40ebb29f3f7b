"""How often a field was put right, and when that is enough."""

from datetime import timedelta

import pytest

from proxysync.model import clock
from proxysync.store.contests import ENOUGH, IN_A_ROW, Contests
from proxysync.store.database import Database
from tests.keys import key

MEDIA = key("media")


@pytest.fixture
def contests(database: Database) -> Contests:
    return Contests(database, "default")


def count(contests: Contests, times: int, field: str = "port", fingerprint: str = "f") -> None:
    for _ in range(times):
        contests.count(MEDIA, {field}, fingerprint)


def test_five_times_are_enough_for_that_field_and_that_file(contests: Contests) -> None:
    count(contests, ENOUGH - 1)
    count(contests, 1, "other")
    assert contests.lost("f") == {}
    count(contests, 1)
    assert contests.lost("f") == {MEDIA: {"port"}}
    assert contests.lost("another file") == {}


def test_another_file_counts_anew(contests: Contests) -> None:
    count(contests, ENOUGH)
    count(contests, 1, fingerprint="g")
    assert contests.lost("f") == contests.lost("g") == {}


def test_what_is_long_past_is_not_in_a_row(
    contests: Contests, monkeypatch: pytest.MonkeyPatch
) -> None:
    count(contests, ENOUGH - 1)
    later = clock.now() + IN_A_ROW + timedelta(seconds=1)
    monkeypatch.setattr(clock, "now", lambda: later)
    count(contests, 1)
    assert contests.lost("f") == {}


def test_it_is_told_once_and_ended_by_a_person(contests: Contests) -> None:
    assert not contests.tell(MEDIA)
    assert not contests.end()
    count(contests, ENOUGH)
    assert [contests.tell(MEDIA) for _ in range(2)] == [True, False]
    assert contests.end()
    assert contests.lost("f") == {}
