"""The status page looked at from all sides: hostile texts, breaks, widths, and many entries."""

import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from selenium.webdriver import Chrome, Keys

from proxysync.demo.services import DemoService
from tests.web.conftest import TOKEN, Api, api_of
from tests.web.test_page import chromium, complaints, focused, press, row, text_of
from tests.world import World, eventually
from tools.browser import prefer, resize

__all__ = ["chromium"]
pytestmark = [pytest.mark.long, pytest.mark.timeout(300)]

AXE = "PROXYSYNC_TEST_AXE"
VIEWS = ("", "#/proxy/one", "#/events", "#/history", "#/foreign", "#/check")
HOSTILE = "<script>window.hacked=1</script><img src=x onerror=window.hacked=1>\"'`${1}\u202e\u2066"


def go(driver: Chrome, api: Api, view: str) -> None:
    """Opens a view anew, and waits until it has something to show."""
    driver.get("about:blank")
    driver.get(f"{api.url}/{view}")
    shown = ":is(.mark.good, .row, .run, .table, .steps, .events.wide li)"
    eventually(lambda: text_of(driver, f"main {shown}"))


@contextmanager
def changing(world: World) -> Iterator[sqlite3.Connection]:
    """The state, to be written into as a daemon would."""
    with closing(sqlite3.connect(world.state / "state.db", timeout=20)) as database, database:
        yield database


def test_hostile_texts_are_shown_as_text(
    chromium: Chrome, small_world: World, services: list[DemoService]
) -> None:
    entry = {"upstream": services[0].url, "note": f"note {HOSTILE[:70]}"}
    small_world.write({"one": entry}, settings={"health": {"interval": "1h"}})
    small_world.npm.add_host("foreign.proxysync-test.example")
    long = f"detail {HOSTILE}" + "x" * 10_000
    with api_of(small_world) as api:
        eventually(lambda: api.get("/api/proxies/one")["health"] == "healthy")
    with changing(small_world) as state:
        found = (long, HOSTILE)
        state.execute("UPDATE health SET status = 'unhealthy', detail = ?, hint = ?", found)
        state.execute("UPDATE event_log SET message = ?", (f"event {HOSTILE}",))
    with api_of(small_world) as api:
        for view in VIEWS:
            go(chromium, api, view)
            made = "return document.querySelectorAll('main script, main img').length"
            assert chromium.execute_script(made) == 0
            assert chromium.execute_script("return window.hacked") is None
        go(chromium, api, "")
        eventually(lambda: HOSTILE[:60] in text_of(chromium, ".troubles"))
        assert "\\u202e" in text_of(chromium, ".troubles")
        assert len(text_of(chromium, ".troubles")) < 2000
        chromium.execute_script("document.querySelector('.troubles button').click()")
        eventually(lambda: len(text_of(chromium, ".troubles")) > 10_000)
        assert "note <script>" in row(chromium, "one")
        assert f"event {HOSTILE[:60]}" in chromium.execute_script(
            "return document.querySelector('.feed').textContent"
        )
        assert complaints(chromium) == []


def test_a_break_is_told_and_ends_by_itself(chromium: Chrome, house: World) -> None:
    with api_of(house) as api:
        go(chromium, api, "")
        eventually(lambda: text_of(chromium, "#connection") == "live")
        eventually(lambda: "healthy" in row(chromium, "one"))
    eventually(lambda: text_of(chromium, "#connection") == "no connection")
    assert "What is shown is from" in text_of(chromium, "#lost")
    assert "healthy" in row(chromium, "one")
    with api_of(house, PROXYSYNC_LISTEN=api.url.removeprefix("http://")):
        eventually(lambda: text_of(chromium, "#connection") == "live", patience=60)
        assert text_of(chromium, "#lost") == ""


def test_a_token_that_is_another_one_is_asked_for_once_and_the_page_goes_on(
    chromium: Chrome, house: World
) -> None:
    with api_of(house, PROXYSYNC_API_TOKEN=TOKEN) as api:
        chromium.get(f"{api.url}/#/check")
        eventually(lambda: focused(chromium) == "token")
        press(chromium, TOKEN, Keys.ENTER)
        eventually(lambda: text_of(chromium, "#connection") == "live")
        chromium.find_element("id", "check-upstream").send_keys("http://10.0.0.5")
        chromium.find_element("id", "check-domains").send_keys("new.example.com")
        eventually(lambda: "PROXYSYNC_API_WRITE is not set" in text_of(chromium, ".adding"))
        assert 'upstream: "http://10.0.0.5"' in text_of(chromium, ".adding")
        assert text_of(chromium, ".adding button") == ""
    other = {
        "PROXYSYNC_LISTEN": api.url.removeprefix("http://"),
        "PROXYSYNC_API_TOKEN": TOKEN[::-1],
    }
    with api_of(house, **other):
        eventually(lambda: focused(chromium) == "token", patience=60)
        assert "not the right one" in text_of(chromium, "#login")
        press(chromium, TOKEN[::-1], Keys.ENTER)
        eventually(lambda: text_of(chromium, "#connection") == "live", patience=60)
        assert text_of(chromium, "#login") == ""
        for _ in range(3):
            chromium.execute_script("location.hash = '#/'")
            eventually(lambda: "healthy" in row(chromium, "one"))
            chromium.execute_script("location.hash = '#/proxy/one'")
            eventually(lambda: "in sync" in text_of(chromium, ".marks"))
        tips = "return document.querySelectorAll('.tip').length"
        assert chromium.execute_script(tips) == 1


