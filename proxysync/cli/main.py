"""`proxysync`: arguments in, an exit code out. Each command is a file of this folder."""

import argparse
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import NoReturn

from proxysync import __version__
from proxysync.cli import terminal
from proxysync.model.errors import ProxysyncError
from proxysync.model.text import one_line

COMMANDS = (
    "validate",
    "plan",
    "apply",
    "adopt",
    "run",
    "status",
    "events",
    "history",
    "rollback",
    "resume",
    "schema",
    "completion",
    "demo",
)

DESCRIPTION = """\
Keeps Nginx Proxy Manager (NPM) in line with a YAML file.

First steps:
  proxysync demo                 the whole story on a built-in sandbox, no NPM needed
  proxysync validate             check proxies.yaml and every upstream in it
  proxysync plan                 show what would change in NPM; touches nothing
  proxysync apply                make those changes, once
  proxysync run                  the daemon: keep NPM in line from now on
"""
EPILOG = """\
Where NPM is and who we are comes from the environment, or from flags of the same names:
  PROXYSYNC_NPM_URL=http://10.0.0.2:81  PROXYSYNC_NPM_IDENTITY=bot@example.com
  PROXYSYNC_NPM_SECRET_FILE=/etc/proxysync/secret  (or PROXYSYNC_NPM_SECRET)
"""


class Parser(argparse.ArgumentParser):
    """A usage error exits with 1: 2 means "there are changes" to scripts that run `plan`."""

    def error(self, message: str) -> NoReturn:
        self.print_usage(sys.stderr)
        print(f"{self.prog}: {one_line(message)}", file=sys.stderr)
        print(f"  hint: see `{self.prog} --help`", file=sys.stderr)
        raise SystemExit(1)


def build_parser() -> argparse.ArgumentParser:
    """The parser with all commands; what a command imports to run, it imports when it runs."""
    common = _common()
    parser = Parser(
        prog="proxysync",
        description=DESCRIPTION,
        epilog=EPILOG,
        parents=[common],
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"proxysync {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name in COMMANDS:
        module = import_module(f"proxysync.cli.{name}")
        command = commands.add_parser(
            name,
            help=module.HELP,
            description=module.__doc__,
            parents=[common],
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        module.add_arguments(command)
        command.set_defaults(run=module.run)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command and returns its exit code; no exception leaves it but SystemExit."""
    _open_standard_streams()
    with terminal.doors():
        return _run(argv)


def _run(argv: Sequence[str] | None) -> int:
    arguments = build_parser().parse_args(argv)
    try:
        code = int(arguments.run(arguments))
        sys.stdout.flush()
    except ProxysyncError as error:
        terminal.note(f"Error: {error}")
        return 1
    except KeyboardInterrupt:
        print("interrupted; what was done so far is recorded", file=sys.stderr)
        return 130
    except BrokenPipeError:
        # The reader went away (`| head`); Python must not complain at exit either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:  # noqa: BLE001
        if os.environ.get("PROXYSYNC_DEBUG"):
            import traceback

            traceback.print_exc()
        terminal.note(
            f"Error: proxysync itself failed: {type(error).__name__}: {error}\n"
            "  hint: This is a bug. Please report it with what PROXYSYNC_DEBUG=1 prints.",
        )
        return 1
    return code


def _open_standard_streams() -> None:
    """Gives those that were closed at the start to nobody.

    Else the next file that is opened, the state perhaps, would be what others print to.
    """
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free
    for name, number, mode in (("stdin", 0, "r"), ("stdout", 1, "w"), ("stderr", 2, "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(number, mode, closefd=False))


def _common() -> Parser:
    common = Parser(add_help=False, argument_default=argparse.SUPPRESS)
    group = common.add_argument_group("where things are (each also PROXYSYNC_… in the environment)")
    group.add_argument("-f", "--file", metavar="PATH", help="the file, or a folder of *.yaml")
    group.add_argument("--state-dir", metavar="DIR", help="where state and events are kept")
    group.add_argument("--npm-url", metavar="URL", help="NPM's admin address")
    group.add_argument("--npm-identity", metavar="EMAIL", help="the NPM user to log in as")
    group.add_argument(
        "--npm-secret", metavar="SECRET", help="its password (others can see it in `ps`)"
    )
    group.add_argument("--npm-secret-file", metavar="PATH", help="a file that holds the password")
    group.add_argument("--npm-ca-file", metavar="PEM", help="the CA of NPM's own certificate")
    return common
