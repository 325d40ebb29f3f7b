"""Who does things in a random history: daemon, shells, hands in NPM, and NPM's own accidents."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import requests

from tests.by_kind import ByKind, Entry, Key, Row
from tests.world import Npm, World, domain, eventually

ENDS_WITHIN = 60.0
"""Seconds after SIGTERM in which a daemon must have ended: a write under way may take long."""

Number = tuple[str, int]
"""A kind and an id in NPM."""

DROP = "drop the marker of"


class Daemon:
    """`proxysync run`, whatever becomes of it."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._process: subprocess.Popen[bytes] | None = None
        self._silent = 0
        self.log = world.folder / "daemon.log"

    def start(self) -> None:
        with self.log.open("a") as stderr:
            self._silent = stderr.tell()
            self._process = subprocess.Popen(
                [sys.executable, "-m", "proxysync", "run"],
                env=self._world.env,
                cwd=self._world.folder,
                stderr=stderr,
            )

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def terminate(self) -> None:
        """SIGTERM, which must end it with 0, or at once if it has not come to its first word."""
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)
        code = self._process.wait(timeout=ENDS_WITHIN)
        if code == -signal.SIGTERM and self.log.stat().st_size == self._silent:
            return
        assert code == 0, f"the daemon ended with {code} on SIGTERM"

    def check(self) -> None:
        """Fails if it has ended by itself, or has shown a traceback."""
        assert self._process is not None
        code = self._process.poll()
        assert code is None, f"the daemon has ended by itself with {code}"
        assert "Traceback" not in self.log.read_text(), "the daemon showed a traceback"


class Shells:
    """Commands beside the daemon, several at a time; each one's end is looked at."""

    MOST = 3

    def __init__(self, world: World, say: Callable[[str], None]) -> None:
        self._world = world
        self._say = say
        self._running: list[tuple[str, subprocess.Popen[bytes], Path]] = []
        self._count = 0

    def start(self, *words: str, state: Path | None = None, most: int = MOST) -> None:
        self.collect(most - 1)
        self._count += 1
        output = self._world.folder / f"shell-{self._count}.log"
        env = dict(self._world.env)
        if state is not None:
            env["PROXYSYNC_STATE_DIR"] = str(state)
        with output.open("wb") as file:
            process = subprocess.Popen(
                [sys.executable, "-m", "proxysync", *words],
                env=env,
                cwd=self._world.folder,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=file,
            )
        self._running.append((f"shell {self._count} ({' '.join(words)})", process, output))

    def kill_one(self) -> str:
        if not self._running:
            return "no shell to kill"
        name, process, _ = self._running.pop()
        process.kill()
        process.wait()
        return f"killed {name}"

    def collect(self, left: int = 0) -> None:
        """Waits until no more than `left` run; each must have ended by itself, with 0 or 1."""
        ended = [item for item in self._running if item[1].poll() is not None]
        while self._running and (len(self._running) > left or ended):
            item = ended.pop(0) if ended else self._running[0]
            self._running.remove(item)
            name, process, output = item
            code = process.wait(timeout=240)
            text = output.read_text()
            last = text.strip().splitlines()[-1:] or [""]
            self._say(f"    {name} ended with {code}: {last[0][:160]}")
            assert "Traceback" not in text, text
            assert code in (0, 1), text

    def stop(self) -> None:
        while self._running:
            self.kill_one()


