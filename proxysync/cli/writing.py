"""What all commands that write have in common: they ask, and end cleanly when interrupted."""

import argparse
from collections.abc import Callable, Sequence
from functools import partial

from proxysync.app.apply_once import Caller
from proxysync.app.plan import PlanResult
from proxysync.cli import interrupt, terminal
from proxysync.cli.plan import show
from proxysync.model.errors import ProxysyncError
from proxysync.plan.model import Action


def caller(
    arguments: argparse.Namespace,
    confirm: Callable[[PlanResult], bool] | None = None,
    show_plan: Callable[[PlanResult], object] | None = None,
) -> Caller:
    """The person at the terminal; with --yes nobody is asked, and the plan is just shown."""
    return Caller(
        confirm=None if arguments.yes else confirm,
        show=show_plan or show_in(arguments.format),
        lock_timeout=arguments.lock_timeout,
        hooks=interrupt.hooks(terminal.step),
        on_probe=terminal.progress("probing"),
    )


def show_in(style: str) -> Callable[[PlanResult], object]:
    """Shows a plan unless JSON is all that stdout may get."""
    return partial(show, style=style) if style == "text" else lambda _found: None


def confirm_in(style: str) -> Callable[[PlanResult], bool]:
    """The same, and asks if there is what to do."""

    def confirm(found: PlanResult) -> bool:
        show_in(style)(found)
        if found.plan.to_make:
            ask(found)
        return True

    return confirm


def ask(found: PlanResult) -> None:
    """Raises ProxysyncError unless a person agrees to the plan that was shown."""
    actions = [change.action for change in found.plan.to_make]
    if not terminal.confirm(_question(actions)):
        raise ProxysyncError("Cancelled.", hint="With --yes it is done without a question.")


def _question(actions: Sequence[Action]) -> str:
    verb, noun = {
        frozenset({"adopt"}): ("Take over", "host"),
        frozenset({"release"}): ("Give back", "host"),
    }.get(frozenset(actions), ("Apply", "change"))
    return f"{verb} {len(actions)} {noun}{'' if len(actions) == 1 else 's'}?"
