"""Somebody else who changes again and again what we put right: counted, left alone, and named."""

from dataclasses import replace

from proxysync.apply.report import ChangeResult, Report
from proxysync.kinds import KINDS
from proxysync.model.event import Emit, NewEvent
from proxysync.npm.client import NpmClient
from proxysync.npm.errors import NpmError
from proxysync.plan.model import HOST, PASSWORDS, Change, HoldKind, Plan
from proxysync.store.state import State


class Contest:
    """What one run has to do with it; see `plan.contested` for what comes of it."""

    def __init__(self, npm: NpmClient, state: State, emit: Emit) -> None:
        self._npm = npm
        self._state = state
        self._emit = emit

    def follow(self, plan: Plan, report: Report, fingerprint: str) -> Plan:
        """Remembers what this run has put right, for the file with this fingerprint.

        The plan says then who writes, where something is left alone; one event says so, too.
        """
        self._count(plan, report, fingerprint)
        return replace(plan, changes=tuple(map(self._named, plan.changes)))

    def _count(self, plan: Plan, report: Report, fingerprint: str) -> None:
        done = {(o.key, o.action) for o in report.outcomes if o.result is ChangeResult.DONE}
        for change in plan.to_make:
            fields = change.undoes & {*change.fields, HOST, PASSWORDS}
            if fields and (change.key, change.action) in done:
                self._state.contests.count(change.key, fields, fingerprint)

    def _named(self, change: Change) -> Change:
        if change.hold is None or change.hold.kind is not HoldKind.CONTESTED:
            return change
        reason = f"{change.hold.reason}; {self._who(change)}"
        if self._state.contests.tell(change.key):
            message = f"{change.name} is left as it is: {reason}"
            data = {"npm_id": change.npm_id, "fields": sorted(change.fields)}
            self._emit(NewEvent("proxy.contested", message, change.key, data))
        return replace(change, hold=replace(change.hold, reason=reason))

    def _who(self, change: Change) -> str:
        writer = change.live.writer if change.live else None
        if writer not in (None, self._state.id):
            return f"its marker names another state folder of proxysync, {writer}"
        try:
            user = change.npm_id and self._npm.last_writer(KINDS[change.kind], change.npm_id)
        except NpmError:
            user = None
        if user:
            return f"by NPM's audit log, {user} wrote it last"
        return "NPM's audit log, which only an administrator can read, says who it is"
