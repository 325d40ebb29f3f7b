"""`proxysync`: arguments in, an exit code out. Each command is a file of this folder.

Only the command that runs is imported, so that all can import what they need at their top.
"""

import argparse
import gc
import os
import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from keyword import iskeyword
from typing import Any, NoReturn, TextIO

from proxysync import __version__
from proxysync.cli import terminal
from proxysync.model.errors import ProxysyncError
from proxysync.model.text import one_line

COMMANDS = {
    "validate": "check the file, then every upstream in it",
    "plan": "show what would change in NPM; touches nothing",
    "apply": "make the changes, once",
    "add": "add an entry to the file",
    "set": "change values of an entry in the file",
    "remove": "take an entry out of the file",
    "import": "write what NPM has as a file; changes nothing in NPM",
    "adopt": "take over the foreign host that holds an entry's domains",
    "release": "give hosts back: proxysync no longer manages them",
    "run": "the daemon: keep NPM in sync from now on",
    "status": "show every entry and how it is",
    "events": "show what happened, and follow what happens",
    "history": "list what was applied, when and why",
    "rollback": "go back to what managed hosts were before a run",
    "pause": "have the daemon write nothing for a while",
    "resume": "let the daemon go on after a pause or a rollback",
    "doctor": "check everything around it, and say what to do",
    "schema": "print the JSON Schema of the file, for editors",
    "completion": "print a completion script for bash, zsh, fish or tcsh",
    "demo": "watch it all at work on a built-in sandbox, no NPM needed",
}
"""Their names, which are those of the modules beside this one, and what they do."""

LASTING = frozenset(("run", "demo", "events"))
"""Those that may go on for ever."""

COMMON = (
    (("-f", "--file"), "PATH", "the file, or a folder of *.yaml"),
    (("--state-dir",), "DIR", "where state and events are kept"),
    (("--npm-url",), "URL", "NPM's admin address"),
    (("--npm-identity",), "EMAIL", "the NPM user to log in as"),
    (("--npm-secret",), "SECRET", "its password (others can see it in `ps`)"),
    (("--npm-secret-file",), "PATH", "a file that holds the password"),
    (("--npm-ca-file",), "PEM", "the CA of NPM's own certificate"),
    (("--tags",), "TAG,TAG", "only the entries of the file with one of these tags"),
)
"""Flags of all commands: names, what is given to them, and what they do."""

DESCRIPTION = """\
Keeps Nginx Proxy Manager (NPM) in sync with a YAML file.

First steps:
  proxysync demo                 the whole story on a built-in sandbox, no NPM needed
  proxysync validate             check proxies.yaml and every upstream in it
  proxysync plan                 show what would change in NPM; touches nothing
  proxysync apply                make those changes, once
  proxysync run                  the daemon: keep NPM in sync from now on
"""
EPILOG = """\
Where NPM is and who we are comes from the environment, or from flags of the same names:
  PROXYSYNC_NPM_URL=http://10.0.0.2:81  PROXYSYNC_NPM_IDENTITY=bot@example.com
  PROXYSYNC_NPM_SECRET_FILE=/etc/proxysync/secret  (or PROXYSYNC_NPM_SECRET)
"""


_INVALID_CHOICE = re.compile(r"invalid choice: '([^']{1,100})' \(choose from (.*)\)")


def module_of(command: str) -> str:
    """The module of a command: one that is a word of Python has a `_` after it."""
    return f"proxysync.cli.{command}{'_' if iskeyword(command) else ''}"


class Parser(argparse.ArgumentParser):
    """A usage error exits with 1: 2 means "there are changes" to scripts that run `plan`."""

    def __init__(self, **options: Any) -> None:
        # A flag is not guessed: `--tag` would be `--tags`, by which `apply` deletes all others.
        super().__init__(allow_abbrev=False, **options)

    def error(self, message: str) -> NoReturn:
        self.print_usage(sys.stderr)
        meant = _meant(message)
        if meant is not None:
            message = message.partition(" (choose from ")[0]
        print(f"{self.prog}: {one_line(message)}", file=sys.stderr)
        near = f"{meant} else " if meant else ""
        print(f"  hint: {near}see `{self.prog} --help`", file=sys.stderr)
        raise SystemExit(1)


