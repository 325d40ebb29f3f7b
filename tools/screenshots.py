"""Takes the pictures of the status page: `python -m tools.screenshots`.

A small house on the sandbox: a daemon, and services of which some do not run. What it would take
months to see, the bars of 90 days, is written into its state.
"""

import os
import random
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from signal import SIGTERM
from typing import Any

import requests
from selenium.webdriver import Chrome

from proxysync.demo.scenario import IDENTITY, SECRET
from proxysync.demo.services import DemoService, WebPage
from proxysync.model.clock import to_text
from proxysync.sandbox import Sandbox
from tools.browser import Scheme, browser, prefer, resize

IMAGES = Path(__file__).parents[1] / "docs" / "images"
SHOWN_AT = "10.0.0.5"
DAY = 86400
QUANTIZER = "pngquant"
PORTS = {
    "media": 8096,
    "photos": 2283,
    "wiki": 3000,
    "cloud": 8081,
    "vault": 8082,
    "git": 3001,
    "home": 8123,
    "grafana": 3002,
    "paper": 8000,
    "feeds": 8083,
}
"""What runs in the house, with the ports under which a reader sees it."""

DOWN = "paper"
"""What has gone down after it was live."""

BLOCKED = "feeds"
"""What never ran."""

GOOD = {"photos": 0.97, "cloud": 0.93, "home": 0.98, "paper": 0.96, "git": 0.99}
"""How likely a day without a failed check is; 1 for what is not named."""


@dataclass(frozen=True)
class House:
    """What is running; `url` is the page's."""

    folder: Path
    services: Mapping[str, DemoService]
    url: str

    def ask(self, path: str) -> Any:
        return requests.get(self.url + path, timeout=30).json()


@contextmanager
def house(folder: Path) -> Iterator[House]:
    """The house as the pictures show it."""
    with ExitStack() as stack:
        npm = stack.enter_context(Sandbox(identity=IDENTITY, secret=SECRET))
        services = {name: DemoService(f"hello from {name}") for name in PORTS}
        for name, service in services.items():
            stack.callback(service.stop)
            if name != BLOCKED:
                service.start()
        WebPage(npm.url, IDENTITY, SECRET).add_host("printer.example.com", services["media"].port)
        (folder / "proxies.yaml").write_text(_file(services, npm.sites_url, often=PORTS))
        with _daemon(folder, npm.url) as url:
            found = House(folder, services, url)
            _until(found, lambda entry: entry["name"] == BLOCKED or entry["health"] == "healthy")
        _invent_days(folder / "state" / "state.db")
        services[DOWN].stop()
        (folder / "proxies.yaml").write_text(_file(services, npm.sites_url, often=(DOWN,)))
        with _daemon(folder, npm.url):
            _until(found, lambda entry: entry["name"] != DOWN or entry["health"] == "unhealthy")
            yield found


def _file(services: Mapping[str, DemoService], sites_url: str, *, often: Collection[str]) -> str:
    lines = ["version: 1", "settings:", "  health: {failure_threshold: 1}"]
    lines += [f"  verify: {{url: {sites_url}}}", "proxies:"]
    for name, service in services.items():
        lines += [
            f"  {name}:",
            f"    domains: [{name}.example.com]",
            f"    upstream: {service.url}",
        ]
        lines += ["    health: {interval: 1s}"] if name in often else []
    lines += ["redirections:", "  old-wiki:", "    domains: [old.example.com]"]
    lines += ["    to: https://wiki.example.com"]
    return "\n".join(lines) + "\n"


@contextmanager
def _daemon(folder: Path, npm_url: str) -> Iterator[str]:
    env = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "PROXYSYNC_FILE": str(folder / "proxies.yaml"),
        "PROXYSYNC_STATE_DIR": str(folder / "state"),
        "PROXYSYNC_NPM_URL": npm_url,
        "PROXYSYNC_NPM_IDENTITY": IDENTITY,
        "PROXYSYNC_NPM_SECRET": SECRET,
        "PROXYSYNC_LISTEN": "127.0.0.1:8097",
        "PROXYSYNC_API_VALIDATE_LOCAL": "1",
    }
    command = [sys.executable, "-m", "proxysync", "run"]
    with (folder / "daemon.log").open("wb") as log:
        process = subprocess.Popen(command, env=env, stderr=log)  # noqa: S603
        try:
            yield "http://127.0.0.1:8097"
        finally:
            process.send_signal(SIGTERM)
            process.wait(timeout=20)


def _until(found: House, is_so: Callable[[dict[str, Any]], bool]) -> None:
    """Waits until each proxy is as it is to be shown."""
    end = time.monotonic() + 60
    while time.monotonic() < end:
        with suppress(requests.ConnectionError):
            proxies = found.ask("/api/proxies")["proxies"]
            if len(proxies) == len(PORTS) and all(map(is_so, proxies)):
                return
        time.sleep(0.2)
    raise TimeoutError((found.folder / "daemon.log").read_text()[-2000:])