class Hands:
    """Somebody at NPM's web page. While NPM is away, nothing comes of it.

    `state` is the id of the daemon's state folder; `foreign` are the objects of strangers as they
    made them, each with its kind.
    """

    def __init__(self, npm: Npm, kinds: Mapping[str, ByKind]) -> None:
        self._npm = npm
        self._kinds = kinds
        self.state: str | None = None
        self.foreign: dict[Number, Row] = {}
        self._failed: list[tuple[str, Any]] = []

    def rows(self, name: str) -> list[Row]:
        """What the tests have of a kind in NPM, but for what belongs to strangers."""
        rows = self._kinds[name].rows(self._npm)
        return [row for row in rows if (name, row["id"]) not in self.foreign]

    def find(self, key: Key, entry: Entry) -> Row | None:
        """The object of an entry; never one of a stranger, whatever it holds."""
        kind = self._kinds[key[0]]
        for row in self.rows(key[0]):
            marker = row.get("meta", {}).get("proxysync") or {}
            if marker.get("canary"):
                continue
            # A kind that keeps no marker may carry that of a name it had long ago.
            known = marker and kind.kind.keeps_marker
            if marker.get("name") == key[1] if known else kind.has_place_of(row, entry):
                return row
        return None

    def act(self, rng: Random, deed: str, key: Key, entry: Entry) -> str:
        """Does it to the object of this entry; how NPM took it."""
        try:
            row = self.find(key, entry)
            if row is None:
                return "there is no such object"
            if deed == "delete" and self._opens_guarded(key[0], row):
                return "NPM would open a guarded site"
            if deed == DROP and self._belongs_to_another(row):
                return "it is another state folder's, and stays"
            return str(self._do(rng, deed, self._kinds[key[0]], row).status_code)
        except requests.RequestException as error:
            return f"NPM is away ({type(error).__name__})"
        except AssertionError as error:
            return f"NPM is broken ({str(error)[:60]})"

    def _do(self, rng: Random, deed: str, kind: ByKind, row: Row) -> requests.Response:
        path = f"{kind.path}/{row['id']}"
        if deed == "delete":
            return self._npm.api("DELETE", path)
        if deed in ("disable", "enable"):
            # NPM's page offers only the one that there is to do.
            return self._npm.api("POST", f"{path}/{'disable' if row['enabled'] else 'enable'}")
        return self._npm.api("PUT", path, self._payload(rng, deed, kind, row))

    def _opens_guarded(self, name: str, row: Row) -> bool:
        """Whether a guarded site is behind it: when a list is deleted, NPM serves such sites to all
        until somebody writes them.
        """
        if self._kinds[name].kind.is_host:
            return False
        return any(
            host[f"{name}_id"] == row["id"]
            for kind in self._kinds.values()
            if name in kind.refers.values()
            for fixed, entry in kind.fixed().items()
            if fixed in kind.guarded
            for host in kind.rows(self._npm)
            if kind.has_place_of(host, entry)
        )

    def _belongs_to_another(self, row: Row) -> bool:
        """Whether another state folder wrote it: without its marker nobody could know it again."""
        return (row["meta"].get("proxysync") or {}).get("state") != self.state

    def _payload(self, rng: Random, deed: str, kind: ByKind, row: Row) -> Mapping[str, Any]:
        if deed == "edit":
            return rng.choice(kind.hand_edits(rng, row))
        return {"meta": {}} if deed == DROP else kind.form(row)

    def add_foreign(self, name: str, place: Any) -> str:
        kind = self._kinds[name]
        self._failed.append((name, place))  # NPM may have made it though it says otherwise
        try:
            made = self._npm.call("POST", kind.path, kind.foreign(place))
            row = dict(self._npm.call("GET", f"{kind.path}/{made['id']}{kind.kind.query}"))
        except requests.RequestException as error:
            return f"NPM is away ({type(error).__name__})"
        except AssertionError as error:
            return f"refused ({str(error)[-80:]})"
        self.foreign[name, row["id"]] = row
        self._failed.pop()
        return f"{kind.kind.label} {row['id']}"

    def remove_foreign(self, number: Number) -> str | None:
        """How NPM took it; None if the object is still there."""
        kind = self._kinds[number[0]]
        try:
            status = self._npm.api("DELETE", f"{kind.path}/{number[1]}").status_code
            # With a broken nginx NPM answers 500, and the object is gone all the same.
            if any(row["id"] == number[1] for row in kind.rows(self._npm)):
                return None
        except (requests.RequestException, AssertionError):
            return None
        self.foreign.pop(number, None)
        return str(status)

    def remove_leftovers(self) -> None:
        """Takes away what NPM made for strangers though it answered with an error."""
        for name, place in self._failed:
            kind = self._kinds[name]
            for row in self.rows(name):
                if not row.get("meta", {}).get("proxysync") and kind.has_place_of(
                    row, {kind.place: kind.as_place([place])}
                ):
                    self._npm.call("DELETE", f"{kind.path}/{row['id']}")

    def assert_foreign_untouched(self) -> None:
        """Compares what strangers have with what it was; what was adopted is ours."""
        rows = {(n, row["id"]): row for n, k in self._kinds.items() for row in k.rows(self._npm)}
        for number, before in list(self.foreign.items()):
            row = rows.get(number)
            assert row is not None, f"{number} of a stranger is gone: {before}"
            if "proxysync" in row.get("meta", {}) and "proxysync" not in before.get("meta", {}):
                del self.foreign[number]
                continue
            assert _lasting(row) == _lasting(before), f"{number} of a stranger was changed"