def _meant(message: str) -> str | None:
    """What was meant by a word that is none of those that argparse lists, if it is like one."""
    from proxysync.app.choose import did_you_mean  # noqa: PLC0415 - only after a mistake

    found = _INVALID_CHOICE.search(message)
    return did_you_mean([found[1]], re.findall(r"[\w-]+", found[2])) if found else None


class CommandParser(Parser):
    """The parser of one command, whose module is imported when that command is parsed."""

    def __init__(self, *, module: str, **options: Any) -> None:
        super().__init__(formatter_class=argparse.RawDescriptionHelpFormatter, **options)
        self._module = module
        self._is_loaded = False
        self._is_parsing = False

    def load(self) -> None:
        """Adds what the command's module says of itself."""
        if self._is_loaded:
            return
        self._is_loaded = True
        module = import_module(self._module)
        self.description = module.__doc__
        _add_common(self)
        module.add_arguments(self)
        self.set_defaults(run=module.run)

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """A word that it does not know is its own error: it can say how it is used.

        Flags may stand between the others: `set media --no-probe websockets=true`.
        """
        self.load()
        if self._is_parsing:
            return super().parse_known_args(args, namespace)
        self._is_parsing = True
        try:
            found, unknown = self.parse_known_intermixed_args(args, namespace)
        finally:
            self._is_parsing = False
        if unknown:
            self.error(f"unrecognized arguments: {' '.join(unknown)}")
        return found, unknown


def build_parser(*, complete: bool = False) -> argparse.ArgumentParser:
    """The parser of the command line. With `complete`, all commands are imported at once."""
    parser = Parser(
        prog="proxysync",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    _add_common(parser)
    parser.add_argument("--version", action="version", version=f"proxysync {__version__}")
    commands = parser.add_subparsers(
        dest="command", metavar="COMMAND", required=True, parser_class=CommandParser
    )
    for name, what in COMMANDS.items():
        command = commands.add_parser(name, help=what, module=module_of(name))
        if complete:
            command.load()
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command and returns its exit code; no exception leaves it but SystemExit."""
    _open_standard_streams()
    with terminal.doors():
        return _run(argv)


@contextmanager
def _no_collection(command: str) -> Iterator[None]:
    """What ends soon is not searched for cycles meanwhile: a file and an NPM of thousands of hosts
    are objects that all stay, and Python would go through them again and again.
    """
    pauses = command not in LASTING and gc.isenabled()
    if pauses:
        gc.disable()
    try:
        yield
    finally:
        if pauses:
            gc.enable()


def _run(argv: Sequence[str] | None) -> int:
    try:
        arguments = build_parser().parse_args(argv)
        with _no_collection(arguments.command):
            code = int(arguments.run(arguments))
        sys.stdout.flush()
    except terminal.OutputError as error:
        _silence(sys.stdout)
        try:
            terminal.note(f"Error: {error}")
        except terminal.OutputError:
            _silence(sys.stderr)
        return 1
    except ProxysyncError as error:
        terminal.note(f"Error: {error}")
        return 1
    except KeyboardInterrupt:
        print("interrupted; what was done so far is recorded", file=sys.stderr)
        return 130
    except BrokenPipeError:
        _silence(sys.stdout)  # the reader went away (`| head`)
        return 0
    except Exception as error:  # noqa: BLE001
        if os.environ.get("PROXYSYNC_DEBUG"):
            import traceback  # noqa: PLC0415 - for developers only

            traceback.print_exc()
        terminal.note(
            f"Error: proxysync itself failed: {type(error).__name__}: {error}\n"
            "  hint: This is a bug. Please report it with what PROXYSYNC_DEBUG=1 prints.",
        )
        return 1
    return code


def _silence(stream: TextIO) -> None:
    """What is still to be written there goes to nobody, so that Python does not fail at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


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


def _add_common(parser: argparse.ArgumentParser) -> None:
    """The flags that may stand before a command or after it."""
    group = parser.add_argument_group("where things are (each also PROXYSYNC_… in the environment)")
    for names, metavar, what in COMMON:
        group.add_argument(*names, metavar=metavar, default=argparse.SUPPRESS, help=what)
