"""The status page, in a real browser where there is one."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from selenium.webdriver import Chrome, Keys

from proxysync.demo.services import DemoService
from tests.web.conftest import TOKEN, api_of
from tests.world import World, eventually
from tools.browser import browser, missing

STATIC = Path(__file__).parents[2] / "proxysync" / "web" / "static"
READS = {"PROXYSYNC_API_TOKEN": TOKEN}
WRITES = {**READS, "PROXYSYNC_API_WRITE": "1", "PROXYSYNC_API_VALIDATE_LOCAL": "1"}


@pytest.fixture
def chromium(tmp_path: Path) -> Iterator[Chrome]:
    if found := missing():
        pytest.skip(found)
    with browser(tmp_path / "profile") as driver:
        yield driver


def text_of(driver: Chrome, selector: str) -> str:
    """What can be read there; empty where nothing can."""
    shown = "const e = document.querySelector(arguments[0]); return e?.checkVisibility()"
    shown += " && e.textContent"
    return str(driver.execute_script(shown, selector) or "")


def row(driver: Chrome, name: str) -> str:
    """What the list says of an entry."""
    return text_of(driver, f'.row:has(a[href="#/proxy/{name}"])')


def press(driver: Chrome, *keys: str) -> None:
    """Keys, for whatever has the focus."""
    for key in keys:
        driver.switch_to.active_element.send_keys(key)


def focused(driver: Chrome) -> str:
    """What has the focus: its id, else its text."""
    active = "const e = document.activeElement; return e.id || e.innerText"
    return str(driver.execute_script(active)).strip()


def tab_to(driver: Chrome, target: str) -> None:
    """Goes on by the tabulator until that has the focus."""
    for _ in range(60):
        if focused(driver) == target:
            return
        press(driver, Keys.TAB)
    raise AssertionError(f"{target} cannot be reached; {focused(driver)} has the focus")


def complaints(driver: Chrome) -> list[Any]:
    """What the browser complains of, violations of the policy included."""
    found: list[Any] = driver.get_log("browser")  # type: ignore[no-untyped-call]
    return [entry for entry in found if entry["level"] == "SEVERE"]


def test_files_are_sent_whole_strict_and_without_a_token(small_world: World) -> None:
    small_world.write({})
    with api_of(small_world, **READS) as api:
        session = requests.Session()
        session.trust_env = False
        page = session.get(f"{api.url}/", timeout=10)
        assert page.headers["Content-Type"] == "text/html; charset=utf-8"
        assert "unsafe" not in page.headers["Content-Security-Policy"]
        assert " style=" not in page.text
        for file in STATIC.iterdir():
            sent = session.get(f"{api.url}/static/{file.name}", timeout=10)
            assert sent.content == file.read_bytes()
            assert file.suffix == ".html" or f'"static/{file.name}"' in page.text
            again = {"If-None-Match": sent.headers["ETag"]}
            answer = session.get(f"{api.url}/static/{file.name}", headers=again, timeout=10)
            assert (answer.status_code, answer.content) == (304, b"")
        for path in ("/static/..%2fguard.py", "/static/%2e%2e/guard.py", "/static/no.js"):
            assert session.get(f"{api.url}{path}", timeout=10).status_code == 404
        assert session.get(f"{api.url}/api/about", timeout=10).status_code == 401
        write = api.get("/api/about")["write"]
        assert (write["allowed"], "PROXYSYNC_API_WRITE" in write["reason"]) == (False, True)


def test_a_service_dies_and_another_one_is_added_by_keyboard_alone(
    chromium: Chrome, house: World, services: list[DemoService]
) -> None:
    with api_of(house, **WRITES) as api:
        chromium.get(f"{api.url}/")
        eventually(lambda: focused(chromium) == "token")
        assert "blocked" not in text_of(chromium, "main")
        chromium.execute_script("window.isSamePage = true")
        press(chromium, "not-the-right-token", Keys.ENTER)
        eventually(lambda: "not the right one" in text_of(chromium, "#login-error"))
        press(chromium, TOKEN, Keys.ENTER)

        eventually(lambda: "healthy" in row(chromium, "one"))
        eventually(lambda: "1 entry needs attention" in text_of(chromium, "h1"))
        assert "Port 9 is not accepting connections." in text_of(chromium, ".troubles")
        tab_to(chromium, "search")
        press(chromium, "one")
        eventually(lambda: row(chromium, "dead") == "")

        services[0].stop()
        eventually(lambda: "unhealthy" in row(chromium, "one"))
        eventually(lambda: "one unhealthy: " in text_of(chromium, ".troubles"))
        eventually(lambda: "one is unhealthy" in text_of(chromium, "#announcer"))
        assert focused(chromium) == "search"

        tab_to(chromium, "one")
        press(chromium, Keys.ENTER)
        eventually(
            lambda: focused(chromium) == "one" and "unhealthy" in text_of(chromium, ".marks")
        )
        eventually(lambda: services[0].url in text_of(chromium, ".diff .new:last-child"))

        chromium.execute_script("location.hash = '#/check'")
        eventually(lambda: focused(chromium) == "Check an address")
        press(chromium, Keys.TAB, services[0].url, Keys.TAB, "new.proxysync-test.example")
        eventually(lambda: "kept out of NPM" in text_of(chromium, ".verdict"))
        assert f"Port {services[0].port} is not" in text_of(chromium, '[data-step="tcp"]')
        services[0].start()
        tab_to(chromium, "Check now")
        press(chromium, Keys.ENTER)
        eventually(lambda: "This can work." in text_of(chromium, ".verdict"))
        assert "passed" in text_of(chromium, '[data-step="http"]')
        tab_to(chromium, "Add to the file")
        press(chromium, Keys.ENTER)
        eventually(lambda: "new is in the file, and live." in text_of(chromium, "main"))
        tab_to(chromium, "new")
        press(chromium, Keys.ENTER)
        eventually(lambda: "in sync" in text_of(chromium, ".marks"))
        assert chromium.execute_script("return window.isSamePage")
        refused = [entry for entry in complaints(chromium) if "401" not in entry["message"]]
        assert refused == []
