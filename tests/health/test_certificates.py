"""Certificates that run out: said at 21 days, at 7 and at the end, once each."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from proxysync.health.certificates import expiry_warnings
from proxysync.kinds.covering import expires_at
from proxysync.model import Certificate

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)


def certificate(days: float, npm_id: int = 7) -> Certificate:
    moment = NOW + timedelta(days=days)
    return Certificate(npm_id, "wild", ("*.example.com",), f"{moment:%Y-%m-%dT%H:%M:%S}.000Z")


def test_a_certificate_on_its_way_to_the_end_is_told_three_times() -> None:
    expires = NOW + timedelta(days=30)
    told: list[tuple[int, str | None, str]] = []
    said: set[str] = set()
    for hours in range(0, 24 * 32, 6):
        now = NOW + timedelta(hours=hours)
        text = f"{expires:%Y-%m-%dT%H:%M:%SZ}"
        for warning in expiry_warnings([Certificate(7, "wild", (), text)], said, now):
            told.append((round((expires - now).days), warning.event.severity, warning.event.event))
            said.update(warning.keys)
    assert told == [
        (21, "warn", "npm.certificate_expiring"),
        (7, "error", "npm.certificate_expiring"),
        (0, "error", "npm.certificate_expired"),
    ]


def test_one_seen_late_is_told_once_at_its_gravest() -> None:
    (warning,) = expiry_warnings([certificate(3.7)], (), NOW)
    assert (warning.event.severity, warning.event.data["days_left"]) == ("error", 3)
    assert "certificate wild (#7) expires in 3 days, on 2026-02-04" in warning.event.message
    assert expiry_warnings([certificate(3.7)], warning.keys, NOW) == []


def test_a_renewed_one_begins_anew() -> None:
    (warning,) = expiry_warnings([certificate(-1)], (), NOW)
    assert "expired on 2026-01-30" in warning.event.message
    assert expiry_warnings([certificate(89)], warning.keys, NOW) == []
    assert len(expiry_warnings([certificate(20)], warning.keys, NOW)) == 1


@pytest.fixture
def timezone(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", request.param)
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize("timezone", ["Asia/Tokyo", "UTC", "America/New_York"], indirect=True)
@pytest.mark.parametrize(
    "text",
    [
        *("9999-12-31 23:59:59", "9999-12-31T23:59:59.000Z", "9999-12-31T23:59:59-12:00"),
        *("0001-01-01 00:00:00", "0001-01-01T00:00:00+12:00"),
    ],
)
def test_one_that_never_ends_says_nothing_wherever_we_are(timezone: None, text: str) -> None:
    warnings = expiry_warnings([Certificate(1, "odd", (), text)], (), NOW)
    assert all(text.startswith("0001") for _ in warnings)


@pytest.mark.parametrize("text", [None, "", "soon", "2026-13-01 00:00:00"])
def test_one_without_a_readable_end_says_nothing(text: str | None) -> None:
    assert expiry_warnings([Certificate(1, "odd", (), text)], (), NOW) == []


def test_both_of_npms_ways_to_write_a_time_are_read() -> None:
    zoned = expires_at(Certificate(1, "", (), "2027-02-21T16:58:38.000Z"))
    assert zoned == datetime(2027, 2, 21, 16, 58, 38, tzinfo=UTC)
    local = expires_at(Certificate(1, "", (), "2027-02-21 16:58:38"))
    assert local == datetime(2027, 2, 21, 16, 58, 38).astimezone()
