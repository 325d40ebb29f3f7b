"""The steps of a plan, written: a change as a whole, or its parts in a domain move."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from proxysync.apply.canary import reload_nginx
from proxysync.apply.domain_move import DomainMove
from proxysync.apply.host_writer import HostWriter, PreparedWrite, needs_no_write
from proxysync.apply.order import NO_NAMES, Names, Part, WriteStep, held, placeholder
from proxysync.apply.outcome import ApplyError, WriteOutcome
from proxysync.apply.port_writer import PortWriter
from proxysync.apply.promise import NOTHING_PROMISED, Before, Promise
from proxysync.apply.protection import check_protection
from proxysync.apply.site_check import SiteCheck
from proxysync.kinds import KINDS
from proxysync.kinds.domains import is_served
from proxysync.kinds.references import certificate_in
from proxysync.kinds.refusal import refusal_of
from proxysync.model import Applied, Fields, Live, Snapshot
from proxysync.npm.client import NpmClient
from proxysync.npm.errors import NpmError, NpmRejectedError, NpmUnconfirmedError
from proxysync.plan.model import Change
from proxysync.plan.references import unresolved
from proxysync.store.journal import Row


class StepWriter:
    """Writes the steps of plans; raises ApplyError for an entry's own failure, else NpmError."""

    def __init__(
        self, npm: NpmClient, hosts: HostWriter, sites: SiteCheck, snapshot: Snapshot
    ) -> None:
        self._npm = npm
        self._snapshot = snapshot
        self._hosts = hosts
        self._sites = sites
        self._ports = PortWriter(npm, hosts, sites)

    def write(
        self, step: WriteStep, last: Applied | None, move: DomainMove, before: Before, row: Row
    ) -> WriteOutcome:
        """Carries the step out, and returns what NPM then has.

        `last` is what was last applied, and `before` how the sites answered before any write.
        The row of the journal gets what must be known of the write should we be killed in it.
        """
        change = step.change
        if needs_no_write(change) and not (last and last.unconfirmed):
            now = self._hosts.refetch(change, move)
            off = now.online is False and KINDS[now.kind].is_enabled(now.fields)
            note = f"nginx does not serve it, as before: {refusal_of(now)}" if off else None
            return WriteOutcome(change, now, note=note)
        if step.part is Part.DETACH:
            return self._detach(change, step.names, move)
        elsewhere = NO_NAMES
        if step.part is Part.FINISH:
            self._require_taken(change, step.names, move)
            if move.is_finished(change, self._hosts.marker(change)):
                return WriteOutcome(change, move.now(change))
            elsewhere = step.names & before.served
        aliases = step.names if step.part is Part.TAKE else NO_NAMES
        prepared = self._prepare(change, aliases, last, move, before)
        promise = prepared.promise
        row.promise(promise.before.responding, protected=promise.protected and promise.is_visible)
        outcome = self._ports.write(prepared, move, row.created)
        self._load(outcome)
        return replace(outcome, promise=replace(outcome.promise, elsewhere=elsewhere))

    def _load(self, outcome: WriteOutcome) -> None:
        """Has nginx load what NPM has only rendered."""
        live = outcome.live
        if live is None or not KINDS[live.kind].loads_late(self._npm.server().version):
            return
        self._reload(live)

    def load_upload(self, outcome: WriteOutcome, others: Sequence[Change]) -> None:
        """Has nginx load what was uploaded, if none of the other changes writes a host with it."""
        written = {(other.kind, other.npm_id) for other in others if other.target is not None}
        users = [live for live in users_of(self._snapshot, outcome.change) if _is_up(live)]
        if users and not any((live.kind, live.npm_id) in written for live in users):
            self._reload(outcome.live)

    def _reload(self, live: Live | None) -> None:
        """Raises NpmUnconfirmedError where nginx may not have loaded what was written."""
        try:
            reload_nginx(self._npm, self._hosts.instance)
        except NpmError as error:
            raise NpmUnconfirmedError(
                f"{error.message}, so that nginx has not loaded it yet", hint=error.hint, live=live
            ) from error

    def restore_domains(self, change: Change, move: DomainMove) -> WriteOutcome:
        """Puts a detached host back as it was, with those of its names that no other host has."""
        kind = KINDS[change.kind]
        now = self._hosts.refetch(change, move)
        fields = move.restored(change, now)
        if fields != now.fields:
            now = self._npm.update(kind, now, fields, now.marker)
        return WriteOutcome(change, now)

    def take_back(self, outcome: WriteOutcome, move: DomainMove, trouble: str) -> ApplyError:
        """See `HostWriter.take_back`."""
        return self._hosts.take_back(outcome, move, trouble)

    def _detach(self, change: Change, names: Names, move: DomainMove) -> WriteOutcome:
        """Leaves the change's host only these names, so that other hosts can take the rest."""
        kind = KINDS[change.kind]
        live = self._hosts.refetch(change, move)
        if kind.claims(live.fields) == names:  # an earlier run was killed after it
            return WriteOutcome(change, live)
        try:
            fields = kind.with_claims(live.fields, names)
            live = self._npm.update(kind, live, fields, live.marker)
        except NpmRejectedError:  # an old NPM takes no aliases
            own = names & held(change) or frozenset({placeholder(change)})
            live = self._npm.update(kind, live, kind.with_claims(live.fields, own), live.marker)
        return WriteOutcome(change, live)

    def _require_taken(self, change: Change, given: Names, move: DomainMove) -> None:
        """Raises ApplyError if another host could not take what was given: the host keeps it."""
        missing = move.not_taken(change, given)
        if missing:
            raise ApplyError(
                f"{change.name} keeps {', '.join(missing)}, which no other host could take",
                "Fix the entry that asks for it; the next run goes on from there.",
                live=self.restore_domains(change, move).live,
                retry=True,
                restored=True,
            )

    def _prepare(
        self,
        change: Change,
        aliases: Names,
        last: Applied | None,
        move: DomainMove,
        before: Before,
    ) -> PreparedWrite:
        """The write with all that has to be looked up for it first."""
        target = move.with_aliases(change, aliases)
        kind = KINDS[change.kind]
        if target is None:
            if not kind.is_host:
                self._require_unused(change)
            return PreparedWrite(change, None, self._hosts.refetch(change, move))
        if missing := unresolved(target):
            needed = " and ".join(f'the {KINDS[key.kind].noun} "{key.name}"' for key in missing)
            raise ApplyError(f"needs {needed}, which could not be made", retry=True)
        protected = check_protection(self._npm, kind, target, change.live)
        now = self._hosts.refetch(change, move) if change.live else None
        promise = self._promise(change, target, move, before, protected=protected)
        return PreparedWrite(change, target, now, promise, last)

    def _require_unused(self, change: Change) -> None:
        """Raises ApplyError if a host refers to it: NPM deletes it all the same, and such a host
        loses its protection or its certificate.
        """
        assert change.npm_id is not None
        users = {
            (kind.name, live.npm_id)
            for kind in KINDS.values()
            if change.kind in kind.refers_to.values()
            for live in self._npm.objects(kind)
            if kind.refers(live.fields, change.kind, change.npm_id)
        }
        users |= self._npm.users(KINDS[change.kind], change.npm_id)
        if users:
            named = (f"{KINDS[kind].label} #{npm_id}" for kind, npm_id in sorted(users))
            raise ApplyError(
                f"{' and '.join(named)} in NPM uses it by now",
                "Take it out there; the next run goes on from there.",
                live=change.live,
                retry=True,
            )

    def _promise(
        self,
        change: Change,
        target: Fields,
        move: DomainMove,
        before: Before,
        *,
        protected: bool,
    ) -> Promise:
        kind = KINDS[change.kind]
        if kind.is_uploaded:  # visitors see nothing of it before the hosts are written
            return NOTHING_PROMISED
        served = kind.served(target)
        names = (
            visited(change, target, move, self._snapshot)
            if self._sites.can_see(https=served.https)
            else NO_NAMES
        )
        return Promise(
            names,
            before=Before(before.served & names, before.responding & names),
            protected=protected or kind.asks_everybody(target),
            https=served.https,
            leaf=self._leaf(target) if names and served.https else "",
            peculiar=served.is_peculiar,
            not_found=served.is_not_found,
        )

    def _leaf(self, target: Fields) -> str:
        """The certificate that visitors are to be shown; that of NPM now, for it may be new."""
        certificate = self._npm.certificate(certificate_in(target))
        return certificate.leaf if certificate else ""


