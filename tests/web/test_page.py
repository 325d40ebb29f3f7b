"""The status page, in a real browser where there is one."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from selenium.webdriver import Chrome

from proxysync.demo.services import DemoService
from tests.web.conftest import TOKEN, Api, api_of
from tests.world import World, eventually
from tools.browser import browser, missing

STATIC = Path(__file__).parents[2] / "proxysync" / "web" / "static"


@pytest.fixture
def chromium(tmp_path: Path) -> Iterator[Chrome]:
    if found := missing():
        pytest.skip(found)
    with browser(tmp_path / "profile") as driver:
        yield driver


def text_of(driver: Chrome, selector: str) -> str:
    """What stands there; empty where nothing does."""
    found = driver.execute_script(
        "return document.querySelector(arguments[0])?.innerText ?? ''", selector
    )
    return str(found)


def row(driver: Chrome, name: str) -> str:
    """What the list says of an entry."""
    return text_of(driver, f'.row:has(a[href="#/proxy/{name}"])')


def problems(driver: Chrome) -> list[Any]:
    """What the browser complains of, violations of the policy included."""
    found: list[Any] = driver.get_log("browser")  # type: ignore[no-untyped-call]
    return [entry for entry in found if entry["level"] == "SEVERE"]


def test_files_are_sent_whole_strict_and_without_a_token(small_world: World) -> None:
    small_world.write({})
    with api_of(small_world, PROXYSYNC_API_TOKEN=TOKEN) as api:
        session = requests.Session()
        session.trust_env = False
        page = session.get(f"{api.url}/", timeout=10)
        assert page.headers["Content-Type"] == "text/html; charset=utf-8"
        assert "unsafe" not in page.headers["Content-Security-Policy"]
        assert " style=" not in page.text
        for file in STATIC.iterdir():
            sent = session.get(f"{api.url}/static/{file.name}", timeout=10)
            assert sent.content == file.read_bytes()
            again = {"If-None-Match": sent.headers["ETag"]}
            answer = session.get(f"{api.url}/static/{file.name}", headers=again, timeout=10)
            assert (answer.status_code, answer.content) == (304, b"")
        for path in ("/static/..%2fguard.py", "/static/%2e%2e/guard.py", "/static/no.js"):
            assert session.get(f"{api.url}{path}", timeout=10).status_code == 404
        assert session.get(f"{api.url}/api/resources", timeout=10).status_code == 401


def test_a_service_dies_and_the_page_says_so(
    chromium: Chrome, api: Api, services: list[DemoService]
) -> None:
    chromium.get(f"{api.url}/")
    eventually(lambda: "healthy" in row(chromium, "one"))
    eventually(lambda: "blocked" in row(chromium, "dead"))
    eventually(lambda: "1 entry needs attention" in text_of(chromium, "h1"))
    assert "Port 9 is not accepting connections." in text_of(chromium, ".troubles")
    chromium.execute_script("window.isSamePage = true; document.querySelector('#search').focus()")

    services[0].stop()
    eventually(lambda: "unhealthy" in row(chromium, "one"))
    eventually(lambda: "one unhealthy: " in text_of(chromium, ".troubles"))
    eventually(lambda: "one is unhealthy" in text_of(chromium, "#announcer"))
    assert chromium.execute_script(
        "return window.isSamePage && document.activeElement.id === 'search'"
    )
    assert problems(chromium) == []