def test_nothing_is_cut_off_at_any_width(chromium: Chrome, house: World) -> None:
    with api_of(house) as api:
        eventually(lambda: api.get("/api/proxies/one")["health"] == "healthy")
        for width in (320, 768, 1200, 1600):
            resize(chromium, width)
            for view in VIEWS:
                go(chromium, api, view)
                wide = chromium.execute_script("return document.documentElement.scrollWidth")
                assert wide <= width, (view, width)


def test_axe_finds_nothing(chromium: Chrome, house: World) -> None:
    if AXE not in os.environ:
        pytest.skip(f"{AXE} names no axe.min.js (of the package axe-core on npm)")
    axe = Path(os.environ[AXE]).read_text()
    chromium.set_script_timeout(60)
    with api_of(house) as api:
        eventually(lambda: api.get("/api/proxies/one")["health"] == "healthy")
        for scheme in ("light", "dark"):
            prefer(chromium, scheme)
            for view in VIEWS:
                go(chromium, api, view)
                chromium.execute_cdp_cmd("Runtime.evaluate", {"expression": axe})
                found = chromium.execute_async_script(
                    "axe.run().then(({violations}) => arguments[0](violations.map("
                    "v => [v.id, v.nodes.map(n => n.html)])))"
                )
                assert found == [], (scheme, view)


MANY = 1000


def test_a_thousand_entries_are_there_within_a_second_and_stay_where_they_are(
    chromium: Chrome, small_world: World, services: list[DemoService]
) -> None:
    def entries(note: str) -> dict[str, Any]:
        every = {f"site-{n:04}": {"upstream": services[n % 3].url} for n in range(MANY)}
        every["site-0500"] = {**every["site-0500"], "note": note}
        return every

    settings = {"health": {"interval": "1h"}}
    small_world.write({"site-0000": {"upstream": services[0].url}}, settings=settings)
    small_world.apply()
    _invent_all_but_the_first(small_world)
    assert small_world.call("pause").code == 0  # what was invented is not in NPM
    small_world.write(entries("before"), settings=settings)
    with api_of(small_world) as api:
        resize(chromium, 1440)
        took = []
        for _ in range(3):
            chromium.get("about:blank")
            chromium.get(f"{api.url}/")
            took.append(eventually(lambda: chromium.execute_script(SHOWN)))
        days = eventually(lambda: chromium.execute_script(DAYS))
        print(f"{MANY} rows after {took} ms, their days after {days} ms")
        chromium.execute_script("document.querySelector('a[href$=\"site-0500\"]').focus()")
        assert chromium.execute_script("return scrollY") > 1000
        before = chromium.execute_script(PLACE)
        small_world.write(entries("after"), settings=settings)
        eventually(lambda: "after" in row(chromium, "site-0500"))
        assert focused(chromium) == "site-0500"
        assert abs(chromium.execute_script(PLACE) - before) < 200  # it is where it was looked at


PLACE = "return document.activeElement.getBoundingClientRect().top"
"""Where in the window it is: the browser keeps that, whatever gets higher above it."""

SHOWN = f"""
if (document.querySelectorAll('.row').length < {MANY}) return null;
return Math.round(performance.getEntriesByName('listed')[0].startTime);
"""
DAYS = f"""
if (document.querySelectorAll('.row .day-good').length < {MANY}) return null;
return Math.round(performance.now());
"""


def _invent_all_but_the_first(world: World) -> None:
    """A state that knows of all entries, each with 90 days: to make them would take minutes."""
    start = int(time.time()) // 86400 * 86400
    with changing(world) as state:
        state.row_factory = sqlite3.Row
        first = dict(state.execute("SELECT * FROM applied").fetchone())
        columns, places = ", ".join(first), ", ".join(f":{name}" for name in first)
        state.executemany(
            f"INSERT OR IGNORE INTO applied ({columns}) VALUES ({places})",
            [{**first, "name": f"site-{n:04}", "npm_id": 1000 + n} for n in range(MANY)],
        )
        state.execute(
            "INSERT OR IGNORE INTO health (target, kind, name, status, streak, stale)"
            " SELECT target, kind, name, 'healthy', 1, 0 FROM applied"
        )
        ids = [row["id"] for row in state.execute("SELECT id FROM health")]
        state.executemany(
            "INSERT OR REPLACE INTO check_figures VALUES (?, 'day', ?, 288, 288, 9, 9)",
            [(found, start - day * 86400) for found in ids for day in range(1, 90)],
        )
