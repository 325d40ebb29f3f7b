"""A sandbox behind a proxy that fails on purpose, and the way back to a prepared moment."""

import copy
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from unittest.mock import patch

from proxysync.apply import site_check
from proxysync.demo.services import DemoService
from proxysync.sandbox import Sandbox
from tests.by_kind import Surroundings, free_ports, in_surroundings
from tests.faults import FaultProxy
from tests.scene import Scene, add_foreign
from tests.world import Done, Npm, World

MEMORY = Path("/dev/shm")
"""Where writing costs nothing: these tests make thousands of commits, and cut no power."""

NO_WAIT = {"PAUSE": 0.002, "RELOADED": 0.0}
"""Of `apply.site_check`, for the sandbox loads at once what it loads."""


class Checkpoint:
    """A sandbox and a folder as they were at one moment, as often as one wants to go back."""

    def __init__(self, sandbox: Sandbox, folder: Path) -> None:
        self._sandbox = sandbox
        self._folder = folder
        self._copy = Path(tempfile.mkdtemp(dir=folder.parent))
        shutil.copytree(folder, self._copy, dirs_exist_ok=True)
        store = sandbox._store
        self._tables = (*store.hosts.values(), store.access_lists)
        self._rows = [copy.deepcopy(table._rows) for table in self._tables]
        self._users = copy.deepcopy(store.nginx.users)
        self._files = dict(store.nginx._files)

    def restore(self) -> None:
        store = self._sandbox._store
        for table, rows in zip(self._tables, self._rows, strict=True):
            table._rows = copy.deepcopy(rows)
        store.nginx.users = copy.deepcopy(self._users)
        store.nginx._files = dict(self._files)
        store.nginx.reload()
        self._sandbox.writes.clear()
        shutil.rmtree(self._folder)
        shutil.copytree(self._copy, self._folder)


@dataclass
class Harness(Scene):
    """proxysync beside an NPM that it reaches through `proxy`; tests look at NPM itself."""

    sandbox: Sandbox = field(kw_only=True)
    proxy: FaultProxy = field(kw_only=True)

    @property
    def urls(self) -> tuple[str, ...]:
        """The services that say one, two and three."""
        return next(iter(self.kinds.values())).around.urls

    def call(self, *words: str) -> Done:
        """A command in this process; requests reads all of a long environment for each request."""
        with patch.dict(os.environ, clear=True):
            return self.world.call(*words)


@contextmanager
def open_harness() -> Iterator[Harness]:
    """A harness with foreign proxy hosts; the sandbox's own address is not proxysync's way to it.

    One of them has no marker, the other one that of another instance.
    """
    with ExitStack() as stack:
        parent = MEMORY if MEMORY.is_dir() else None
        top = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=parent)))
        sandbox = stack.enter_context(Sandbox())
        proxy = stack.enter_context(FaultProxy(sandbox.url))
        for name, seconds in NO_WAIT.items():
            stack.enter_context(patch.object(site_check, name, seconds))
        toys = [DemoService(name).start() for name in ("one", "two", "three")]
        for toy in toys:
            stack.callback(toy.stop)
        npm = Npm(sandbox.url, sandbox.sites_url, "admin@example.com", "changeme", sandbox)
        (top / "world").mkdir()
        world = World(top / "world", npm)
        world.env["PROXYSYNC_NPM_URL"] = proxy.url
        kinds = in_surroundings(Surroundings(tuple(toy.url for toy in toys), free_ports()))
        harness = Harness(world, kinds, sandbox=sandbox, proxy=proxy)
        add_foreign(npm, kinds["proxy"])
        yield harness
