"""Checks side by side, each after those that it needs, and all of them within some seconds."""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace

from proxysync.app.doctor.check import Check, Status
from proxysync.model.errors import ProxysyncError

Futures = Mapping[str, "Future[Check]"]


@dataclass(frozen=True)
class Step:
    """A check to be made, unless one of those that it `needs` was not good.

    What `make` raises as ProxysyncError is its failure.
    """

    name: str
    make: Callable[[], Check]
    needs: tuple[str, ...] = ()


def run(steps: Sequence[Step], seconds: float) -> tuple[Check, ...]:
    """What each came to, in their order; what is still under way in the end has failed."""
    end = time.monotonic() + seconds
    futures: Futures = {step.name: Future() for step in steps}
    for step in steps:
        # A thread that hangs is left behind, and does not hold up the end of the process.
        threading.Thread(
            target=_fulfil, args=(step, futures), name=f"check {step.name}", daemon=True
        ).start()
    return tuple(
        replace(_result(futures[step.name], end, seconds), name=step.name) for step in steps
    )


def _fulfil(step: Step, futures: Futures) -> None:
    for name in step.needs:
        if futures[name].result().status in (Status.FAIL, Status.SKIPPED):
            futures[step.name].set_result(Check.skipped(f"not looked at, because of: {name}"))
            return
    futures[step.name].set_result(_made(step))


def _made(step: Step) -> Check:
    try:
        return step.make()
    except ProxysyncError as error:
        return Check.fail(error.message, error.hint)
    except Exception as error:  # noqa: BLE001 - one odd machine must not end the other checks
        return Check.fail(
            f"the check itself failed: {type(error).__name__}: {error}",
            "This is a bug of proxysync. Please report it.",
        )


def _result(future: "Future[Check]", end: float, seconds: float) -> Check:
    try:
        return future.result(max(0.0, end - time.monotonic()))
    except TimeoutError:
        return Check.fail(
            f"was not over within {seconds:g} s", "Something hangs: a disk or a name server, say."
        )
