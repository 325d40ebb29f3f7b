"""What is risky, tried on throwaway hosts before anything is touched."""

from collections.abc import Sequence
from dataclasses import dataclass

from proxysync.apply.after_refusal import AfterRefusal, LeaveHost, after_rehearsal
from proxysync.apply.canary import try_out, try_out_upload
from proxysync.apply.domain_move import DomainMove
from proxysync.apply.host_writer import HostWriter, needs_no_write
from proxysync.apply.ledger import Ledger
from proxysync.apply.order import held, wanted
from proxysync.apply.outcome import ApplyError
from proxysync.apply.protection import asks_strangers
from proxysync.apply.report import ChangeOutcome
from proxysync.apply.site_check import SiteCheck
from proxysync.kinds import GATE, KINDS, Kind
from proxysync.kinds.references import access_list_in
from proxysync.model import Applied, Fields, Live, Marker, Reference
from proxysync.npm.client import NpmClient
from proxysync.npm.errors import NpmError, NpmNotFoundError, NpmRejectedError
from proxysync.plan.model import Change, Plan


@dataclass(frozen=True)
class Rehearsal:
    """What came of trying a plan: whether it is still `good`, and what is new among its refusals.

    `error` is what NPM did to end it before all was tried.
    """

    good: bool = True
    refused: tuple[tuple[Change, ChangeOutcome], ...] = ()
    error: NpmError | None = None

    def then(self, other: "Rehearsal") -> "Rehearsal":
        """Another one after this one, whose refusals are still to be told."""
        return Rehearsal(other.good, self.refused + other.refused, other.error)


def rehearse(
    plan: Plan, npm: NpmClient, hosts: HostWriter, sites: SiteCheck, ledger: Ledger
) -> Rehearsal:
    """Tries what is risky.

    What nginx refuses is remembered, so that the next plan leaves it out, and with it
    whatever another entry would have given up for it.
    """
    rehearsal = Rehearsal()
    for change in plan.to_make:
        if needs_no_write(change):
            continue
        if _is_its_own_canary(change, plan.to_make):
            continue
        error = _try(change, npm, hosts, sites, ledger.last(change))
        if isinstance(error, NpmError):
            return Rehearsal(rehearsal.good, rehearsal.refused, error)
        if error is not None:
            outcome, is_new = ledger.refused(change, error)
            new = ((change, outcome),) if is_new else ()  # else the history has it already
            rehearsal = Rehearsal(good=False, refused=rehearsal.refused + new)
    return rehearsal


def _try(
    change: Change, npm: NpmClient, hosts: HostWriter, sites: SiteCheck, last: Applied | None
) -> ApplyError | NpmError | None:
    """What is wrong with the change; a live host that nginx rejects gets back what last worked."""
    if change.target is None:
        return None
    try:
        before = hosts.refetch(change, DomainMove()) if change.live else None
        if not _is_risky(change, before):
            return None
        marker = Marker(change.name, hosts.instance, canary=True)
        target = _as_far_as_known(KINDS[change.kind], change.target, before)
        trouble = _tried(change, target, npm, sites, marker)
        if trouble is None:
            return None
        return hosts.carry_out(_after(change, before, last), before, before, trouble)
    except (NpmRejectedError, NpmNotFoundError) as error:
        return ApplyError(error.message, error.hint, live=change.live, retry=False)
    except (ApplyError, NpmError) as error:
        return error


def _is_its_own_canary(change: Change, others: Sequence[Change]) -> bool:
    """Whether it is new and takes nothing away, so that nobody misses it where nginx refuses it.

    What is uploaded is something that hosts come to use in the same run, and what is behind a list
    may stand open by its own configuration.
    """
    kind = KINDS[change.kind]
    tried = kind.is_uploaded or _may_stand_open(kind, change.target)
    return change.live is None and not tried and not _takes_from_another(change, others)


def _may_stand_open(kind: Kind, target: Fields | None) -> bool:
    known = _as_far_as_known(kind, target or {}, None)
    return bool(access_list_in(known)) and any(known.get(name) for name in kind.free_text)


def _as_far_as_known(kind: Kind, target: Fields, before: Live | None) -> Fields:
    """The definition without what is only made in the run: the host keeps what it has for that.

    Where that is no access list, though it is to have one, nobody is let in meanwhile.
    """
    now = before.fields if before else {}
    unknown = [field for field, value in target.items() if isinstance(value, Reference)]
    known = {**target, **{field: now.get(field, 0) for field in unknown}}
    is_open = any(kind.refers_to[field] == GATE.name and not known[field] for field in unknown)
    return kind.silent(known) if is_open else known


def _after(change: Change, before: Live | None, last: Applied | None) -> AfterRefusal:
    if KINDS[change.kind].is_uploaded:
        return LeaveHost("what was uploaded before was not touched")
    return after_rehearsal(before, last)


def _tried(
    change: Change, target: Fields, npm: NpmClient, sites: SiteCheck, marker: Marker
) -> str | None:
    kind = KINDS[change.kind]
    if kind.is_uploaded:
        return try_out_upload(npm, kind, target, change.secrets, marker)
    # A location of the entry's own is not behind the list, and a look once it is live is too late.
    look = sites.lets_strangers_in if asks_strangers(npm, target) else None
    return try_out(npm, kind, target, marker, look)


def _is_risky(change: Change, before: Live | None) -> bool:
    """Whether it could make nginx reject a host that is live, and that it does not reject yet."""
    assert change.target is not None
    kind = KINDS[change.kind]
    now = before.fields if before else kind.complete({})
    if not (kind.is_enabled(now) and kind.is_enabled(change.target)):
        return False
    same = all(change.target.get(name) == now.get(name) for name in kind.risky)
    works = before is None or before.online or change.action == "release"
    return bool(kind.risky) and not (same and works)


def _takes_from_another(change: Change, changes: Sequence[Change]) -> bool:
    return any(wanted(change) & held(other) for other in changes)
