"""Shows every proxy of the file: whether NPM is in line with it, and what keeps it back."""

import argparse
from typing import TYPE_CHECKING

from proxysync.cli.formats import add_format

if TYPE_CHECKING:
    from proxysync.status import ProxyStatus

HELP = "show every proxy and how it is"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME", nargs="?", help="only this proxy")
    parser.add_argument("--all", action="store_true", help="also hosts that are not ours")
    add_format(parser)


def run(arguments: argparse.Namespace) -> int:
    from proxysync.cli import context, terminal
    from proxysync.errors import ProxysyncError
    from proxysync.npm.errors import NpmError
    from proxysync.reconcile import build_plan
    from proxysync.status import collect, foreign

    env = context.environment(arguments)
    config = context.config(env)
    state = context.read_state(env)
    snapshot = plan = None
    try:
        snapshot = context.client(env).snapshot()
        plan = build_plan(config, snapshot, state)
    except NpmError as error:
        terminal.note(f"Warning: {error}\nThis is what the state knows:")
    proxies = collect(config, snapshot, plan, state)
    if arguments.all and snapshot is not None:
        proxies += foreign(snapshot, config.settings.instance, proxies)
    if arguments.name is not None:
        known = ", ".join(proxy.name for proxy in proxies if proxy.name) or "none"
        proxies = [proxy for proxy in proxies if proxy.name == arguments.name]
        if not proxies:
            raise ProxysyncError(
                f"there is no proxy named {arguments.name}", hint=f"There is: {known}."
            )
    if arguments.format == "json":
        terminal.print_json({"proxies": [proxy.to_json() for proxy in proxies]})
    else:
        print(_text(proxies))
    return 0


def _text(proxies: "list[ProxyStatus]") -> str:
    from proxysync.cli.terminal import safe, table

    heads = ("NAME", "SYNC", "HEALTH", "UPSTREAM", "DOMAINS")
    rows = [
        (proxy.name or "-", proxy.sync, "unknown", proxy.upstream, ", ".join(proxy.domains))
        for proxy in proxies
    ]
    lines = [table(heads, rows)]
    for proxy in proxies:
        if proxy.detail:
            lines.append(f"\n{proxy.name}: {safe(proxy.detail)}")
            if proxy.hint:
                lines.append(f"  hint: {safe(proxy.hint)}")
    return "\n".join(lines)
