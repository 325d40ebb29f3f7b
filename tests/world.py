"""What end-to-end tests stand on: an NPM, services behind it, and proxysync as a process."""

import http.client
import io
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, TypeVar
from unittest.mock import patch
from urllib.parse import urlsplit

import requests
import yaml

from proxysync.cli.main import main
from proxysync.kinds import KINDS
from proxysync.sandbox import Sandbox
from tests import forked

SUFFIX = "proxysync-test.example"
"""All domains that tests make end in this, so that a real NPM can be cleaned of them."""

LIMITED = f"limited@{SUFFIX}"
"""An account of tests that may not see everything."""

HOSTS = "/nginx/proxy-hosts"
HOST = rf"{HOSTS}/\d+"

BAD = "no_such_directive on;"
"""Advanced configuration that nginx refuses."""

PATIENCE = 20.0
"""Seconds that a condition may take to come true."""

RETRY_SOON = """
from proxysync.app import blocking
from proxysync.store import state
state.RETRY = blocking.RETRY = state.Backoff(first=1.0, longest=1.0)
"""
"""Python to run first in a process that is to try blocked entries again each second."""

IMPATIENT = """
from proxysync.apply import site_check
site_check.RELOADED, site_check.GIVE_UP_AFTER, site_check.SERVED_WITHIN = 0.3, 1.0, 3.0
"""
"""Python to run first in a process that waits for what the sandbox's nginx will never serve: it
loads at once what it loads at all, and needs none of the patience that a real one gets."""

T = TypeVar("T")


def eventually(look: Callable[[], T], *, patience: float = PATIENCE) -> T:
    """The first true value of `look`; fails the test after `patience` seconds."""
    end = time.monotonic() + patience
    while not (value := look()):
        assert time.monotonic() < end, f"still {value!r} after {patience} s"
        time.sleep(0.02)
    return value


@contextmanager
def sooner_than(seconds: float) -> Iterator[None]:
    """Fails where the work in it takes as long as it would with the fault that is tested for.

    That is to be much longer than it takes without, for the machine may be busy.
    """
    begin = time.monotonic()
    yield
    took = time.monotonic() - begin
    assert took < seconds, f"it took {took:.1f} s"


def domain(name: str) -> str:
    return f"{name}.{SUFFIX}"


