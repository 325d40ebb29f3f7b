"""What a reconcile, an adoption or a rollback came to."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from proxysync.app.verdict import Verdict
from proxysync.apply.report import ChangeResult, Report
from proxysync.model import Key
from proxysync.model.redact import redact
from proxysync.plan import render
from proxysync.plan.model import UNFINISHED, Change, HoldKind, Plan

APPLIED_ANYWAY = "applied although validation failed (mode: warn)"


@dataclass(frozen=True)
class ReconcileResult:
    """What was planned, what validation said, and what became of it.

    `secrets` are not to be shown. With `only_shown`, nobody said that it is to be carried out.
    """

    plan: Plan
    verdicts: tuple[Verdict, ...] = ()
    report: Report = field(default_factory=Report)
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)
    only_shown: bool = False

    @property
    def ok(self) -> bool:
        """Whether NPM is in sync with the file, but for what the file itself leaves alone."""
        return self.report.ok and not self.plan.refused and not self.unfinished

    @property
    def warned(self) -> tuple[Verdict, ...]:
        """What failed validation and was applied all the same, for the file asks for that."""
        done = {o.key for o in self.report.outcomes if o.result is ChangeResult.DONE}
        return tuple(v for v in self.verdicts if v.warns and v.key in done)

    @property
    def left(self) -> tuple[Change, ...]:
        """Differences that were left as they are, and do not make the run a failure."""
        return self.plan.held(*(kind for kind in HoldKind if kind not in UNFINISHED))

    @property
    def unfinished(self) -> tuple[Change, ...]:
        """Changes that could not be made: conflicts, blocked and failed entries."""
        return tuple(
            change
            for change in self.plan.changes
            if change.action == "conflict" or (change.hold and change.hold.kind in UNFINISHED)
        )

    @property
    def not_made(self) -> frozenset[Key]:
        """The entries that NPM does not have as the file says."""
        failed = {o.key for o in self.report.outcomes if o.result is not ChangeResult.DONE}
        left = {c.key for c in self.plan.changes if c.hold or c.action == "conflict"}
        return frozenset(failed | left)

    def to_json(self) -> dict[str, Any]:
        """The shape of `apply --format json`, without secrets."""
        value = {
            "ok": self.ok,
            "plan": render.to_json(self.plan, mask=self.secrets),
            "validation": [verdict.to_json() for verdict in self.verdicts],
            "outcomes": [
                {
                    "kind": outcome.key.kind,
                    "name": outcome.name,
                    "action": outcome.action,
                    "npm_id": outcome.npm_id,
                    "result": str(outcome.result),
                    "message": outcome.message,
                    "hint": outcome.hint,
                }
                for outcome in self.report.outcomes
            ],
            "stopped": self.report.stopped,
            "warnings": [
                {
                    "kind": verdict.key.kind,
                    "name": verdict.name,
                    "message": f"{APPLIED_ANYWAY}: {verdict.reason}",
                    "hint": verdict.hint,
                }
                for verdict in self.warned
            ],
            "unseen": self.report.unseen,
        }
        masked: dict[str, Any] = redact(value, self.secrets)
        return masked
