"""A YAML file becomes working reverse proxies, changes, drifts and comes back."""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from importlib.util import find_spec
from pathlib import Path
from signal import SIGTERM
from typing import Any

from proxysync.demo.services import DemoService, WebPage, visit
from proxysync.model.errors import ProxysyncError
from proxysync.sandbox import Sandbox

IDENTITY = "admin@example.com"
SECRET = "changeme"  # noqa: S105 - of a sandbox that lives for a minute
EXTRA = ("prometheus_client", "starlette", "uvicorn")
"""What the API needs beside proxysync itself: the extra `web`."""

GIVE_UP_AFTER = 30.0
"""Seconds that a step may take before the demo gives up."""


class Demo:
    """A sandbox, a folder with the file, and the real program as processes."""

    def __init__(self, folder: Path, npm: Sandbox, say: Callable[[str], object]) -> None:
        self.file = folder / "proxies.yaml"
        self.npm = npm
        self.say = say
        self.environment = {
            **{k: v for k, v in os.environ.items() if not k.startswith("PROXYSYNC_")},
            "PROXYSYNC_FILE": str(self.file),
            "PROXYSYNC_STATE_DIR": str(folder / "state"),
            "PROXYSYNC_NPM_URL": npm.url,
            "PROXYSYNC_NPM_IDENTITY": IDENTITY,
            "PROXYSYNC_NPM_SECRET": SECRET,
            "NO_PROXY": "127.0.0.1",
        }
        self._log = folder / "daemon.log"

    def title(self, text: str) -> None:
        self.say(f"\n▶ {text}")

    def show(self, text: str) -> None:
        self.say("\n".join(f"    {line}" for line in text.rstrip().splitlines()))

    def write(self, text: str) -> None:
        """Saves the file as editors do: a new file, renamed over the old one."""
        new = self.file.with_suffix(".new")
        new.write_text(text)
        new.replace(self.file)

    def serve(self, services: Mapping[str, DemoService]) -> None:
        """Saves a file in which each of these has the domain of its name."""
        self.write(_file(services, self.npm.sites_url))

    def run(self, *words: str) -> None:
        """Runs a command of proxysync and shows what it prints."""
        self.say(f"  $ proxysync {' '.join(words)}")
        done = subprocess.run(  # noqa: S603
            [sys.executable, "-m", "proxysync", *words],
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=GIVE_UP_AFTER,
        )
        self.show(done.stdout + done.stderr)

    @contextmanager
    def daemon(self, *, listen: bool) -> Iterator["subprocess.Popen[bytes]"]:
        """`proxysync run` in the background, ended by SIGTERM; with `listen` it serves the page."""
        api = {"PROXYSYNC_LISTEN": "127.0.0.1:0"} if listen else {}
        with self._log.open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "proxysync", "run"],
                env={**self.environment, **api},
                stderr=log,
            )
            try:
                yield process
            finally:
                process.send_signal(SIGTERM)
                try:
                    process.wait(timeout=10)
                except subprocess.TimeoutExpired:
                    process.kill()

    def until(self, domain: str, wanted: str) -> None:
        """Waits until a visitor of the domain gets this page, and tells how long it took."""
        begin = time.monotonic()
        while (page := visit(self.npm.sites_url, domain)) != wanted:
            if time.monotonic() - begin > GIVE_UP_AFTER:
                raise ProxysyncError(
                    f"the demo waited {GIVE_UP_AFTER:.0f} s for {domain} to answer “{wanted}”, "
                    f"but it answers “{page}”; the daemon's log ends with:\n{self._log_end()}",
                    hint="This is a bug of proxysync; please report it.",
                )
            time.sleep(0.05)
        self.say(f"  ✓ http://{domain}/ answers “{page}” ({time.monotonic() - begin:.1f} s)")

    @property
    def address(self) -> str | None:
        """Where the page is, once the daemon serves it."""
        event = self._find_event("daemon.listening", None, None)
        return event["data"]["address"] if event else None

    def until_event(self, word: str, name: str | None = None, to: str | None = None) -> None:
        """Waits until the daemon has recorded such an event, and shows it."""
        begin = time.monotonic()
        while (event := self._find_event(word, name, to)) is None:
            if time.monotonic() - begin > GIVE_UP_AFTER:
                raise ProxysyncError(f"the demo timed out waiting for {word}:\n{self._log_end()}")
            time.sleep(0.05)
        self.say(f"  ✓ {event['message']} ({time.monotonic() - begin:.1f} s)")

    def _find_event(self, word: str, name: str | None, to: str | None) -> dict[str, Any] | None:
        path = self.file.parent / "state" / "events.jsonl"
        lines = path.read_text().splitlines(keepends=True) if path.exists() else []
        for event in (json.loads(line) for line in lines if line.endswith("\n")):
            about = name is None or event["name"] == name
            if event["event"] == word and about and (to is None or event["data"]["to"] == to):
                return dict(event)
        return None

    def _log_end(self) -> str:
        return "\n".join(self._log.read_text().splitlines()[-5:])