@dataclass
class Npm:
    """An NPM as its users see it: the API as somebody logged in there, and the sites."""

    url: str
    sites_url: str
    identity: str
    secret: str
    sandbox: Sandbox | None = None
    _session: requests.Session = field(default_factory=requests.Session)

    def __post_init__(self) -> None:
        self._session.trust_env = False
        # Each reload of nginx cuts connections that are kept alive.
        self._session.headers["Connection"] = "close"

    def api(self, method: str, path: str, payload: Any = None) -> requests.Response:
        """One request of a logged-in user, whatever its answer."""
        if "Authorization" not in self._session.headers:
            self.log_in()
        return self._session.request(method, f"{self.url}/api{path}", json=payload, timeout=60)

    def log_in(self) -> None:
        answer = self._session.post(
            f"{self.url}/api/tokens",
            json={"identity": self.identity, "secret": self.secret},
            timeout=60,
        )
        self._session.headers["Authorization"] = f"Bearer {answer.json()['token']}"

    def call(self, method: str, path: str, payload: Any = None) -> Any:
        """The JSON of a request that must succeed."""
        answer = self.api(method, path, payload)
        assert answer.status_code < 300, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json()

    @property
    def version(self) -> tuple[int, int, int]:
        """The version that it says it is."""
        told = self.call("GET", "/")["version"]
        return told["major"], told["minor"], told["revision"]

    def hosts(self) -> list[dict[str, Any]]:
        """The rows of the tests' proxy hosts, as a list shows them."""
        rows = self.call("GET", "/nginx/proxy-hosts")
        return [row for row in rows if any(d.endswith(SUFFIX) for d in row["domain_names"])]

    def host(self, name: str) -> dict[str, Any]:
        """The row that carries our marker with this name."""
        marked = [r for r in self.hosts() if r["meta"].get("proxysync", {}).get("name") == name]
        assert len(marked) == 1, f"{len(marked)} hosts are marked {name}"
        return marked[0]

    def add_host(self, *domains: str, port: int = 9, **fields: Any) -> dict[str, Any]:
        """A host made by somebody else; its row as a GET shows it."""
        row = self.call(
            "POST",
            "/nginx/proxy-hosts",
            {
                "domain_names": list(domains),
                "forward_scheme": "http",
                "forward_host": "127.0.0.1",
                "forward_port": port,
                **fields,
            },
        )
        return dict(self.call("GET", f"/nginx/proxy-hosts/{row['id']}"))

    def add_certificate(self, name: str, *domains: str) -> int:
        """A custom certificate with its pair, ready for use; its id."""
        if self.sandbox is not None:
            return self.sandbox.add_certificate(name, list(domains))
        import trustme

        row = self.call("POST", "/nginx/certificates", {"provider": "other", "nice_name": name})
        pair = trustme.CA().issue_cert(*domains)
        answer = self._session.post(
            f"{self.url}/api/nginx/certificates/{row['id']}/upload",
            files={
                "certificate": ("c.pem", pair.cert_chain_pems[0].bytes()),
                "certificate_key": ("k.pem", pair.private_key_pem.bytes()),
            },
            timeout=60,
        )
        assert answer.status_code == 200, answer.text
        return int(row["id"])

    def limit(self, hidden: Iterable[str]) -> None:
        """Has the account LIMITED see all but what these rights are for."""
        rights = dict.fromkeys(hidden, "hidden")
        if self.sandbox is not None:
            accounts = self.sandbox._store.accounts
            users = [user for user in accounts.all() if user.identity == LIMITED]
            if users:
                users[0].permissions = rights
            else:
                self.sandbox.add_user(LIMITED, self.secret, rights, visibility="all")
            return
        every = dict.fromkeys((kind.right for kind in KINDS.values()), "manage")
        found = [user["id"] for user in self.call("GET", "/users") if user["email"] == LIMITED]
        if not found:
            new = {"name": "few", "nickname": "few", "email": LIMITED, "roles": []}
            found = [self.call("POST", "/users", new)["id"]]
            auth = {"type": "password", "secret": self.secret}
            self.call("PUT", f"/users/{found[0]}/auth", auth)
        self.call("PUT", f"/users/{found[0]}/permissions", {"visibility": "all", **every, **rights})

    def visit(self, host: str, path: str = "/") -> tuple[int, str]:
        """Status and text that a visitor of this domain gets."""
        answer = self._visitor().get(
            self.sites_url + path, headers={"Host": host}, timeout=10, allow_redirects=False
        )
        return answer.status_code, answer.text

    def ask(self, where: str) -> str:
        """What a visitor gets from a domain, or from a port as tcp/25565.

        That is a page's text, the status of any other answer and where it leads to, or an error.
        """
        protocol, _, port = where.rpartition("/")
        address = urlsplit(self.sites_url)
        connection = http.client.HTTPConnection(
            address.hostname or "", int(port) if protocol else address.port or 80, timeout=10
        )
        try:
            connection.request("GET", "/", headers={"Host": where, "Connection": "close"})
            answer = connection.getresponse()
            text = answer.read().decode(errors="replace").strip()
        except (OSError, http.client.HTTPException) as error:
            return f"{type(error).__name__}: {error}"
        finally:
            connection.close()
        if answer.status == 200:
            return text
        return f"{answer.status} {answer.headers.get('Location', '')}".strip()

    def clean(self) -> None:
        """Removes what tests have made."""
        self.log_in()
        for collection in ("proxy-hosts", "redirection-hosts", "dead-hosts"):
            for row in self.call("GET", f"/nginx/{collection}"):
                if any(d.endswith(SUFFIX) for d in row["domain_names"]):
                    self.api("DELETE", f"/nginx/{collection}/{row['id']}")
        for row in self.call("GET", "/nginx/streams"):
            if row["forwarding_host"] == "127.0.0.1":
                self.api("DELETE", f"/nginx/streams/{row['id']}")
        for user in self.call("GET", "/users"):
            if user["email"] == LIMITED:
                self.api("DELETE", f"/users/{user['id']}")
        for collection, name in (("access-lists", "name"), ("certificates", "nice_name")):
            for row in self.call("GET", f"/nginx/{collection}"):
                if str(row[name]).endswith(SUFFIX):
                    self.api("DELETE", f"/nginx/{collection}/{row['id']}")

    @staticmethod
    def _visitor() -> requests.Session:
        session = requests.Session()
        session.trust_env = False
        return session


@dataclass
class Done:
    """A command that has ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


class Terminal(io.StringIO):
    """A person's."""

    def isatty(self) -> bool:
        return True


