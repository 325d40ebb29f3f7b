"""The way from a loaded file to an NPM in line with it: plan, validate, apply, remember."""

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

from proxysync.app.contest import Contest
from proxysync.app.rollback import plan_back, why_back
from proxysync.app.runner import Runner
from proxysync.app.validate import Verdict, count_upstreams, definition_digest, validate
from proxysync.apply.report import ChangeResult, Report
from proxysync.kinds import KINDS
from proxysync.kinds.entry import Resource
from proxysync.kinds.references import reference_fingerprint
from proxysync.model import Key, Snapshot, clock
from proxysync.model.event import NewEvent
from proxysync.plan.adoption import only_adoptions
from proxysync.plan.model import MARKER_FIELD, UNFINISHED, Change, HoldKind, Plan
from proxysync.plan.planner import make_plan
from proxysync.plan.policy import Failure, Policy
from proxysync.store.state import RETRY, BlockedEntry, Hold, State
from proxysync.values.limits import DeleteLimit

if TYPE_CHECKING:
    from proxysync.config.models import Config, Settings

APPLIED_ANYWAY = "applied although validation failed (mode: warn)"


@dataclass(frozen=True)
class Options:
    """What a single run may ask for beyond the file.

    With `adopting`, only these entries are looked at, to take over the foreign hosts that
    hold their domains. With `keep_drift`, a way back leaves alone what was changed in NPM.
    Those in `patience` are not written again just because nginx does not serve them.
    """

    max_delete: DeleteLimit | None = None
    recreate: bool = False
    delete_orphans: bool = False
    adopting: frozenset[Key] = frozenset()
    keep_drift: bool = False
    patience: frozenset[Key] = frozenset()
    why: str = "apply"


@dataclass(frozen=True)
class Round:
    """One reconciliation: what was planned, what validation said, what became of it."""

    plan: Plan
    verdicts: tuple[Verdict, ...] = ()
    report: Report = field(default_factory=Report)

    @property
    def ok(self) -> bool:
        """Whether NPM is in line with the file, but for what the file itself leaves alone."""
        return self.report.ok and not self.plan.refused and not self.unsettled

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
    def unsettled(self) -> tuple[Change, ...]:
        """Changes that could not be made: conflicts, blocked and failed entries."""
        return tuple(
            change
            for change in self.plan.changes
            if change.action == "conflict" or (change.hold and change.hold.kind in UNFINISHED)
        )


def build_plan(
    config: "Config",
    snapshot: Snapshot,
    state: State | None,
    options: Options = Options(),
    blocked: Mapping[Key, str] | None = None,
) -> Plan:
    """The plan for this file against this reading of NPM; `state` is None where there is none."""
    settings = config.settings
    policy = Policy(
        instance=settings.instance,
        state=state.id if state else None,
        drift=settings.drift,
        prune=settings.prune,
        max_delete=settings.max_delete,
        max_delete_override=options.max_delete,
        recreate=options.recreate,
        delete_orphans=options.delete_orphans,
        maybe_truncated=config.maybe_truncated,
        adopting=options.adopting,
        contested=state.contests.lost(config.fingerprint) if state else {},
        unknown_texts=state.unknown_texts() if state else frozenset(),
        unserved=_unserved(state) - options.patience if settings.verifies else frozenset(),
    )
    plan = make_plan(
        [KINDS[r.key.kind].desired(r, snapshot) for r in config.resources],
        snapshot,
        state.applied() if state else (),
        policy,
        blocked=blocked or {},
        failures=_failures(state, snapshot),
    )
    return only_adoptions(plan, options.adopting) if options.adopting else plan


def _unserved(state: State | None) -> frozenset[Key]:
    standings = state.edges.standings() if state else {}
    return frozenset(key for key, found in standings.items() if found.status == "not_served")


