"""Has the daemon write nothing to NPM until then, or until `proxysync resume`.

It goes on watching the file and the sites. `apply` and other commands that a person gives work.
"""

import argparse

from proxysync.app.apply_once import Caller
from proxysync.app.pause import pause
from proxysync.cli import context, interrupt, terminal
from proxysync.cli.flags import add_format, add_lock_timeout, seconds
from proxysync.model.errors import ProxysyncError

LONGEST = 365 * 86400.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--for", dest="seconds", metavar="TIME", type=seconds, help="how long, as 2h or 30m"
    )
    add_lock_timeout(parser)
    add_format(parser)


def run(arguments: argparse.Namespace) -> int:
    if arguments.seconds is not None and not 0 < arguments.seconds <= LONGEST:
        raise ProxysyncError(
            "a pause lasts longer than nothing, and a year at most",
            hint="Give --for a duration such as 2h, or leave it out to pause until `resume`.",
        )
    caller = Caller(lock_timeout=arguments.lock_timeout, hooks=interrupt.hooks(terminal.step))
    done = pause(context.environment(arguments), arguments.seconds, caller)
    if arguments.format == "json":
        terminal.print_json(done.to_json())
        return 0
    text = str(done.pause)
    print(f"{text[0].upper()}{text[1:]}.")
    if not done.daemon_runs:
        print("No daemon runs on this state folder now; one that is started heeds it.")
    return 0
