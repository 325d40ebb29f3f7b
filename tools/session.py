"""Records the terminal session of the README: `python -m tools.session`.

The commands run as they are shown, on the sandbox. Addresses and times, which differ each time, are
replaced by such as a reader has.
"""

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from proxysync.demo.scenario import IDENTITY, SECRET
from proxysync.demo.services import DemoService, WebPage, visit
from proxysync.sandbox import Sandbox

README = Path(__file__).parents[1] / "README.md"
BLOCK = re.compile(r"(<!-- session -->\n).*?(<!-- end -->)", re.DOTALL)

SERVICES = {"blog": 8080, "wiki": 3000, "media": 8096, "photos": 2283}
"""What the session is about, with the ports under which a reader sees them."""

SHOWN_AT = "10.0.0.5"
COLUMNS = "120"
EDITOR = "$ $EDITOR proxies.yaml    # media and photos are new, and wiki gets a typo\n"
EDIT = """\
    advanced_config: client_max_bodysize 10g;
  media:
    domains: [media.example.com]
    upstream: {media}
  photos:
    domains: [photos.example.com]
    upstream: {photos}
"""
"""What is added to the imported file, which ends with `wiki`."""

Runner = Callable[..., str]
"""Runs proxysync with these words, and returns what it prints: stdout, then stderr."""


def record(runner: Runner, file: Path, npm: Sandbox) -> str:
    """The session as text, with this file, which is not there yet."""
    with _services() as services:
        page = WebPage(npm.url, IDENTITY, SECRET)
        for name in ("blog", "wiki"):
            page.add_host(f"{name}.example.com", services[name].start().port)
        services["media"].start()
        urls = {name: service.url for name, service in services.items()}
        shown = [_said(runner, "import", "-o", str(file)), _said(runner, "adopt", "--all", "--yes")]
        _edit(file, npm.sites_url, urls)
        shown += [EDITOR, _said(runner, "apply", "--yes"), _said(runner, "status")]
        shown += [f"$ curl http://wiki.example.com/\n{visit(npm.sites_url, 'wiki.example.com')}\n"]
    text = "\n".join(shown).replace(f"{file.parent}/", "")
    return _as_read(text, {services[name].port: port for name, port in SERVICES.items()})


@contextmanager
def _services() -> Iterator[dict[str, DemoService]]:
    services = {name: DemoService(f"hello from {name}") for name in SERVICES}
    try:
        yield services
    finally:
        for service in services.values():
            service.stop()


def _said(runner: Runner, *words: str) -> str:
    return f"$ proxysync {' '.join(words)}\n{runner(*words).rstrip()}\n"


def _edit(file: Path, sites_url: str, urls: dict[str, str]) -> None:
    where = f"version: 1\nsettings: {{verify: {{url: {sites_url}}}}}\n"
    imported = file.read_text().replace("version: 1\n", where)
    file.write_text(imported.rstrip() + "\n" + EDIT.format(**urls))


def _as_read(text: str, ports: dict[int, int]) -> str:
    for actual, port in ports.items():
        text = text.replace(f"127.0.0.1:{actual}", f"{SHOWN_AT}:{port}")
        text = text.replace(f"Port {actual}", f"Port {port}")
    # So much shorter is each address, and so has to be the heading above them.
    text = text.replace("UPSTREAM  ", "UPSTREAM")
    return re.sub(r"\b\d+ (ms|s)\b", lambda found: f"1 {found[1]}".ljust(len(found[0])), text)


def rewritten(page: str, session: str) -> str:
    """The page with this session."""
    return BLOCK.sub(lambda block: f"{block[1]}```console\n{session}```\n{block[2]}", page)


def _record_processes() -> str:
    with tempfile.TemporaryDirectory() as name, Sandbox() as npm:
        folder = Path(name)
        env = {
            "PATH": os.environ["PATH"],
            "HOME": name,
            "COLUMNS": COLUMNS,
            "PROXYSYNC_FILE": str(folder / "proxies.yaml"),
            "PROXYSYNC_STATE_DIR": str(folder / "state"),
            "PROXYSYNC_NPM_URL": npm.url,
            "PROXYSYNC_NPM_IDENTITY": IDENTITY,
            "PROXYSYNC_NPM_SECRET": SECRET,
        }

        def run(*words: str) -> str:
            command = [sys.executable, "-m", "proxysync", *words]
            done = subprocess.run(  # noqa: S603
                command, env=env, capture_output=True, text=True, check=False, timeout=60
            )
            return done.stdout + done.stderr

        return record(run, folder / "proxies.yaml", npm)


if __name__ == "__main__":
    README.write_text(rewritten(README.read_text(), _record_processes()))