def _failures(state: State | None, snapshot: Snapshot) -> list[Failure]:
    """Definitions that are not to be tried again as they are, and as NPM is."""
    return [
        Failure(entry.key, entry.fields, entry.live, entry.reason)
        for entry in (state.failures() if state else ())
        if not entry.retry and entry.surroundings == reference_fingerprint(entry.fields, snapshot)
    ]


def to_validate(config: "Config", plan: Plan) -> list[Resource]:
    """The enabled entries whose definition the plan would create or change.

    To write again what NPM has, or to mark it as ours, makes no site worse than it is.
    """
    keys = {
        change.key
        for change in plan.to_make
        if change.target is not None
        and KINDS[change.kind].is_enabled(change.target)
        and (change.live is None or set(change.fields) - {MARKER_FIELD})
    }
    return [resource for resource in config.resources if resource.key in keys]


def known_blocks(config: "Config", plan: Plan, state: State | None) -> list[BlockedEntry]:
    """What of the plan was blocked as it is now when it was last validated."""
    digests = {
        p.key: definition_digest(p, config.settings.validation) for p in to_validate(config, plan)
    }
    blocked = state.blocked() if state else ()
    return [entry for entry in blocked if digests.get(entry.key) == entry.definition]


class Reconciler(Runner):
    """Brings one NPM in line with a file; the caller holds the write lock."""

    def plan(self, config: "Config", options: Options = Options()) -> Plan:
        return build_plan(config, self._npm.snapshot(), self._state, options)

    def reconcile(
        self,
        config: "Config",
        options: Options = Options(),
        *,
        patient: bool = False,
    ) -> Round:
        """One round. With `patient`, an entry whose next try is not due yet stays blocked.

        Raises NpmError if NPM cannot be read.
        """
        snapshot, trouble = self._recovered(config.settings)
        plan = build_plan(config, snapshot, self._state, options)
        if plan.refused:
            return Round(plan)
        candidates = to_validate(config, plan)
        waiting = self._not_due(config, candidates) if patient else {}
        verdicts = self._validate(config, [p for p in candidates if p.key not in waiting])
        if self._hooks.stop():
            # Probes that were cut short say nothing about their upstreams.
            return Round(plan, report=Report(stopped="it was told to stop"))
        blocked = waiting | {v.key: v.reason for v in verdicts if v.blocks}
        if blocked:
            plan = build_plan(config, snapshot, self._state, options, blocked)
        # Where only some entries were looked at, the others are blocked as before.
        looked_at = {entry.key for entry in self._state.blocked()}
        if options.adopting:
            looked_at &= {change.key for change in plan.changes}
        self._remember_blocked(config, verdicts, looked_at - set(blocked))

        def replan(now: Snapshot) -> Plan:
            return build_plan(config, now, self._state, options, blocked)

        plan, report = self._carry_out(
            plan, snapshot, replan, config.settings, options.why, config.fingerprint
        )
        contest = Contest(self._npm, self._state, self._emit)
        plan = contest.follow(plan, report, config.fingerprint)
        if trouble is not None and report.error is None:
            raise trouble
        return Round(plan, tuple(verdicts), report)

    def plan_back(self, run_id: int, settings: "Settings", options: Options = Options()) -> Plan:
        """The plan back to what managed hosts were before this run."""
        return self._plan_back(run_id, self._then(settings), options, self._npm.snapshot())

    def roll_back(
        self, run_id: int, settings: "Settings", fingerprint: str, options: Options = Options()
    ) -> Round:
        """Goes back, and holds: nobody applies the file as long as its content is the same.

        `fingerprint` is the file's as it is now, good or bad; empty where there is none.
        """
        settings = self._then(settings)
        snapshot, _ = self._recovered(settings)
        plan = self._plan_back(run_id, settings, options, snapshot)
        if plan.refused or not plan.to_make:
            return Round(plan)
        # Held before the first write: a daemon must not put the file back in between.
        allowed = str(options.max_delete) if options.max_delete else None
        self._state.set_hold({fingerprint, self._journal.fingerprint}, run_id, allowed)
        return self._go_back(run_id, settings, options, plan, snapshot)

    def continue_back(self, hold: Hold, settings: "Settings") -> Round:
        """Finishes a rollback that was cut off; what was changed in NPM since then stays.

        Raises NpmError.
        """
        settings = self._then(settings)
        limit = DeleteLimit.parse(hold.max_delete) if hold.max_delete else None
        options = Options(max_delete=limit, keep_drift=True)
        snapshot, trouble = self._recovered(settings)
        plan = self._plan_back(hold.run_id, settings, options, snapshot)
        done = self._go_back(hold.run_id, settings, options, plan, snapshot)
        if trouble is not None and done.report.error is None:
            raise trouble
        return done

    def _go_back(
        self, run_id: int, settings: "Settings", options: Options, plan: Plan, snapshot: Snapshot
    ) -> Round:
        def replan(now: Snapshot) -> Plan:
            return self._plan_back(run_id, settings, options, now)

        why, fingerprint = why_back(run_id), self._journal.fingerprint
        plan, report = self._carry_out(plan, snapshot, replan, settings, why, fingerprint)
        return Round(plan, report=report)

    def _then(self, settings: "Settings") -> "Settings":
        """The settings of a way back: whose hosts they are does not depend on the file."""
        return settings.model_copy(update={"instance": self._journal.instance})

    def _plan_back(
        self, run_id: int, settings: "Settings", options: Options, snapshot: Snapshot
    ) -> Plan:
        policy = Policy(
            instance=settings.instance,
            state=self._state.id,
            drift="report" if options.keep_drift else "fix",
            max_delete=settings.max_delete,
            max_delete_override=options.max_delete,
            back_to=run_id,
            unknown_texts=self._state.unknown_texts(),
        )
        return plan_back(
            run_id,
            self._journal.entries(since=run_id),
            self._state.applied(),
            snapshot,
            policy,
            _failures(self._state, snapshot),
        )

    def _not_due(self, config: "Config", candidates: Sequence[Resource]) -> dict[Key, str]:
        moment = clock.now()
        known = {entry.key: entry for entry in self._state.blocked()}
        return {
            proxy.key: known[proxy.key].reason
            for proxy in candidates
            if proxy.key in known
            and known[proxy.key].wait(moment) > 0
            and known[proxy.key].definition == definition_digest(proxy, config.settings.validation)
        }

    def _validate(self, config: "Config", proxies: Sequence[Resource]) -> list[Verdict]:
        if not proxies:
            return []
        return validate(
            proxies,
            config.settings.validation,
            on_result=self._on_probe(count_upstreams(proxies)),
            stop=self._hooks.stop,
        )

    def _remember_blocked(
        self, config: "Config", verdicts: Sequence[Verdict], unblocked: Set[Key]
    ) -> None:
        by_key = {proxy.key: proxy for proxy in config.resources}
        known = {entry.key: entry for entry in self._state.blocked()}
        for verdict in verdicts:
            before = known.get(verdict.key)
            digest = definition_digest(by_key[verdict.key], config.settings.validation)
            if verdict.blocks:
                same = before is not None and before.definition == digest
                tries = before.tries if before and same else 0
                pause = timedelta(seconds=RETRY.pause(tries))
                self._state.block(verdict.key, digest, verdict.reason, verdict.hint, pause)
                if not same:
                    self._tell("proxy.blocked", "is blocked", verdict)
            elif not verdict.ok:
                self._tell("proxy.suspect", f"will be {APPLIED_ANYWAY}", verdict)
            elif before is not None:
                message = f"{verdict.name} passes validation now"
                self._emit(NewEvent("proxy.unblocked", message, verdict.key))
        self._state.unblock(unblocked)

    def _tell(self, event: str, what: str, verdict: Verdict) -> None:
        message = f"{verdict.name} {what}: {verdict.reason}"
        data = {"hint": verdict.hint, "result": verdict.to_json()}
        self._emit(NewEvent(event, message, verdict.key, data))
