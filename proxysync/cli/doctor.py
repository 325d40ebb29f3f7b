"""Checks everything around proxysync and says what to do: file, state, NPM, account, machine.

Changes nothing anywhere. Exits with 1 if a check failed; a warning is no failure.
"""

import argparse
import os
import sys

from proxysync.app.doctor import Check, Diagnosis, diagnose
from proxysync.cli import context, terminal
from proxysync.cli.flags import add_format
from proxysync.cli.terminal import safe
from proxysync.config.setting import SettingError
from proxysync.model.palette import paint

COLOURS = {"ok": "green", "warn": "yellow", "fail": "red", "skipped": "dim"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_format(parser)


def run(arguments: argparse.Namespace) -> int:
    trouble = None
    try:
        env = context.environment(arguments)
    except SettingError as error:
        trouble, env = error, context.without_npm(arguments)
    found = diagnose(env, os.environ, trouble)
    terminal.hide(found.secrets)
    if arguments.format == "json":
        terminal.print_json(found.to_json())
    else:
        print(_text(found))
    return 0 if found.ok else 1


def _text(found: Diagnosis) -> str:
    width = max(len(check.name) for check in found.checks)
    states = [check.status for check in found.checks]
    total = ", ".join(f"{states.count(word)} {word}" for word in dict.fromkeys(sorted(states)))
    return "\n".join([*(_line(check, width) for check in found.checks), total])


def _line(check: Check, width: int) -> str:
    word = paint(check.status.ljust(7), COLOURS[check.status], on=terminal.colours(sys.stdout))
    line = f"{word}  {check.name.ljust(width)}  {safe(check.message)}"
    return f"{line}\n{' ' * (width + 11)}hint: {safe(check.hint)}" if check.hint else line