def run_scenario(say: Callable[[str], object], *, keep: bool = False) -> None:
    """Tells the whole story; with `keep`, leaves all running until interrupted.

    Raises ProxysyncError if a step does not come true.
    """
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="proxysync-demo-")))
        npm = stack.enter_context(Sandbox(identity=IDENTITY, secret=SECRET))
        services = {
            name: DemoService(f"hello from {name}")
            for name in ("blog", "wiki", "new-wiki", "shop", "late")
        }
        for service in services.values():
            stack.callback(service.stop)
        demo = Demo(folder, npm, say)
        _tell(demo, services, keep=keep)
    say("\nEverything is stopped and removed again. Next: docs/getting-started.md.")


def _tell(demo: Demo, services: dict[str, DemoService], *, keep: bool) -> None:
    page = WebPage(demo.npm.url, IDENTITY, SECRET)
    demo.title("A sandbox stands in for NPM; somebody already has a host in it")
    page.add_host("old.example.test", services["shop"].start().port)
    before = page.hosts()
    demo.say(f"  NPM at {demo.npm.url}, its sites at {demo.npm.sites_url}: old.example.test")

    demo.title("Two services, and a file that says where they should be found")
    services["blog"].start()
    services["wiki"].start()
    demo.serve({"blog": services["blog"], "wiki": services["wiki"]})
    demo.show(demo.file.read_text())
    demo.run("plan")

    demo.title("The daemon makes NPM match the file")
    listens = keep and all(map(find_spec, EXTRA))
    with demo.daemon(listen=listens) as process:
        if listens:
            demo.until_event("daemon.listening")
        elif keep:
            demo.say("  There is a page, too, after: pip install '.[web]'")
        demo.until("blog.example.test", "hello from blog")
        demo.until("wiki.example.test", "hello from wiki")

        demo.title("An edit goes live: the wiki moves to another port")
        services["new-wiki"].start()
        demo.write(
            _file({"blog": services["blog"], "wiki": services["new-wiki"]}, demo.npm.sites_url)
        )
        demo.until("wiki.example.test", "hello from new-wiki")

        demo.title("Somebody points the blog elsewhere in NPM; the drift is put right")
        page.change_host("blog.example.test", {"forward_port": services["shop"].port})
        demo.until("blog.example.test", "hello from shop")
        demo.until("blog.example.test", "hello from blog")

        _tell_of_trouble(demo, services)

        demo.title("In the end")
        demo.run("plan")
        untouched = [host for host in page.hosts() if host in before] == before
        demo.say(f"  old.example.test is {'as it was' if untouched else 'CHANGED'}")
        if not untouched:
            raise ProxysyncError("the demo found a foreign host changed", hint="This is a bug.")
        if keep:
            _stay(demo)
    demo.say(f"  the daemon ended with exit code {process.returncode}")


def _tell_of_trouble(demo: Demo, services: Mapping[str, DemoService]) -> None:
    """A service that is not there yet, and one that dies."""
    demo.title("Two new entries, but one's service is not running: only that one is blocked")
    entries = {"blog": "blog", "wiki": "new-wiki", "shop": "shop", "late": "late"}
    demo.write(
        _file({name: services[service] for name, service in entries.items()}, demo.npm.sites_url)
    )
    demo.until("shop.example.test", "hello from shop")
    demo.until_event("proxy.blocked")
    demo.run("status")

    demo.title("Its service starts: it goes live at the next try, without an edit")
    services["late"].start()
    demo.until("late.example.test", "hello from late")

    demo.title("A service that is live dies; the daemon notices, and hears of its return")
    services["shop"].stop()
    demo.until_event("health.changed", name="shop", to="unhealthy")
    demo.run("status")
    services["shop"].start()
    demo.until_event("health.changed", name="shop", to="healthy")
    demo.run("status", "shop")


def _stay(demo: Demo) -> None:
    demo.title("It keeps running; Ctrl-C ends it. In another terminal:")
    names = [name for name in demo.environment if name.startswith("PROXYSYNC_")]
    if demo.address:
        demo.show(f"# the page: {demo.address}/")
    demo.show("\n".join(f"export {name}={demo.environment[name]}" for name in names))
    demo.show(f"$EDITOR {demo.file}")
    demo.show(f"curl -H 'Host: blog.example.test' {demo.npm.sites_url}")
    try:
        while True:
            time.sleep(3600)
    except KeyboardInterrupt:
        demo.say("")


def _file(services: Mapping[str, DemoService], sites_url: str) -> str:
    lines = ["version: 1", "settings:", "  resync_interval: 2s", "  health: {interval: 1s}"]
    lines += [f"  verify: {{url: {sites_url}}}", "proxies:"]
    for name, service in services.items():
        lines += [
            f"  {name}:",
            f"    domains: [{name}.example.test]",
            f"    upstream: {service.url}",
        ]
    return "\n".join(lines) + "\n"