def _invent_days(state: Path) -> None:
    """Three months of daily figures, and a day of checks, as a house has that ran so long."""
    chance = random.Random(7)  # noqa: S311 - the same pictures each time
    now = int(time.time())
    with closing(sqlite3.connect(state, timeout=20)) as database, database:
        rows = database.execute("SELECT id, name FROM health").fetchall()
        for health_id, name in rows:
            usual = chance.randrange(8, 120)
            for day in range(1, 90):
                bad = 0 if chance.random() < GOOD.get(name, 1.0) else chance.choice((1, 2, 9, 40))
                figures = (health_id, "day", now // DAY * DAY - day * DAY, 288, 288 - bad)
                database.execute(
                    "INSERT OR REPLACE INTO check_figures VALUES (?, ?, ?, ?, ?, ?, ?)",
                    (*figures, usual, usual * 3),
                )
            database.execute("DELETE FROM check_result WHERE health_id = ?", (health_id,))
            database.execute("DELETE FROM uptime_period WHERE health_id = ?", (health_id,))
            _invent_checks(database, health_id, usual, now, chance)
            _invent_uptime(database, health_id, 1 - GOOD.get(name, 1.0), now)


def _invent_checks(
    database: sqlite3.Connection, health_id: int, usual: int, now: int, chance: random.Random
) -> None:
    for number in range(1, 288):
        latency = usual * chance.uniform(0.7, 1.3) * (4 if chance.random() < 0.02 else 1)
        row = (health_id, (now - number * 300) * 1000, 1, round(latency))
        database.execute("INSERT OR REPLACE INTO check_result VALUES (?, ?, ?, ?)", row)
    since = to_text(datetime.fromtimestamp(now - chance.randrange(2, 60) * DAY, UTC))
    changed = (since, usual, health_id)
    database.execute("UPDATE health SET since = ?, latency_ms = ? WHERE id = ?", changed)


def _invent_uptime(database: sqlite3.Connection, health_id: int, down: float, now: int) -> None:
    out = 9 * DAY - DAY * down / 2
    for begin, end, ok in ((30 * DAY, 9 * DAY, 1), (9 * DAY, out, 0), (out, 0, 1)):
        row = (health_id, int(now - begin) * 1000, int(now - end) * 1000, 300_000, ok)
        database.execute("INSERT OR REPLACE INTO uptime_period VALUES (?, ?, ?, ?, ?)", row)


def take(driver: Chrome, found: House, path: str, name: str, scheme: Scheme, width: int) -> None:
    """One picture of one view, as wide as that and as high as what is worth a look."""
    resize(driver, width, 960 if width > 600 else 800)
    prefer(driver, scheme)
    driver.get("about:blank")
    driver.get(f"{found.url}/{path}")
    _wait_for_view(driver)
    ports = {str(found.services[name].port): str(port) for name, port in PORTS.items()}
    driver.execute_script(AS_READ, ports, SHOWN_AT, str(found.folder))
    file = IMAGES / f"{name}.png"
    driver.save_screenshot(str(file))
    subprocess.run(  # noqa: S603
        [QUANTIZER, "--force", "--speed", "1", "--strip", "--output", str(file), "256", str(file)],
        check=True,
    )


AS_READ = """
const [ports, shownAt, folder] = arguments;
const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
while (walk.nextNode()) {
  let text = walk.currentNode.data.replaceAll(folder, "/etc/proxysync");
  for (const [from, to] of Object.entries(ports))
    text = text
      .replaceAll(`127.0.0.1:${from}`, `${shownAt}:${to}`)
      .replaceAll(`Port ${from}`, `Port ${to}`);
  if (text !== walk.currentNode.data) walk.currentNode.data = text;
}
"""
"""Addresses and folders, which differ each time, replaced by such as a reader has."""


def _wait_for_view(driver: Chrome) -> None:
    end = time.monotonic() + 20
    while time.monotonic() < end:
        if driver.execute_script(
            "return !!document.querySelector('.bars, .run, .events.wide li, .steps, .table')"
        ):
            time.sleep(0.5)  # what is read after it
            return
        time.sleep(0.1)
    raise TimeoutError(driver.title)


SHOTS: tuple[tuple[str, str, Scheme, int], ...] = (
    ("", "status-page", "light", 1440),
    ("", "status-page-dark", "dark", 1440),
    ("", "status-page-phone", "light", 390),
    ("#/proxy/paper", "status-page-entry", "light", 1100),
)

if __name__ == "__main__":
    IMAGES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, house(Path(folder)) as running:
        with browser(Path(folder) / "profile") as started:
            for shot in SHOTS:
                take(started, running, *shot)
        if "--keep" in sys.argv:
            print(running.url)
            time.sleep(86400)
