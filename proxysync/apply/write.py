"""One change of one host, from the last look before it to what NPM says of it after it."""

import time
from collections.abc import Iterable, Sequence
from dataclasses import replace

from proxysync.apply.canary import try_out
from proxysync.apply.order import NO_NAMES, Names, held, placeholder
from proxysync.apply.promise import Before, Findings, Promise
from proxysync.apply.site_check import SiteCheck
from proxysync.apply.written import NO_NOTES, Notes, Refusal, Written, first_line, trouble_of
from proxysync.kinds import KINDS, Kind
from proxysync.kinds.domains import is_served
from proxysync.kinds.references import reference_fingerprint
from proxysync.model import Applied, Fields, Live, Marker
from proxysync.npm.client import NpmClient, OnCreated
from proxysync.npm.errors import NpmRejectedError
from proxysync.plan.model import Change


class Writer:
    """Writes single hosts to one NPM; raises Refusal for an entry's own failure, else NpmError.

    What it returns is to be given to `check` once nginx has had time to reload, many at a time,
    and to `undo` where visitors are worse off. The hosts `down_first` are disabled before they
    get their new definition: as long as nginx has the old one, it can test no other. `state` is
    the id that markers name as their writer's.
    """

    def __init__(
        self,
        npm: NpmClient,
        instance: str,
        sites: SiteCheck = SiteCheck(),  # noqa: B008
        down_first: frozenset[int] = frozenset(),
        state: str | None = None,
    ) -> None:
        self._npm = npm
        self.instance = instance
        self._state = state
        self._sites = sites
        self._down_first = down_first
        self._released: dict[int, Live] = {}
        self._placed: dict[str, int] = {}
        self._before = Before()

    def look_ahead(self, changes: Iterable[Change]) -> None:
        """Sees how the sites of these changes answer before any of them is written."""
        targets = [(c, c.target) for c in changes if c.target is not None]
        names = (self._visited(KINDS[c.kind], c, target) for c, target in targets)
        self._before = self._sites.before(self._served_now(NO_NAMES.union(*names)))

    def addresses(self, schemes: Iterable[str]) -> list[str]:
        """Where visitors are played, by these schemes."""
        edge = self._sites.edge
        return [edge.address(scheme) for scheme in schemes] if edge else []

    def can_see(self, written: Written) -> bool:
        """Whether visitors are to be asked what the change makes of their sites."""
        promise = written.promise
        return self._sites.edge is not None and promise is not None and promise.is_visible

    def check(self, written: Sequence[Written]) -> Findings:
        """Waits for nginx, and tells what visitors then find; see `SiteCheck.check`."""
        return self._sites.check([w.promise or Promise(NO_NAMES) for w in written])

    def looks_bad(self, written: Sequence[Written]) -> bool:
        """Whether visitors seem to be worse off already, so that it is time to `check`."""
        return self._sites.looks_bad([w.promise for w in written if w.promise])

    def undo(self, written: Written, trouble: str) -> Refusal:
        """Puts back what worked before, and returns the Refusal that tells of it.

        Raises NpmError, and NpmUnconfirmedError where nobody knows what nginx then has.
        """
        change, live, before = written.change, written.live, written.before
        assert live is not None
        kind = KINDS[change.kind]
        for name in [n for n, npm_id in self._placed.items() if npm_id == live.npm_id]:
            del self._placed[name]
        if before is None:
            self._npm.delete(kind, live.npm_id)
            return Refusal(trouble, _hint("the new host was removed again"), retry=False)
        return self._undone(kind, change, live, before, written.last, trouble)

    def rehearse(self, change: Change, last: Applied | None) -> None:
        """Tries the change on a throwaway host if it is risky; raises Refusal."""
        kind = KINDS[change.kind]
        if change.target is None:
            return
        before = self._look(kind, change) if change.live else None
        self._rehearse(kind, change, before, change.target, last)

    def surroundings(self, change: Change) -> str:
        """What the change's definition refers to in NPM."""
        snapshot = self._npm.last_snapshot
        return reference_fingerprint(change.desired or {}, snapshot) if snapshot else ""

    def names_in_use(self) -> frozenset[str]:
        """All names in NPM as it was read last, whoever holds them."""
        snapshot = self._npm.last_snapshot
        if snapshot is None:
            return NO_NAMES
        lives = (KINDS[live.kind].claims(live.fields) for live in snapshot.objects)
        return frozenset(snapshot.held).union(*lives)

    def release(self, change: Change, names: Names) -> Live:
        """Leaves the change's host only these names, so that other hosts can take the rest."""
        kind = KINDS[change.kind]
        live = self._look(kind, change)
        if kind.claims(live.fields) != names:  # else an earlier run was killed after it
            live = self._cut(kind, change, live, names)
        self._released[live.npm_id] = live
        return live

    def _cut(self, kind: Kind, change: Change, live: Live, names: Names) -> Live:
        try:
            fields = kind.with_claims(live.fields, names)
            return self._npm.update(kind, live, fields, live.marker)
        except NpmRejectedError:  # an old NPM takes no stand-ins
            own = names & held(change) or frozenset({placeholder(change)})
            return self._npm.update(kind, live, kind.with_claims(live.fields, own), live.marker)

    def write(
        self,
        change: Change,
        last: Applied | None,
        stand_ins: Names = NO_NAMES,
        notes: Notes = NO_NOTES,
    ) -> Written:
        """Carries the change out and returns what NPM then has.

        `last` is what was last applied, to put back where nothing else works. The host keeps
        those of the `stand_ins` that it was given by `release`. The `notes` are
        for whoever has to end it, should we be killed.
        """
        kind = KINDS[change.kind]
        if change.action == "delete":
            self._npm.delete(kind, self._look(kind, change).npm_id)
            return Written(change, None)
        assert change.target is not None
        target = change.target
        if change.npm_id in self._released:
            kept = stand_ins & kind.claims(self._released[change.npm_id].fields)
            target = kind.with_claims(target, kind.claims(target) | kept)
        protected = self._check_access_list(target, change.live)
        before = None if change.action == "create" else self._look(kind, change)
        promise = self._promise(kind, change, target, protected=protected)
        notes.promise(promise.before.responding, protected=protected and promise.is_visible)
        if before is None:
            live = self._create(kind, change, target, notes.created)
        else:
            live, before = self._update(kind, change, target, before, last)
        self._note(kind, live)
        return Written(change, live, replace(promise, written=time.monotonic()), before, last)

    def settle(
        self, change: Change, last: Applied | None, given: Names, notes: Notes = NO_NOTES
    ) -> Written:
        """Ends a change whose host was released, and returns as `write` does.

        Raises Refusal if another host could not take what was `given`: the host keeps it then.
        """
        left = sorted(name for name in given if self._placed.get(name) in (None, change.npm_id))
        if left:
            raise Refusal(
                f"{change.name} keeps {', '.join(left)}, which no other host could take",
                "Mend the entry that asks for it; the next run goes on from there.",
                live=self.give_back(change),
                retry=True,
            )
        now = self._released.get(change.npm_id or 0)
        if now and (now.fields, now.marker) == (change.target, self._marker(change)):
            return Written(change, now)
        written = self.write(change, last, notes=notes)
        promise = written.promise or Promise(NO_NAMES)
        return replace(written, promise=replace(promise, elsewhere=given & self._before.served))

    def give_back(self, change: Change) -> Live:
        """Puts the host back as it was, with those of its names that no other host has now."""
        kind = KINDS[change.kind]
        before = self._look(kind, change)
        assert change.live is not None
        fields = kind.with_claims(change.live.fields, self._own(kind, change, before))
        if fields == before.fields:
            return before
        live = self._npm.update(kind, before, fields, before.marker)
        self._note(kind, live)
        return live

    def _note(self, kind: Kind, live: Live) -> None:
        """Remembers who holds which name now, and what a released host has become."""
        self._placed |= dict.fromkeys(kind.claims(live.fields), live.npm_id)
        if live.npm_id in self._released:
            self._released[live.npm_id] = live

    def _own(self, kind: Kind, change: Change, now: Live) -> Names:
        """The names that the host had at first, but for those that others have taken."""
        names = map(kind.canonical, held(change))
        own = frozenset(n for n in names if self._placed.get(n) in (None, now.npm_id))
        claims = kind.claims(now.fields)
        return own or frozenset(n for n in claims if kind.canonical(n) == n) or claims

    def _visited(self, kind: Kind, change: Change, target: Fields) -> Names:
        """The names by which only this host will answer, once it is written."""
        if not target.get("enabled"):
            return NO_NAMES
        others = (live for npm_id, live in self._released.items() if npm_id != change.npm_id)
        standing_in = NO_NAMES.union(*(kind.claims(live.fields) for live in others))
        names = frozenset(n for n in kind.claims(target) if kind.canonical(n) == n)
        return names - set(map(kind.canonical, standing_in))

    def _served_now(self, names: Names) -> Names:
        """Those of these names that visitors may get an answer for now, from whomever."""
        snapshot = self._npm.last_snapshot
        up = [live for live in snapshot.objects if _is_up(live)] if snapshot else []
        served = NO_NAMES.union(*(KINDS[live.kind].claims(live.fields) for live in up))
        return frozenset(name for name in names if is_served(name, served))

    def _promise(self, kind: Kind, change: Change, target: Fields, *, protected: bool) -> Promise:
        certificate, edge = bool(target.get("certificate_id")), self._sites.edge
        hidden = edge is None or not edge.can_see(certificate=certificate)
        names = NO_NAMES if hidden else self._visited(kind, change, target)
        before = Before(self._before.served & names, self._before.responding & names)
        return Promise(
            names,
            before=before,
            protected=protected,
            https=certificate,
            peculiar=kind.served(target).is_peculiar,
        )

    def _create(self, kind: Kind, change: Change, target: Fields, on_created: OnCreated) -> Live:
        live = self._make(kind, change, target, on_created)
        trouble = trouble_of(live, target)
        if trouble is None:
            return live
        self._npm.delete(kind, live.npm_id)
        raise Refusal(trouble, _hint("the new host was removed again"), retry=False)

    def _make(self, kind: Kind, change: Change, target: Fields, on_created: OnCreated) -> Live:
        """A new host. Where NPM would serve a disabled one, it leads nowhere until it is off."""
        marker = self._marker(change)
        if target.get("enabled", True) or not self._npm.server().serves_disabled:
            return self._npm.create(kind, target, marker, on_created)
        live = self._npm.create(
            kind, kind.placeholder_definition(placeholder(change)), marker, on_created
        )
        live = self._npm.disable(kind, live.npm_id)
        return self._npm.update(kind, live, target, marker)

    def _update(
        self, kind: Kind, change: Change, target: Fields, before: Live, last: Applied | None
    ) -> tuple[Live, Live]:
        """The host as NPM then has it, and as it was right before its new definition."""
        if target.get("enabled") is False and last is not None and _may_be_served(before, last):
            return self._disable_anew(kind, change, before, target), before
        down = target.get("enabled") is False or before.npm_id in self._down_first
        if before.fields.get("enabled") and down:
            before = self._npm.disable(kind, before.npm_id)
        live = self._npm.update(kind, before, target, self._marker(change))
        trouble = trouble_of(live, target)
        if trouble is None:
            return live, before
        raise self._undone(kind, change, live, before, last, trouble)

    def _disable_anew(self, kind: Kind, change: Change, before: Live, target: Fields) -> Live:
        """Disables a host that NPM may call disabled already while nginx still serves it.

        NPM refuses to disable it twice, so that it is enabled first: as a host that nobody
        asks for and that leads nowhere.
        """
        self._npm.update(
            kind, before, kind.placeholder_definition(placeholder(change)), before.marker
        )
        live = self._npm.disable(kind, before.npm_id)
        return self._npm.update(kind, live, target, self._marker(change))

    def _rehearse(
        self,
        kind: Kind,
        change: Change,
        before: Live | None,
        target: Fields,
        last: Applied | None,
    ) -> None:
        """Tries on a throwaway host what could make nginx reject the live one.

        Raises Refusal; a live host that nginx rejects already gets back what last worked.
        """
        now = before.fields if before else kind.complete({})
        same = all(target.get(name) == now.get(name) for name in kind.risky)
        enabled = now.get("enabled") and target.get("enabled")
        if not enabled or (same and (before is None or before.online)):
            return
        marker = Marker(change.name, self.instance, canary=True)
        canary = try_out(self._npm, kind, target, marker)
        if canary.online is not False:
            return
        reason = f"nginx refuses it: {first_line(canary.nginx_error)}"
        if before is not None and before.online is not True:
            raise self._undone(kind, change, before, before, last, reason)
        raise Refusal(reason, _hint("the live host was not touched"), live=before, retry=False)

    def _undone(
        self,
        kind: Kind,
        change: Change,
        live: Live,
        before: Live,
        last: Applied | None,
        trouble: str,
    ) -> Refusal:
        """Puts back what worked, and returns the Refusal that tells all of it."""
        fields = before.fields
        if before.npm_id in self._released and change.live is not None:
            fields = kind.with_claims(change.live.fields, self._own(kind, change, live))
        if before.online is not True:
            if last is not None and not last.fields:
                self._npm.delete(kind, live.npm_id)
                hint = _hint("the host had never worked and was removed again")
                return Refusal(trouble, hint, retry=False)
            if last is None or last.fields == live.fields:
                hint = _hint("it was offline before, and nothing is known that worked")
                return Refusal(trouble, hint, live=live, retry=False)
            fields = last.fields
        restored = self._npm.update(kind, live, fields, before.marker)
        if restored.fields.get("enabled") and fields.get("enabled") is False:
            restored = self._npm.disable(kind, before.npm_id)
        self._note(kind, restored)
        what = "what worked before is back"
        if restored.online is False:
            what = "nginx now refuses what was there before, too, so the site is down"
        return Refusal(trouble, _hint(what), live=restored, retry=False)

    def _look(self, kind: Kind, change: Change) -> Live:
        """The host as it is now; raises Refusal if it is no longer the one that was planned for."""
        assert change.live is not None
        planned = self._released.get(change.live.npm_id, change.live)
        live = self._npm.get(kind, planned.npm_id)
        if live is None or not _same(live, planned):
            raise Refusal(
                f"host #{planned.npm_id} was changed in NPM after the plan was made",
                "Run it again: the next plan takes that into account.",
                live=live,
                retry=True,
            )
        return live

    def _check_access_list(self, target: Fields, now: Live | None) -> bool:
        """Whether nobody gets in without a password; raises Refusal if it is gone or empty.

        What is off, and has that list already, may be taken down though the list is not seen.
        """
        npm_id = target.get("access_list_id")
        stays = now is not None and now.fields.get("access_list_id") == npm_id
        if not npm_id or (stays and not target.get("enabled")):
            return False
        access_list = self._npm.access_list(npm_id)
        if access_list is not None and access_list.is_empty and target.get("enabled"):
            raise Refusal(
                f'access list "{access_list.name}" has neither users nor clients any more, and '
                "without them the site would be open",
                "Give it some in NPM, or name another one.",
                retry=True,
            )
        if access_list is None:
            raise Refusal(
                f"access list #{npm_id} is gone from NPM, and without it the site would be open",
                "Make the access list again in NPM, or name another one.",
                retry=True,
            )
        return access_list.asks_everybody

    def _marker(self, change: Change) -> Marker:
        return Marker(change.name, self.instance, state=self._state)


def _is_up(live: Live) -> bool:
    return bool(live.fields.get("enabled")) and live.online is not False


def _may_be_served(live: Live, last: Applied) -> bool:
    """Whether nginx may serve what NPM calls disabled: by a lost write, or disabled by a PUT."""
    by_a_put = not live.fields.get("enabled") and bool(last.fields.get("enabled"))
    return last.unconfirmed or by_a_put


def _same(live: Live, planned: Live) -> bool:
    return (live.fields, live.marker, live.created_on) == (
        planned.fields,
        planned.marker,
        planned.created_on,
    )


def _hint(what: str) -> str:
    return f"Mend the entry in the file; {what}."
