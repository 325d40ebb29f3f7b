"""A file, an NPM and one proxysync after the other: what can happen, and how it must end."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import yaml

from proxysync.app import planning
from proxysync.app.planning import Options
from proxysync.app.reconcile import reconcile
from proxysync.app.workspace import Workspace
from proxysync.config.load import load
from proxysync.config.models import Config
from proxysync.npm import transport
from proxysync.npm.client import NpmClient
from proxysync.npm.errors import NpmError
from proxysync.npm.session import Session
from proxysync.plan.model import Plan
from proxysync.sandbox.hosts import Hosts
from proxysync.sandbox.nginx import Nginx
from proxysync.sandbox.rows import PROXY_HOST
from proxysync.store.database import Database, open_for_writing
from proxysync.store.journal import Journal
from proxysync.store.state import State
from proxysync.values.limits import DeleteLimit
from tests.apply.crash_points import CrashingDatabase, CrashingTransport, Killed, Life
from tests.apply.harness import Harness
from tests.faults import Fault
from tests.world import BAD, HOSTS

PORTS = (9001, 9002, 9003)
GOOD = "client_max_body_size 9m;"

ALLOWED = Options(max_delete=DeleteLimit(share=1.0), recreate=True)
"""The guards against mistakes have tests of their own; here, deleting all is often meant."""


Step = tuple[str, tuple[Any, ...]]
"""The name of something that happens, and its arguments."""


@dataclass(frozen=True)
class Entry:
    domains: frozenset[str]
    port: int = PORTS[0]
    enabled: bool = True
    advanced: str = ""

    def to_yaml(self) -> dict[str, Any]:
        return {
            "domains": sorted(self.domains),
            "upstream": f"http://127.0.0.1:{self.port}",
            "enabled": self.enabled,
            "advanced_config": self.advanced,
        }


@dataclass
class Scenario:
    """The file, NPM and one proxysync after the other; the steps happen to them."""

    harness: Harness
    file: Path
    entries: dict[str, Entry] = field(default_factory=dict)
    foreign: dict[int, dict[str, Any]] = field(default_factory=dict)
    worked: set[int] = field(default_factory=set)
    life: Life = field(default_factory=Life)
    database: Database | None = None
    npm: NpmClient | None = None

    # The file

    def owner(self, wanted: str) -> str | None:
        return next((n for n, entry in self.entries.items() if wanted in entry.domains), None)

    def put(self, name: str, domains: frozenset[str], port: int, enabled: bool, text: str) -> None:
        free = frozenset(d for d in domains if self.owner(d) in (None, name))
        if free:
            self.entries[name] = Entry(free, port, enabled, text)

    def change(self, name: str, **fields: Any) -> None:
        if name in self.entries:
            self.entries[name] = replace(self.entries[name], **fields)

    def remove(self, name: str) -> None:
        self.entries.pop(name, None)

    def rename(self, old: str, new: str) -> None:
        if old in self.entries and new not in self.entries:
            self.entries[new] = self.entries.pop(old)

    def swap(self, one: str, two: str) -> None:
        if one in self.entries and two in self.entries:
            first, second = self.entries[one], self.entries[two]
            self.entries[one] = replace(first, domains=second.domains)
            self.entries[two] = replace(second, domains=first.domains)

    def move(self, wanted: str, name: str) -> None:
        owner = self.owner(wanted)
        if name not in self.entries or owner in (None, name):
            return
        assert owner is not None
        left = self.entries[owner].domains - {wanted}
        if left:
            self.entries[owner] = replace(self.entries[owner], domains=left)
        else:
            del self.entries[owner]
        self.entries[name] = replace(
            self.entries[name], domains=self.entries[name].domains | {wanted}
        )

    # NPM, through its web page

    def ours(self) -> list[dict[str, Any]]:
        rows = self.harness.sandbox.proxy_hosts()
        return [row for row in rows if row["id"] not in self.foreign]

    def edit_ours(self, index: int, fields: Mapping[str, Any]) -> None:
        rows = self.ours()
        if rows:
            row = rows[index % len(rows)]
            self.harness.world.npm.api("PUT", f"{HOSTS}/{row['id']}", fields)

    def drop_marker(self, index: int) -> None:
        known = {row.npm_id for row in self.state().applied()}
        rows = [row for row in self.ours() if row["id"] in known]
        if rows:
            row = rows[index % len(rows)]
            self.harness.world.npm.api("PUT", f"{HOSTS}/{row['id']}", {"meta": {"letter": "kept"}})

    def delete_ours(self, index: int) -> None:
        rows = self.ours()
        if rows:
            self.harness.world.npm.api("DELETE", f"{HOSTS}/{rows[index % len(rows)]['id']}")

    def toggle_ours(self, index: int) -> None:
        rows = self.ours()
        if rows:
            row = rows[index % len(rows)]
            what = "disable" if row["enabled"] else "enable"
            self.harness.world.npm.api("POST", f"{HOSTS}/{row['id']}/{what}")

    def add_foreign(self, name: str, meta: Mapping[str, Any]) -> None:
        answer = self.harness.world.npm.api(
            "POST",
            HOSTS,
            {
                "domain_names": [name],
                "forward_scheme": "http",
                "forward_host": "127.0.0.1",
                "forward_port": 9,
                "meta": meta,
            },
        )
        if answer.status_code == 201:
            self.see_foreign(answer.json()["id"])

    def see_foreign(self, npm_id: int) -> None:
        rows = {row["id"]: row for row in self.harness.sandbox.proxy_hosts()}
        self.foreign[npm_id] = rows[npm_id]

    def free_clashes(self) -> None:
        """Their owners take away the foreign hosts that hold what the file asks for."""
        wanted = {d for entry in self.entries.values() for d in entry.domains}
        for npm_id, row in list(self.foreign.items()):
            if wanted & set(row["domain_names"]):
                self.harness.world.npm.api("DELETE", f"{HOSTS}/{npm_id}")
                del self.foreign[npm_id]

    # proxysync

    def state(self) -> State:
        return State(self._open())

    def _open(self) -> Database:
        if self.database is None:
            whole, _ = open_for_writing(self.harness.world.state / "state.db")
            self.database = CrashingDatabase(whole, self.life)
        return self.database

    def close(self) -> None:
        if self.database is not None:
            self.database.close()
        self.database = self.npm = None
        self.life = Life()

    def config(self) -> Config:
        proxies = {name: entry.to_yaml() for name, entry in self.entries.items()}
        mode = {"validation": {"mode": "off"}}
        self.file.write_text(yaml.safe_dump({"version": 1, "settings": mode, "proxies": proxies}))
        return load(self.file, {})

    def workspace(self) -> Workspace:
        if self.npm is None:
            session = Session(
                CrashingTransport(self.harness.proxy.url, self.life),
                "admin@example.com",
                "changeme",
                pause=lambda _: None,
            )
            self.npm = NpmClient(session)
        database = self._open()
        return Workspace(self.npm, State(database), Journal(database), emit=lambda *_, **__: None)

    def plan(self, config: Config) -> Plan:
        """What is still to be done for this file."""
        work = self.workspace()
        read = planning.read(config, ALLOWED, work.npm.snapshot(), work.state)
        return planning.plan_from(read).plan

    def run(self) -> bool:
        """One reconcile as the file is now; whether all is in sync after it."""
        try:
            return reconcile(self.workspace(), self.config(), ALLOWED).ok
        except NpmError:
            return False
        except Killed:
            self.close()
            return False

    def run_until_quiet(self) -> None:
        config = self.config()
        for _ in range(6):
            self.run()
            plan = self.plan(config)
            assert plan.refused is None
            if not plan.to_make:
                return
        raise AssertionError(f"never quiet: {plan.to_make}")


def carry_out(scenario: Scenario, step: Step) -> None:
    _carry_out(scenario, step)
    scenario.worked |= {
        row["id"] for row in scenario.ours() if row["enabled"] and row["meta"].get("nginx_online")
    }


def _carry_out(scenario: Scenario, step: Step) -> None:
    name, arguments = step
    proxy, sandbox = scenario.harness.proxy, scenario.harness.sandbox
    if name in ("port", "text", "enabled"):
        entry, value = arguments
        scenario.change(entry, **{{"text": "advanced"}.get(name, name): value})
    elif name == "faulty":
        fault, nth, times = arguments
        proxy.inject(fault, method=None if nth % 2 else "PUT", path="/.*", nth=nth, times=times)
        scenario.run()
        proxy.lift()
    elif name == "hanging":
        proxy.inject(Fault.HANG, path=f"{HOSTS}.*", nth=arguments[0], forward=arguments[0] % 2 > 0)
        with patch.multiple(transport, READ_TIMEOUT=0.2, WRITE_TIMEOUT=0.2):
            scenario.run()
        proxy.lift()
    elif name == "canary_stays":
        proxy.inject(Fault.CUT_AFTER, method="POST", path=HOSTS)
        proxy.inject(Fault.ERROR_500_WITHOUT_EFFECT, method="DELETE", path=rf"{HOSTS}/\d+")
        scenario.run()
        proxy.lift()
    elif name == "broken_nginx":
        sandbox.break_nginx("somebody else's file is broken")
        scenario.life.requests = arguments[0]
        scenario.run()
        scenario.life.requests = None
        sandbox.mend_nginx()
    elif name == "killed_at_request":
        scenario.life.requests, scenario.life.answered = arguments
        scenario.run()
        scenario.life.requests = None
    elif name == "killed_at_commit":
        scenario.life.commits = arguments[0]
        scenario.run()
        scenario.life.commits = None
    else:
        getattr(scenario, name)(*arguments)


def assert_foreign_untouched(scenario: Scenario) -> None:
    rows = {row["id"]: row for row in scenario.harness.sandbox.proxy_hosts()}
    assert {npm_id: rows.get(npm_id) for npm_id in scenario.foreign} == scenario.foreign


def assert_nothing_is_broken(scenario: Scenario, *, all_work: bool) -> None:
    """Whether what ever worked does; what never did may stay as it is for a person to see."""
    for row in scenario.ours():
        assert not any(name.endswith(".invalid") for name in row["domain_names"])
        if row["enabled"] and (all_work or row["id"] in scenario.worked):
            assert row["advanced_config"] != BAD
            assert row["meta"]["nginx_online"]


def assert_served(scenario: Scenario) -> None:
    """Whether nginx runs what the rows say, for GET may look right while it does not."""
    store = scenario.harness.sandbox._store
    hosts, fresh = Hosts(store, PROXY_HOST), Nginx()
    for row in store.hosts[PROXY_HOST.table].live():
        if row["enabled"]:
            fresh.write((PROXY_HOST.table, row["id"]), hosts.render(row))
    fresh.reload()
    assert store.nginx.serving == fresh.serving


def assert_equal(scenario: Scenario) -> None:
    """Whether NPM has what the file asks for, and nothing more, and all of it is known."""
    live = {
        row["meta"]["proxysync"]["name"]: Entry(
            frozenset(row["domain_names"]),
            row["forward_port"],
            row["enabled"],
            row["advanced_config"],
        )
        for row in scenario.ours()
    }
    assert live == scenario.entries
    assert len(scenario.ours()) == len(live)
    plan = scenario.plan(scenario.config())
    assert (plan.changes, plan.refused) == ((), None)
    applied = {row.name: row for row in scenario.state().applied()}
    assert {name: row.npm_id for name, row in applied.items()} == {
        row["meta"]["proxysync"]["name"]: row["id"] for row in scenario.ours()
    }
    assert not any(row.unconfirmed for row in applied.values())


def assert_ends_well(harness: Harness, steps: Sequence[Step]) -> None:
    """Plays the scenario; then whoever made mistakes mends them, and NPM must be in sync."""
    scenario = Scenario(harness, harness.world.file)
    try:
        for step in steps:
            carry_out(scenario, step)
        scenario.run_until_quiet()
        assert_foreign_untouched(scenario)
        assert_nothing_is_broken(scenario, all_work=False)
        scenario.free_clashes()
        for name, entry in scenario.entries.items():
            scenario.change(name, advanced="" if entry.advanced == BAD else entry.advanced)
        scenario.run_until_quiet()
        assert_foreign_untouched(scenario)
        assert_nothing_is_broken(scenario, all_work=True)
        assert_equal(scenario)
        assert_served(scenario)
    finally:
        scenario.close()