def _lasting(row: Row) -> Row:
    # A test of nginx by whomever may say that a host is (not) online; it changes nothing else.
    meta = {k: v for k, v in row.get("meta", {}).items() if not k.startswith("nginx_")}
    return {**row, "meta": meta}


@dataclass
class Accidents:
    """What befalls NPM besides its API; each is None or does nothing where it cannot be had.

    `data` is the folder that NPM sees as /data; `kill` and `start` are shell commands.
    """

    npm: Npm
    kinds: Mapping[str, ByKind]
    data: Path | None
    kill: str | None
    start: str | None

    @classmethod
    def of(
        cls, npm: Npm, kinds: Mapping[str, ByKind], environ: Mapping[str, str] = os.environ
    ) -> "Accidents":
        data = environ.get("PROXYSYNC_TEST_NPM_DATA")
        return cls(
            npm,
            kinds,
            Path(data) if data else None,
            environ.get("PROXYSYNC_TEST_NPM_KILL"),
            environ.get("PROXYSYNC_TEST_NPM_START"),
        )

    @property
    def can_break_nginx(self) -> bool:
        return self.data is not None or self.npm.sandbox is not None

    @property
    def can_kill(self) -> bool:
        return bool(self.kill and self.start)

    def break_nginx(self) -> None:
        if self.npm.sandbox is not None:
            self.npm.sandbox.break_nginx("unknown directive")
        else:
            self._broken.write_text("this breaks it on;\n")

    def mend_nginx(self) -> None:
        if self.npm.sandbox is not None:
            self.npm.sandbox.mend_nginx()
        elif self.data is not None:
            self._broken.unlink(missing_ok=True)

    def remove_ghosts(self) -> list[str]:
        """Takes away the files of hosts that NPM has deleted: a write that meets a deletion of
        somebody else, or a kill in the middle of one, leaves them, and no call of the API can
        remove them. Their names.
        """
        if self.data is None:
            return []
        ghosts = []
        for kind in (kind for kind in self.kinds.values() if kind.kind.is_host):
            ids = {row["id"] for row in self.npm.call("GET", kind.path)}
            folder = self.data / "nginx" / kind.files
            ghosts += [p for p in folder.glob("*.conf") if int(p.stem) not in ids]
        for path in ghosts:
            path.unlink()
        eventually(self._reload)
        return [f"{path.parent.name}/{path.name}" for path in ghosts]

    def _reload(self) -> bool:
        """Has NPM reload nginx by a host that goes again; a write beside it may end in a 500."""
        new = {"domain_names": [domain("reload")], "forward_host": "127.0.0.1", "forward_port": 9}
        made = self.npm.api("POST", "/nginx/proxy-hosts", {**new, "forward_scheme": "http"})
        for row in self.npm.call("GET", "/nginx/proxy-hosts"):
            if domain("reload") in row["domain_names"]:
                self.npm.api("DELETE", f"/nginx/proxy-hosts/{row['id']}")
        return made.status_code < 300

    def kill_npm(self) -> None:
        assert self.kill is not None
        subprocess.run(self.kill, shell=True, check=False, timeout=60, capture_output=True)

    def start_npm(self) -> None:
        """Starts it and waits until it answers."""
        assert self.start is not None
        subprocess.run(self.start, shell=True, check=True, timeout=120, capture_output=True)
        end = time.monotonic() + 60
        while not self._is_up():
            assert time.monotonic() < end, "NPM does not come up again"
            time.sleep(0.1)

    def _is_up(self) -> bool:
        try:
            return self.npm.api("GET", "/").status_code == 200
        except requests.RequestException:
            return False

    @property
    def _broken(self) -> Path:
        assert self.data is not None
        folder = self.data / "nginx" / "custom"
        folder.mkdir(parents=True, exist_ok=True)
        return folder / "http_top.conf"