def users_of(snapshot: Snapshot, change: Change) -> list[Live]:
    """The hosts in NPM that refer to the change's object."""
    return [
        live
        for live in snapshot.objects
        if KINDS[live.kind].refers(live.fields, change.kind, change.npm_id)
    ]


def users_among(changes: Iterable[Change], used: Change) -> list[Change]:
    """Those of hosts that NPM has, and that are to go on referring to the object of this one."""
    return [
        change
        for change in changes
        if change.live is not None
        and change.target is not None
        and KINDS[change.kind].refers(change.target, used.kind, used.npm_id)
    ]


def visited(change: Change, target: Fields, move: DomainMove, snapshot: Snapshot) -> Names:
    """The names by which only this host, or those that refer to it, answer once it is written."""
    kind = KINDS[change.kind]
    if not kind.is_host:
        users = [live for live in users_of(snapshot, change) if _is_up(live)]
        return NO_NAMES.union(
            *(move.visited(change, KINDS[o.kind].served(o.fields).names) for o in users)
        )
    return move.visited(change, kind.served(target).names) if kind.is_enabled(target) else NO_NAMES


def served_before(steps: Sequence[WriteStep], move: DomainMove, snapshot: Snapshot) -> Names:
    """The names of these steps that visitors may get an answer for now, from whomever."""
    changes = [step.change for step in steps if not needs_no_write(step.change)]
    targets = [(change, change.target) for change in changes]
    names = NO_NAMES.union(
        *(visited(c, target, move, snapshot) for c, target in targets if target is not None)
    )
    up = [live for live in snapshot.objects if _is_up(live)]
    served = NO_NAMES.union(*(KINDS[live.kind].claims(live.fields) for live in up))
    return frozenset(name for name in names if is_served(name, served))


def _is_up(live: Live) -> bool:
    return KINDS[live.kind].is_enabled(live.fields) and live.online is not False
