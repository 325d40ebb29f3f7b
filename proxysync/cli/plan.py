"""Shows what would change in NPM to bring it in line with the file. Touches nothing.

Exits with 0, or with --detailed-exitcode: 0 no changes, 2 some, 1 an error.
"""

import argparse
import sys
from typing import TYPE_CHECKING

from proxysync.app.access import connect
from proxysync.cli.flags import add_format
from proxysync.cli.reading import read_state

if TYPE_CHECKING:
    from proxysync.config.models import Config
    from proxysync.model import Snapshot
    from proxysync.plan.model import Plan


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--probe", action="store_true", help="validate the upstreams, too")
    parser.add_argument(
        "--detailed-exitcode",
        action="store_true",
        help="exit with 2 if there are changes",
    )
    add_format(parser, "markdown")


def run(arguments: argparse.Namespace) -> int:
    from proxysync.app.reconcile import APPLIED_ANYWAY, build_plan, known_blocks, to_validate
    from proxysync.cli import context, terminal

    env = context.environment(arguments)
    config = context.config(env)
    npm = connect(env)
    snapshot = npm.snapshot()
    state = read_state(env.state_dir)
    plan = build_plan(config, snapshot, state)
    if arguments.probe:
        from proxysync.app.validate import count_upstreams, validate
        from proxysync.model.redact import redact

        candidates = to_validate(config, plan)
        bar = terminal.progress("probing")(count_upstreams(candidates))
        verdicts = validate(candidates, config.settings.validation, on_result=bar)
        blocked = {verdict.key: verdict.reason for verdict in verdicts if verdict.blocks}
        for verdict in verdicts:
            if verdict.warns:
                text = f"Warning: {verdict.name} would be {APPLIED_ANYWAY}: {verdict.reason}"
                terminal.note(terminal.safe(redact(text, config.secrets)))
        plan = build_plan(config, snapshot, state, blocked=blocked)
    else:
        for entry in known_blocks(config, plan, state):
            text = f"Note: {entry.key} was blocked when it was last probed: {entry.reason}; "
            terminal.note(f"{text}`proxysync plan --probe` probes it again.")
    show(plan, config, snapshot, arguments.format)
    if visibility_warning := npm.visibility_warning():
        terminal.note(f"Warning: {visibility_warning}")
    hold = state.hold() if state else None
    if hold is not None and hold.covers(config.fingerprint):
        terminal.note(
            f"Note: NPM was rolled back to before run {hold.run_id}; it stays so until the "
            "content of the file changes or `proxysync resume` is given."
        )
    if plan.refused:
        return 1
    return 2 if arguments.detailed_exitcode and not plan.empty else 0


def show(plan: "Plan", config: "Config", snapshot: "Snapshot", style: str) -> None:
    """Prints a plan in one of its styles."""
    from proxysync.cli import terminal
    from proxysync.kinds.references import reference_names
    from proxysync.plan import render

    if style == "json":
        terminal.print_json(render.to_json(plan, mask=config.secrets))
        return
    names = reference_names(snapshot)
    if style == "markdown":
        print(render.to_markdown(plan, mask=config.secrets, names=names))
    else:
        colour = terminal.colours(sys.stdout)
        print(render.to_text(plan, colour=colour, mask=config.secrets, names=names))
