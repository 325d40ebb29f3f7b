"""Shows every proxy of the file: whether NPM is in line with it, and how its service is.

Health is what the daemon found when it last checked.
"""

import argparse
import sys
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from proxysync.app.access import connect
from proxysync.cli.flags import add_format
from proxysync.cli.reading import read_health, read_state

if TYPE_CHECKING:
    from proxysync.app.status import ProxyStatus
    from proxysync.config.environment import Environment
    from proxysync.config.models import Config
    from proxysync.model import Key, Snapshot
    from proxysync.model.event import Event
    from proxysync.npm.client import NpmClient
    from proxysync.npm.errors import NpmError
    from proxysync.plan.model import Plan
    from proxysync.store.health import HealthStore
    from proxysync.store.state import State

REFRESH = 2.0
"""Seconds between two pictures with --watch."""

DATABASE = "the state (state.db)"

ASK_NPM = 10.0
"""Seconds for which --watch takes NPM as it was."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME", nargs="?", help="only this proxy, in more detail")
    parser.add_argument("--all", action="store_true", help="also hosts that are not ours")
    parser.add_argument("--watch", action="store_true", help="go on showing it until Ctrl-C")
    add_format(parser)


def run(arguments: argparse.Namespace) -> int:
    from proxysync.cli import context, terminal
    from proxysync.model.errors import ProxysyncError

    if arguments.watch and arguments.format == "json":
        raise ProxysyncError(
            "--watch is for people and cannot print JSON",
            hint="Use `proxysync events --follow --format json` to hear of changes.",
        )
    view = View(context.environment(arguments), arguments.name, everything=arguments.all)
    if arguments.format == "json":
        _print_json(view)
        return 0
    if not arguments.watch:
        print(_picture(view))
        return 0
    try:
        while True:
            picture = _picture(view)
            if sys.stdout.isatty():
                terminal.draw(sys.stdout, "\033[H\033[J")
            print(picture if sys.stdout.isatty() else f"{picture}\n", flush=True)
            time.sleep(REFRESH)
    except KeyboardInterrupt:
        return 0


class View:
    """What is to be shown, read again each time it is asked for; NPM only now and then."""

    def __init__(self, env: "Environment", name: str | None, *, everything: bool) -> None:
        self._env = env
        self._name = name
        self._everything = everything
        self._npm: NpmClient | None = None
        self._state: State | None = None
        self._health: HealthStore | None = None
        self._snapshot: Snapshot | None = None
        self._asked = 0.0
        self._fingerprint = ""
        self._present: list[dict[str, Any]] = []
        self.trouble: NpmError | None = None

    def proxies(self) -> "list[ProxyStatus]":
        """The proxies to show; a single one with the last things that happened to it.

        Raises ProxysyncError if the file is bad, the state damaged, or no proxy has that name.
        """
        from proxysync.cli import context
        from proxysync.store.database import wrap_read_errors

        config = context.config(self._env)
        self._fingerprint = config.fingerprint
        if self._state is None:
            self._state = read_state(self._env.state_dir)
            self._health = read_health(self._env.state_dir) if self._state else None
        with wrap_read_errors(DATABASE):
            return self._collect(config)

    def _collect(self, config: "Config") -> "list[ProxyStatus]":
        from proxysync.app.status import collect, foreign, with_health
        from proxysync.model import clock

        plan = self._plan(config)
        proxies = collect(config, self._snapshot, plan, self._state)
        if self._everything and self._snapshot is not None:
            proxies += foreign(self._snapshot, config.settings.instance, proxies)
        if self._name is not None:
            proxies = self._only(self._name, proxies)
        if self._health is None:
            return proxies
        return with_health(proxies, self._health, clock.now())

    def warnings(self) -> list[dict[str, Any]]:
        from proxysync.app.status import held, warnings
        from proxysync.store.database import wrap_read_errors

        with wrap_read_errors(DATABASE):
            found = warnings(self._health.active_alerts()) if self._health else []
            found += held(self._state.hold() if self._state else None, self._fingerprint)
            return found + self._present

    def _plan(self, config: "Config") -> "Plan | None":
        from proxysync.app.reconcile import Options, build_plan
        from proxysync.app.status import present
        from proxysync.npm.errors import NpmError

        plan: Plan | None = None
        self._present = []
        try:
            self._npm = self._npm or connect(self._env)
            if self._snapshot is None or time.monotonic() - self._asked > ASK_NPM:
                self._snapshot = self._npm.snapshot()
                self._asked = time.monotonic()
            self.trouble = None
            # What nginx does not serve is another matter than what NPM has.
            apart = Options(patience=self._state.edges.told() if self._state else frozenset())
            plan = build_plan(config, self._snapshot, self._state, apart)
            if plan.refused:
                self._present.append(
                    present("plan.refused", f"the plan is refused: {plan.refused}")
                )
            if visibility_warning := self._npm.visibility_warning():
                self._present.append(present("npm.visibility", visibility_warning))
        except NpmError as error:
            self._snapshot = None
            self.trouble = error
        return plan

    def _only(self, name: str, proxies: "list[ProxyStatus]") -> "list[ProxyStatus]":
        from proxysync.app.choose import choose

        (key,) = choose([name], {p.key for p in proxies if p.key}, "NPM and the file")
        return [replace(p, changes=self._last_events(key)) for p in proxies if p.key == key]

    def _last_events(self, key: "Key") -> "tuple[Event, ...]":
        return tuple(self._health.last_events(key)) if self._health else ()


def _print_json(view: View) -> None:
    from proxysync.app.status import present
    from proxysync.cli import terminal

    proxies, warnings = view.proxies(), view.warnings()
    if view.trouble:
        _tell(view.trouble)
        warnings.append(present(view.trouble.code, str(view.trouble)))
    terminal.print_json({"proxies": [proxy.to_json() for proxy in proxies], "warnings": warnings})


def _tell(trouble: "NpmError") -> None:
    from proxysync.cli.terminal import note

    note(f"Warning: {trouble}\nThis is what the state knows:")


def _picture(view: View) -> str:
    from proxysync.cli.status_table import details, render
    from proxysync.model import clock

    proxies = view.proxies()
    if view.trouble:
        _tell(view.trouble)
    now = clock.now()
    parts = [render(proxies, view.warnings(), now)]
    parts += [details(proxy, now) for proxy in proxies if proxy.changes is not None]
    return "\n\n".join(parts)
