"""Carries out a plan: one write at a time, each one checked, one bad entry stopping no other."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from proxysync.apply.order import Step, in_order
from proxysync.apply.report import Outcome, Report, Result
from proxysync.apply.write import Refusal, Writer
from proxysync.errors import ProxysyncError
from proxysync.model import Applied
from proxysync.npm.errors import NpmError, NpmRejectedError, NpmUnconfirmedError
from proxysync.plan.model import Change, Plan
from proxysync.store.state import FailedEntry, State

DONE_WORDS = {"create": "created", "update": "updated", "delete": "deleted", "adopt": "adopted"}


class Emit(Protocol):
    """How events are raised; see `store.events.EventLog.emit`."""

    def __call__(
        self,
        severity: str,
        source: str,
        event: str,
        message: str,
        *,
        proxy: str | None = None,
        data: Mapping[str, Any] | None = None,
    ) -> object: ...


@dataclass(frozen=True)
class Hooks:
    """What the caller wants to know or decide while a plan runs.

    `stop` is asked before each write; `progress` hears of each step before it starts.
    """

    stop: Callable[[], bool] = lambda: False
    progress: Callable[[str], object] = lambda _: None


class Engine:
    """Runs plans against one NPM and keeps the state true to what was done."""

    def __init__(self, writer: Writer, state: State, emit: Emit, hooks: Hooks = Hooks()) -> None:
        self._writer = writer
        self._state = state
        self._emit = emit
        self._hooks = hooks

    def run(self, plan: Plan) -> Report:
        """Carries out `plan.to_make`; the caller holds the write lock.

        A 5xx, a lost answer or an NPM that is away ends the run: NPM itself is then broken,
        and each further write would do harm.
        """
        for row in plan.records:
            self._state.record(row)
            self._state.clear_failure(row.kind, row.name)
        self._forget(plan)
        outcomes: list[Outcome] = []
        for step, stopped in self._steps(plan):
            if stopped is not None:
                return Report(tuple(outcomes), stopped)
            outcome, fatal = self._carry_out(step)
            if outcome is not None:
                outcomes.append(outcome)
            if fatal is not None:
                return Report(tuple(outcomes), fatal.message, fatal)
        return Report(tuple(outcomes))

    def _steps(self, plan: Plan) -> Iterator[tuple[Step, str | None]]:
        for step in in_order(plan.to_make):
            stopped = "it was told to stop" if self._hooks.stop() else None
            if stopped is None:
                self._hooks.progress(f"{step.change.action} {step.change.name}")
            yield step, stopped

    def _forget(self, plan: Plan) -> None:
        names = set(plan.forget)
        for row in self._state.applied():
            if row.name in names:
                self._state.forget(row.kind, [row.name])

    def _carry_out(self, step: Step) -> tuple[Outcome | None, NpmError | None]:
        """The outcome of a step (None for a mere release of names), and what ends the run."""
        change = step.change
        try:
            if step.keep is not None:
                self._writer.release(change, step.keep)
                return None, None
            live = self._writer.write(change)
        except Refusal as refusal:
            return self._refused(change, refusal), None
        except NpmRejectedError as error:
            return self._refused(change, Refusal(error.message, error.hint, retry=True)), None
        except NpmUnconfirmedError as error:
            return self._unconfirmed(change, error), error
        except NpmError as error:
            return _outcome(change, Result.SKIPPED, error), error
        if live is None:
            self._state.forget(change.kind, [change.name])
        else:
            assert change.desired is not None
            row = Applied(change.kind, change.name, live.npm_id, change.desired, live.created_on)
            self._state.record(row, replaces=_old_name(change))
            self._state.clear_failure(change.kind, change.name)
        npm_id = live.npm_id if live else change.npm_id
        self._announce(change, npm_id)
        return Outcome(change.name, change.action, npm_id, Result.DONE), None

    def _announce(self, change: Change, npm_id: int | None) -> None:
        done = DONE_WORDS[change.action]
        self._emit(
            "info",
            "apply",
            f"proxy.{done}",
            f"{change.name} {done}: {change.reason}",
            proxy=change.name,
            data={"npm_id": npm_id, "fields": sorted(change.fields), "drift": change.drift},
        )

    def _refused(self, change: Change, refusal: Refusal) -> Outcome:
        entry = FailedEntry(
            kind=change.kind,
            name=change.name,
            fields=change.desired or {},
            live=refusal.live.fields if refusal.live else None,
            reason=refusal.message,
            retry=refusal.retry,
        )
        if entry not in self._state.failures():
            self._state.add_failure(entry)
            self._emit(
                "error",
                "apply",
                "proxy.failed",
                f"{change.action} of {change.name} failed: {refusal.message}",
                proxy=change.name,
                data={"action": change.action, "npm_id": change.npm_id, "hint": refusal.hint},
            )
        return _outcome(change, Result.FAILED, refusal)

    def _unconfirmed(self, change: Change, error: NpmUnconfirmedError) -> Outcome:
        """Marks the host, so that it is written again though NPM may show it as desired."""
        live = error.live
        if live is not None and change.desired is not None:
            before = {row.name: row for row in self._state.applied() if row.kind == change.kind}
            known = before.get(_old_name(change) or change.name)
            fields = known.fields if known else change.desired
            row = Applied(
                change.kind, change.name, live.npm_id, fields, live.created_on, unconfirmed=True
            )
            self._state.record(row, replaces=_old_name(change))
        return _outcome(change, Result.UNCONFIRMED, error)


def _outcome(change: Change, result: Result, error: ProxysyncError) -> Outcome:
    return Outcome(change.name, change.action, change.npm_id, result, error.message, error.hint)


def _old_name(change: Change) -> str | None:
    """The name in NPM's marker, where it is another one: the entry was renamed."""
    marker = change.live.marker if change.live else None
    return marker.name if marker and marker.name != change.name else None
