"""Checks the file, then every upstream in it: syntax, DNS, TCP, HTTP.

Nothing is sent to NPM. Exits with 0 if all is well and with 1 on any failure.
"""

import argparse
import sys
from typing import TYPE_CHECKING

from proxysync.cli.flags import add_format

if TYPE_CHECKING:
    from proxysync.config.models import Config, Proxy
    from proxysync.probe.model import Result
    from proxysync.validation import Verdict

HELP = "check the file, then every upstream in it"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("names", metavar="NAME", nargs="*", help="only these proxies")
    parser.add_argument("--no-probe", action="store_true", help="check the file only")
    add_format(parser)


def run(arguments: argparse.Namespace) -> int:
    from proxysync.cli import context, terminal
    from proxysync.config.load import ConfigError
    from proxysync.redact import redact

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
            print(f"{env.file} is good: {len(config.proxies)} proxies")
        return 0

    from proxysync.validation import count_upstreams, validate

    bar = terminal.progress("probing")(count_upstreams(proxies))
    verdicts = validate(proxies, config.settings, on_result=bar)
    if arguments.format == "json":
        results = [verdict.to_json() for verdict in verdicts]
        terminal.print_json(redact({"results": results}, config.secrets))
    else:
        print(redact(_text(verdicts), config.secrets))
    return 0 if all(verdict.ok for verdict in verdicts) else 1


def _chosen(config: "Config", names: list[str]) -> "list[Proxy]":
    from proxysync.errors import ProxysyncError

    known = {proxy.name: proxy for proxy in config.proxies}
    unknown = [name for name in names if name not in known]
    if unknown:
        raise ProxysyncError(
            f"the file has no proxy named {', '.join(unknown)}",
            hint=f"It has: {', '.join(known) or 'none'}.",
        )
    return [known[name] for name in names] if names else list(config.proxies)


def _text(verdicts: "list[Verdict]") -> str:
    from proxysync.cli.terminal import colours, paint, safe

    on = colours(sys.stdout)
    width = max((len(verdict.name) for verdict in verdicts), default=0)
    lines: list[str] = []
    for verdict in verdicts:
        word = paint("ok  ", "green", on=on) if verdict.ok else paint("FAIL", "red", on=on)
        lines.append(f"{word}  {verdict.name.ljust(width)}  {verdict.upstream}")
        lines += _steps(verdict.result, on=on)
        for path, upstream, result in verdict.locations:
            if result.failure:
                lines.append(f"      location {safe(path)}  {upstream}")
                lines += _steps(result, on=on)
    failed = sum(not verdict.ok for verdict in verdicts)
    lines.append(f"{len(verdicts) - failed} of {len(verdicts)} proxies pass")
    return "\n".join(lines)


def _steps(result: "Result", *, on: bool) -> list[str]:
    """One line for each step of a result that failed, none for one that passed."""
    from proxysync.cli.terminal import paint, safe

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
