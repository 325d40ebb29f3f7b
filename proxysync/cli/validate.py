"""Checks the file, then every upstream in it: syntax, DNS, TCP, HTTP.

Nothing is sent to NPM. Exits with 1 if an entry would be kept out of NPM, else with 0: under
`validation.mode: warn` a failure is a warning. Entries that are off are probed only if named.
"""

import argparse
import sys
from typing import TYPE_CHECKING

from proxysync.cli.flags import add_format

if TYPE_CHECKING:
    from proxysync.app.validate import Verdict
    from proxysync.config.models import Config, Settings
    from proxysync.kinds.entry import Resource
    from proxysync.probe.model import Result


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("names", metavar="NAME", nargs="*", help="only these proxies")
    parser.add_argument("--no-probe", action="store_true", help="check the file only")
    add_format(parser)


def run(arguments: argparse.Namespace) -> int:
    from proxysync.cli import context, terminal
    from proxysync.config.load import ConfigError
    from proxysync.model.redact import redact

    env = context.environment(arguments)
    try:
        config = context.config(env)
    except ConfigError as error:
        if arguments.format == "json":
            terminal.print_json({"results": [], "problems": error.to_json()})
        raise
    proxies = _chosen(config, arguments.names)
    if arguments.no_probe:
        if arguments.format == "json":
            results = [{"name": proxy.name, "ok": True, "steps": []} for proxy in proxies]
            terminal.print_json({"results": results})
        else:
            print(f"{env.file} is good: {len(config.resources)} proxies")
        return 0

    verdicts = _validate(proxies, config.settings, named=bool(arguments.names))
    if arguments.format == "json":
        results = [verdict.to_json() for verdict in verdicts]
        terminal.print_json(redact({"results": results}, config.secrets))
    else:
        print(redact(_text(verdicts), config.secrets))
    return 1 if any(verdict.blocks for verdict in verdicts) else 0


def _validate(proxies: "list[Resource]", settings: "Settings", *, named: bool) -> "list[Verdict]":
    """A verdict for each, in the same order; one that is off is probed only on request."""
    from proxysync.app.validate import count_upstreams, not_probed, validate
    from proxysync.cli.terminal import progress

    probed = [proxy for proxy in proxies if proxy.is_on or named]
    bar = progress("probing")(count_upstreams(probed))
    verdicts = {v.key: v for v in validate(probed, settings.validation, on_result=bar)}
    return [verdicts.get(p.key) or not_probed(p, "enabled is false") for p in proxies]


def _chosen(config: "Config", names: list[str]) -> "list[Resource]":
    from proxysync.app.choose import choose

    known = {resource.key: resource for resource in config.resources}
    return [known[key] for key in choose(names, known)] if names else list(config.resources)


def _text(verdicts: "list[Verdict]") -> str:
    from proxysync.cli.terminal import colours, safe
    from proxysync.model.palette import paint

    on = colours(sys.stdout)
    width = max((len(verdict.name) for verdict in verdicts), default=0)
    lines: list[str] = []
    for verdict in verdicts:
        word, colour = _word(verdict)
        why = f"  ({verdict.skipped})" if verdict.ok and verdict.skipped else ""
        name = verdict.name.ljust(width)
        lines.append(f"{paint(word.ljust(4), colour, on=on)}  {name}  {verdict.upstream}{why}")
        lines += _steps(verdict.result, on=on)
        for path, upstream, result in verdict.locations:
            if result.failure:
                lines.append(f"      location {safe(path)}  {upstream}")
                lines += _steps(result, on=on)
    return "\n".join([*lines, _total(verdicts)])


def _word(verdict: "Verdict") -> tuple[str, str]:
    if verdict.blocks:
        return "FAIL", "red"
    if verdict.warns:
        return "WARN", "yellow"
    return ("skip", "dim") if verdict.skipped else ("ok", "green")


def _total(verdicts: "list[Verdict]") -> str:
    words = [_word(verdict)[0] for verdict in verdicts]
    total = f"{words.count('ok')} of {len(words)} proxies pass"
    if warned := words.count("WARN"):
        total += f", {warned} with a warning"
    if skipped := words.count("skip"):
        total += f", {skipped} not probed"
    return total


def _steps(result: "Result", *, on: bool) -> list[str]:
    """One line for each step of a result that failed, none for one that passed."""
    from proxysync.cli.terminal import safe
    from proxysync.model.palette import paint

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
