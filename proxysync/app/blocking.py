"""What validation found, kept for the next run and told of: each thing once."""

from datetime import timedelta

from proxysync.app.planning import Probed
from proxysync.app.result import APPLIED_ANYWAY
from proxysync.app.verdict import Verdict, definition_digest
from proxysync.model.event import Emit, NewEvent
from proxysync.plan.model import Plan
from proxysync.store.state import RETRY, State


def remember_blocked(state: State, emit: Emit, probed: Probed, plan: Plan) -> None:
    """Blocks what failed, and unblocks what passes or is not asked for any more.

    `plan` is the one without what failed: where it is for some entries only, the others are
    blocked as before.
    """
    read = probed.planned.read
    settings = read.config.settings.validation
    entries = {entry.key: entry for entry in read.config.resources}
    known = {entry.key: entry for entry in read.remembered.blocked}
    for verdict in probed.verdicts:
        before = known.get(verdict.key)
        digest = definition_digest(entries[verdict.key], settings)
        if verdict.blocks:
            same = before is not None and before.definition == digest
            tries = before.tries if before and same else 0
            pause = timedelta(seconds=RETRY.pause(tries))
            state.block(verdict.key, digest, verdict.reason, verdict.hint, pause)
            if not same:
                _tell(emit, "proxy.blocked", "is blocked", verdict)
        elif not verdict.ok:
            _tell(emit, "proxy.suspect", f"will be {APPLIED_ANYWAY}", verdict)
        elif before is not None:
            message = f"{verdict.name} passes validation now"
            emit(NewEvent("proxy.unblocked", message, verdict.key))
    unblocked = set(known)
    if read.options.is_partial:
        unblocked &= {change.key for change in plan.changes}
    state.unblock(unblocked - set(probed.blocked))


def _tell(emit: Emit, event: str, what: str, verdict: Verdict) -> None:
    message = f"{verdict.name} {what}: {verdict.reason}"
    data = {"hint": verdict.hint, "result": verdict.to_json()}
    emit(NewEvent(event, message, verdict.key, data))