class World:
    """A folder with a file and a state, an NPM, and proxysync run as its users run it."""

    def __init__(self, folder: Path, npm: Npm) -> None:
        self.folder = folder
        self.npm = npm
        self.file = folder / "proxies.yaml"
        self.state = folder / "state"
        self.env = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "PYTHONWARNINGS": "error",
            "PROXYSYNC_FILE": str(self.file),
            "PROXYSYNC_STATE_DIR": str(self.state),
            "PROXYSYNC_NPM_URL": npm.url,
            "PROXYSYNC_NPM_IDENTITY": npm.identity,
            "PROXYSYNC_NPM_SECRET": npm.secret,
        }

    def write(self, proxies: Mapping[str, Any], **top: Any) -> None:
        """Saves a file with these entries; `domains` may be left out for a single one by name."""
        entries = {
            name: {"domains": [domain(name)], **entry} if isinstance(entry, Mapping) else entry
            for name, entry in proxies.items()
        }
        if self.npm.sandbox is not None:
            # Its sites are not on port 80; a test that wants to see them says where they are.
            top["settings"] = {"verify": "off", **top.get("settings", {})}
        self.file.write_text(yaml.safe_dump({"version": 1, **top, "proxies": entries}))

    def command(self, *words: str, first: str = "") -> list[str]:
        """What starts proxysync.

        `first` is Python that runs before it in the same process, to bend the world around it.
        """
        if not first:
            return [sys.executable, "-m", "proxysync", *words]
        start = f"{first}\nfrom proxysync.cli.main import main\nraise SystemExit(main())"
        return [sys.executable, "-c", start, *words]

    def run(
        self,
        *words: str,
        env: Mapping[str, str] | None = None,
        stdin: str = "",
        first: str = "",
        timeout: float = 120.0,
    ) -> Done:
        """A command, to its end; `first` as for `command`."""
        done = subprocess.run(
            self.command(*words, first=first),
            env={**self.env, **(env or {})},
            cwd=self.folder,
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
            timeout=timeout,
        )
        assert "Traceback" not in done.stderr + done.stdout, done.stderr
        return Done(done.returncode, done.stdout, done.stderr)

    def start(
        self,
        *words: str,
        env: Mapping[str, str] | None = None,
        first: str = "",
        stdout: IO[Any] | None = None,
        stderr: IO[Any] | None = None,
    ) -> forked.Process:
        """A command as a process that goes on; `first` as for `forked.start`."""
        whole = {**self.env, **(env or {})}
        return forked.start(
            words, env=whole, cwd=self.folder, first=first, stdout=stdout, stderr=stderr
        )

    def call(
        self,
        *words: str,
        env: Mapping[str, str] | None = None,
        stdin: str = "",
        typed: str | None = None,
    ) -> Done:
        """A command inside this process: the same door, for tests that go through it often.

        `typed` is what a person says at a terminal, where there is one.
        One that is about the process itself, or beside another thread of the test, is `run`.
        """
        out, err = io.StringIO(), io.StringIO()
        source = io.StringIO(stdin) if typed is None else Terminal(typed)
        before = dict(os.environ)
        os.environ.update({**self.env, **(env or {})})
        try:
            with redirect_stdout(out), redirect_stderr(err), patch("sys.stdin", source):
                code = main(words)
        except SystemExit as end:  # of what argparse answers by itself
            code = int(end.code or 0)
        finally:
            os.environ.clear()
            os.environ.update(before)
        assert "Traceback" not in err.getvalue() + out.getvalue(), err.getvalue()
        return Done(code, out.getvalue(), err.getvalue())

    def plan(self) -> Any:
        done = self.call("plan", "--format", "json")
        assert done.code in (0, 1), done.err
        return done.json

    def apply(self, *words: str) -> Any:
        """Applies, which must bring NPM in sync."""
        done = self.call("apply", "--yes", "--format", "json", *words)
        assert done.code == 0, done.out + done.err
        return done.json

    def assert_in_sync(self) -> None:
        """Whether a second plan is empty."""
        plan = self.plan()
        assert plan["changes"] == []
        assert plan["refused"] is None

    def events(self) -> list[dict[str, Any]]:
        """The lines of events.jsonl so far."""
        path = self.state / "events.jsonl"
        text = path.read_text() if path.exists() else ""
        return [json.loads(line) for line in text.splitlines(keepends=True) if line.endswith("\n")]

    def event_names(self, *, name: str | None = None) -> list[str]:
        return [e["event"] for e in self.events() if name is None or e["name"] == name]

    @contextmanager
    def daemon(self, first: str = "", **env: str) -> Iterator[forked.Process]:
        """`proxysync run`; ended by SIGTERM, which must give exit code 0, if it still runs."""
        log = self.folder / "daemon.log"
        with log.open("a") as stderr:
            process = self.start("run", env=env, first=first, stderr=stderr)
            try:
                eventually(lambda: "daemon.started" in self.event_names() or process.poll())
                yield process
                if process.poll() is None:
                    process.send_signal(signal.SIGTERM)
                    assert process.wait(timeout=PATIENCE) == 0, log.read_text()
            finally:
                if process.poll() is None:
                    process.kill()
                    process.wait()
        assert "Traceback" not in log.read_text(), log.read_text()
