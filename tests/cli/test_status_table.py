"""The table of `status`: what it shows, and how it fits a terminal."""

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxysync.app.status import EntryStatus
from proxysync.app.status_warnings import StatusWarning
from proxysync.cli.status_table import render, table
from proxysync.model.figures import Uptime
from proxysync.model.health import HealthState
from tests.keys import key

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
MEDIA = EntryStatus(
    key=key("media"),
    kind="proxy",
    managed=True,
    npm_id=3,
    domains=("media.example.com", "films.example.com"),
    upstream="http://10.0.0.5:8096",
    enabled=True,
    sync="in sync",
    health=HealthState("healthy", NOW - timedelta(hours=49), 9, False, NOW, 12),
    interval=60.0,
    uptime={"24h": Uptime(0.99999, NOW, 9.0), "7d": Uptime(1.0, NOW, 9.0), "30d": Uptime()},
)
ILL = replace(
    MEDIA,
    key=key("wiki"),
    health=HealthState(
        "unhealthy", NOW - timedelta(minutes=5), -3, False, NOW, None, "refused", "go"
    ),
)
FOREIGN = replace(
    MEDIA, key=None, managed=False, sync="foreign (office)", interval=None, health=HealthState()
)


def test_everything_is_shown_where_there_is_room() -> None:
    lines = table([MEDIA, ILL, FOREIGN], NOW, width=None, on=False).splitlines()
    assert lines[0].split() == [
        "NAME", "DOMAINS", "UPSTREAM", "SYNC", "HEALTH", "EDGE", "SINCE", "LATENCY", "UPTIME",
    ]  # fmt: skip
    for word in ("films.example.com", "http://10.0.0.5:8096", "● healthy", "2 d 1 h", "12 ms"):
        assert word in lines[1]
    assert "99.99 %" in lines[1]  # not 100: something has failed
    assert "● unhealthy" in lines[2]
    assert "foreign (office)" in lines[3]


def test_what_says_whether_an_entry_works_is_left_out_last() -> None:
    def heads(width: int) -> list[str]:
        return table([MEDIA, ILL], NOW, width=width, on=False).splitlines()[0].split()

    assert heads(80) == ["NAME", "DOMAINS", "UPSTREAM", "SYNC", "HEALTH", "EDGE", "SINCE"]
    assert heads(60) == ["NAME", "DOMAINS", "SYNC", "HEALTH", "EDGE"]
    assert heads(40) == ["NAME", "SYNC", "HEALTH", "EDGE"]
    assert render([MEDIA, ILL, replace(MEDIA, sync="failed")], [], NOW).startswith(
        "3 entries: 2 in sync, 1 failed; 1 unhealthy"
    )


@given(st.integers(20, 200))
def test_no_line_is_wider_than_the_terminal_and_health_is_never_left_out(width: int) -> None:
    names = [replace(MEDIA, key=key("n" * length)) for length in (1, 30)]
    text = table([*names, ILL], NOW, width=max(width, 40), on=False)
    assert max(len(line) for line in text.splitlines()) <= max(width, 40)
    assert "● unhealthy" in text


def test_health_that_is_from_long_ago_is_not_shown_as_if_it_were_true_now() -> None:
    later = NOW + timedelta(hours=1)
    text = render([MEDIA, FOREIGN], [], later)
    assert "healthy?" in text
    assert "● healthy" not in text
    assert "is the daemon running?" in text
    assert "?" not in render([MEDIA, FOREIGN], [], NOW + timedelta(seconds=100))


def test_while_the_network_is_down_nobody_is_asked_whether_the_daemon_runs() -> None:
    down = StatusWarning("health.network_down", "every check fails at once")
    text = render([MEDIA], [down], NOW + timedelta(hours=1))
    assert "healthy?" in text
    assert "is the daemon running?" not in text


def test_a_foreign_host_is_known_by_its_domain_where_only_names_have_room() -> None:
    redirection = replace(FOREIGN, upstream=None, holder="redirection host #3")
    stream = replace(redirection, domains=(), holder="stream #1 (port 25)")
    assert "redirection host #3" in table([redirection], NOW, width=None, on=False)
    narrow = table([MEDIA, FOREIGN, redirection, stream], NOW, width=55, on=False).splitlines()
    assert [line.split()[0] for line in narrow[1:]] == [
        "media", "media.example.com", "media.example.com", "stream",
    ]  # fmt: skip


def test_colours_do_not_change_the_text(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = table([MEDIA, ILL, FOREIGN], NOW, width=100, on=False)
    coloured = table([MEDIA, ILL, FOREIGN], NOW, width=100, on=True)
    stripped = re.sub(r"\033\[\d+m", "", coloured)
    assert coloured != plain
    assert [line.rstrip() for line in stripped.splitlines()] == plain.splitlines()


def test_what_is_wrong_and_what_threatens_stands_below(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    text = render(
        [MEDIA, ILL],
        [StatusWarning("npm.latent_outage", "nas.lan does not resolve\033[2J")],
        NOW,
    )
    assert "wiki: unhealthy: refused\n  hint: go" in text
    assert "! nas.lan does not resolve" in text
    assert "\033" not in text


def test_a_file_without_proxies_is_a_table_all_the_same() -> None:
    assert table([], NOW, width=80, on=False).startswith("NAME")
