"""Checks the file, then every upstream in it: syntax, DNS, TCP, HTTP.

Nothing is sent to NPM. Exits with 1 if an entry would be kept out of NPM, else with 0: under
`validation.mode: warn` a failure is a warning. Entries that are off are probed only if named.
"""

import argparse
import os
import sys
from collections.abc import Sequence

from proxysync.app.annotations import of_validation
from proxysync.app.validate import FileResult, InvalidFile, check_file, check_offline, validate
from proxysync.app.verdict import Verdict
from proxysync.cli import context, terminal
from proxysync.cli.file import load_file
from proxysync.cli.filters import add_filters, filters
from proxysync.cli.flags import add_format
from proxysync.cli.github import annotated, print_annotations
from proxysync.cli.terminal import safe
from proxysync.config.environment import Environment
from proxysync.config.errors import ConfigError
from proxysync.config.models import Config
from proxysync.model import label_among
from proxysync.model.errors import ProxysyncError
from proxysync.model.palette import paint
from proxysync.model.redact import redact
from proxysync.model.text import entries
from proxysync.plan.model import Note
from proxysync.probe.model import Result

NOTHING = "–"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("names", metavar="NAME", nargs="*", help="only these entries")
    parser.add_argument("--no-probe", action="store_true", help="check the file only")
    parser.add_argument(
        "--offline",
        action="store_true",
        help="check the file only, without variables and the files that it names: in CI, say",
    )
    add_filters(parser)
    add_format(parser, "github")


def run(arguments: argparse.Namespace) -> int:
    env = context.environment(arguments)
    with annotated(arguments.format):
        return _validate(arguments, env)


def _validate(arguments: argparse.Namespace, env: Environment) -> int:
    only = filters(arguments)
    try:
        if arguments.offline and only.tag:
            raise ProxysyncError(
                "--offline and --tag were given, and tags are read with the entries only",
                hint="Leave out one of them.",
            )
        if arguments.offline:
            return _checked(
                check_offline(env.file, os.environ, arguments.names, only=only), arguments, env
            )
        config = load_file(env)
        terminal.print_notes(config.selection.notes)
    except ConfigError as error:
        if arguments.format == "json":
            terminal.print_json(InvalidFile(error).to_json())
        raise
    if arguments.no_probe:
        checked = check_file(config, arguments.names, only=only)
        if arguments.format == "github":
            print_annotations(of_validation(checked, config))
        if arguments.format != "json":
            print(redact(_notes(checked.notes, config), checked.secrets), end="")
        return _checked(checked, arguments, env)
    progress = terminal.progress("probing")
    found = validate(config, arguments.names, only=only, on_probe=progress)
    if arguments.format == "github":
        print_annotations(of_validation(found, config))
    if arguments.format == "json":
        terminal.print_json(found.to_json())
    else:
        print(redact(_notes(found.notes, config) + _text(found.verdicts), found.secrets))
    return 0 if found.ok else 1


def _checked(found: FileResult, arguments: argparse.Namespace, env: Environment) -> int:
    """Says that the file is valid, as far as it alone tells."""
    if arguments.format == "json":
        terminal.print_json(found.to_json())
    else:
        print(f"{env.file_name} is valid: {entries(found.total)}")
    return 0


def _notes(notes: Sequence[Note], config: Config) -> str:
    """A line for each thing that a person should know of an entry, though it hinders nothing."""
    label = label_among(resource.key for resource in config.resources)
    return "".join(f"Warning: {label(note.key)}: {safe(note.message)}\n" for note in notes)


def _text(verdicts: Sequence[Verdict]) -> str:
    on = terminal.colours(sys.stdout)
    label = label_among(verdict.key for verdict in verdicts)
    width = max((len(label(verdict.key)) for verdict in verdicts), default=0)
    lines: list[str] = []
    for verdict in verdicts:
        word, colour = _word(verdict)
        why = f"  ({verdict.skipped})" if verdict.ok and verdict.skipped else ""
        name = label(verdict.key).ljust(width)
        lines.append(
            f"{paint(word.ljust(4), colour, on=on)}  {name}  {verdict.upstream or NOTHING}{why}"
        )
        lines += _steps(verdict.result, on=on)
        for path, upstream, result in verdict.locations:
            if result.failure:
                lines.append(f"      location {safe(path)}  {upstream}")
                lines += _steps(result, on=on)
    return "\n".join([*lines, _total(verdicts)])


def _word(verdict: Verdict) -> tuple[str, str]:
    if verdict.blocks:
        return "FAIL", "red"
    if verdict.warns:
        return "WARN", "yellow"
    return ("skip", "dim") if verdict.skipped else ("ok", "green")


def _total(verdicts: Sequence[Verdict]) -> str:
    words = [_word(verdict)[0] for verdict in verdicts]
    verb = "passes" if len(words) == 1 else "pass"
    total = f"{words.count('ok')} of {entries(len(words))} {verb}"
    if warned := words.count("WARN"):
        total += f", {warned} with a warning"
    if skipped := words.count("skip"):
        total += f", {skipped} not probed"
    return total


def _steps(result: Result, *, on: bool) -> list[str]:
    """One line for each step of a result that failed, none for one that passed."""
    if result.failure is None:
        return []
    lines = []
    for step in result.steps:
        colour = {"fail": "red", "pass": "green", "warn": "yellow"}.get(step.status, "dim")
        lines.append(
            f"        {paint(f'{step.name:<6} {step.status:<7}', colour, on=on)} "
            f"{safe(step.detail)}"
        )
        if step.hint and step.status != "pass":
            lines.append(f"               hint: {safe(step.hint)}")
    return lines
