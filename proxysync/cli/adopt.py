"""Takes over the foreign hosts that hold the domains of these entries.

From then on each is managed: NPM is made as the file says, now and later.
"""

import argparse
from typing import TYPE_CHECKING

from proxysync.cli.flags import add_format, add_lock_timeout

if TYPE_CHECKING:
    from proxysync.config.models import Config
    from proxysync.model import Key


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("names", metavar="NAME", nargs="*", help="entries of the file")
    parser.add_argument("--all", action="store_true", help="every entry that can be")
    parser.add_argument("-y", "--yes", action="store_true", help="do not ask")
    add_lock_timeout(parser)
    add_format(parser)


def run(arguments: argparse.Namespace) -> int:
    from proxysync.app.reconcile import Options
    from proxysync.cli import context
    from proxysync.cli.apply import carry_out

    env = context.environment(arguments)
    config = context.config(env)
    keys = _chosen(config, arguments.names, everything=arguments.all)
    return carry_out(arguments, env, config, Options(adopting=keys, why="adopt"))


def _chosen(config: "Config", names: list[str], *, everything: bool) -> "frozenset[Key]":
    from proxysync.app.choose import choose
    from proxysync.model.errors import ProxysyncError

    known = [resource.key for resource in config.resources]
    if not names and not everything:
        raise ProxysyncError(
            "adopt whom?",
            hint=f"Name entries of the file, or --all. It has: {', '.join(map(str, known))}.",
        )
    return frozenset(choose(names, known) if names else known)
