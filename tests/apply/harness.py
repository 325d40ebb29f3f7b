"""A sandbox behind a proxy that fails on purpose, and the way back to a prepared moment."""

import copy
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

from proxysync.demo.services import DemoService, visit
from proxysync.sandbox import Sandbox
from proxysync.store.database import open_for_reading
from proxysync.store.state import State
from tests.faults import FaultProxy
from tests.world import Done, Npm, World, domain

MEMORY = Path("/dev/shm")
"""Where writing costs nothing: these tests make thousands of commits, and cut no power."""

SETTINGS: dict[str, Any] = {"validation": {"mode": "off"}}

FOREIGN = ("foreign", "theirs")
"""Hosts of somebody else: one without a marker, one with that of another instance."""


class Checkpoint:
    """A sandbox and a folder as they were at one moment, as often as one wants to go back."""

    def __init__(self, sandbox: Sandbox, folder: Path) -> None:
        self._sandbox = sandbox
        self._folder = folder
        self._copy = Path(tempfile.mkdtemp(dir=folder.parent))
        shutil.copytree(folder, self._copy, dirs_exist_ok=True)
        store = sandbox._store
        self._rows = {name: copy.deepcopy(table._rows) for name, table in store.hosts.items()}
        self._files = dict(store.nginx._files)
        self._serving = store.nginx.serving

    def restore(self) -> None:
        store = self._sandbox._store
        for name, table in store.hosts.items():
            table._rows = copy.deepcopy(self._rows[name])
        store.nginx._files = dict(self._files)
        store.nginx.serving = self._serving
        self._sandbox.writes.clear()
        shutil.rmtree(self._folder)
        shutil.copytree(self._copy, self._folder)


@dataclass
class Harness:
    """proxysync beside an NPM that it reaches through `proxy`; tests look at NPM itself."""

    world: World
    sandbox: Sandbox
    proxy: FaultProxy
    toys: list[DemoService]

    def write(self, proxies: Mapping[str, Any]) -> None:
        self.world.write(proxies, settings=SETTINGS)

    def call(self, *words: str) -> Done:
        """A command in this process; requests reads all of a long environment for each request."""
        with patch.dict(os.environ, clear=True):
            return self.world.call(*words)

    def visit(self, name: str) -> str:
        """What a visitor of the test domain with this name gets."""
        return visit(self.sandbox.sites_url, domain(name))

    def foreign(self) -> list[dict[str, Any]]:
        """The rows of the foreign hosts, all of each."""
        names = {domain(name) for name in FOREIGN}
        return [r for r in self.sandbox.proxy_hosts() if names & set(r["domain_names"])]

    def assert_in_sync(self, entries: Mapping[str, Any]) -> None:
        """Whether NPM holds, and serves, these entries and the foreign hosts, and all is known."""
        plan = self.call("plan", "--format", "json", "--detailed-exitcode")
        assert plan.code == 0, plan.out + plan.err
        foreign = {row["id"] for row in self.foreign()}
        ours = [row for row in self.sandbox.proxy_hosts() if row["id"] not in foreign]
        markers = {row["id"]: row["meta"].get("proxysync") for row in ours}
        ids = {marker["name"]: key for key, marker in markers.items() if marker}
        mark = {"instance": "default", "state": self._state_id()}
        assert markers == {ids[name]: {"name": name, **mark} for name in entries}
        for row in ours:
            name = row["meta"]["proxysync"]["name"]
            self._assert_is(row, {"domains": [domain(name)], **entries[name]})
        self._assert_state(ids)

    def _assert_is(self, row: Mapping[str, Any], entry: Mapping[str, Any]) -> None:
        toy = next(toy for toy in self.toys if toy.url == entry["upstream"])
        enabled = entry.get("enabled", True)
        assert (
            row["domain_names"],
            row["forward_port"],
            row["enabled"],
            row["advanced_config"],
        ) == (entry["domains"], toy.port, enabled, entry.get("advanced_config", ""))
        for name in entry["domains"]:
            assert (visit(self.sandbox.sites_url, name) == toy.text) is enabled, name

    def _state_id(self) -> str:
        database = open_for_reading(self.world.state / "state.db")
        assert database is not None
        try:
            return State(database).id
        finally:
            database.close()

    def _assert_state(self, ids: Mapping[str, int]) -> None:
        database = open_for_reading(self.world.state / "state.db")
        assert database is not None
        try:
            state = State(database)
            applied = state.applied()
            assert {row.name: row.npm_id for row in applied} == ids
            assert [row.name for row in applied if row.unconfirmed] == []
            assert state.failures() == ()
            assert database.query("SELECT * FROM journal WHERE outcome IS NULL") == []
        finally:
            database.close()


@contextmanager
def open_harness() -> Iterator[Harness]:
    """A harness with its foreign hosts; the sandbox's own address is not proxysync's way to it."""
    with ExitStack() as stack:
        parent = MEMORY if MEMORY.is_dir() else None
        top = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=parent)))
        sandbox = stack.enter_context(Sandbox())
        proxy = stack.enter_context(FaultProxy(sandbox.url))
        toys = [DemoService(name).start() for name in ("one", "two", "three")]
        for toy in toys:
            stack.callback(toy.stop)
        npm = Npm(sandbox.url, sandbox.sites_url, "admin@example.com", "changeme", sandbox)
        (top / "world").mkdir()
        world = World(top / "world", npm)
        world.env["PROXYSYNC_NPM_URL"] = proxy.url
        npm.add_host(domain("foreign"), port=toys[0].port, meta={"note": "mine"})
        marker = {"name": "theirs", "instance": "other"}
        npm.add_host(domain("theirs"), port=toys[0].port, meta={"proxysync": marker})
        yield Harness(world, sandbox, proxy, toys)
