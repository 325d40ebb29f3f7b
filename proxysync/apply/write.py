"""One change of one host, from the last look before it to the look after it."""

import secrets
from contextlib import suppress

from proxysync.apply.visit import Visitor
from proxysync.errors import ProxysyncError
from proxysync.kinds import KINDS, Kind
from proxysync.model import Applied, Fields, Live, Marker
from proxysync.npm.client import CANARY_SUFFIX, NpmClient
from proxysync.npm.errors import NpmError, NpmUnconfirmedError
from proxysync.plan.model import Change


class Refusal(ProxysyncError):  # noqa: N818
    """This one entry could not be written as it is; nothing of it is left half done.

    `live` is what NPM has now; with `retry` the same may work later.
    """

    code = "apply.refused"

    def __init__(
        self, message: str, hint: str | None = None, *, live: Live | None = None, retry: bool
    ) -> None:
        super().__init__(message, hint=hint)
        self.live = live
        self.retry = retry


class Writer:
    """Writes single hosts to one NPM; raises Refusal for an entry's own failure, else NpmError."""

    def __init__(self, npm: NpmClient, instance: str, visitor: Visitor = Visitor()) -> None:  # noqa: B008
        self._npm = npm
        self._instance = instance
        self._visitor = visitor
        self._released: dict[int, Live] = {}

    def rehearse(self, change: Change, last: Applied | None) -> None:
        """Tries the change on a throwaway host if it is risky; raises Refusal."""
        kind = KINDS[change.kind]
        if change.target is None:
            return
        before = self._look(kind, change) if change.live else None
        self._rehearse(kind, change, before, change.target, last)

    def write(self, change: Change, last: Applied | None) -> Live | None:
        """Carries the change out and returns what NPM then has; None after a deletion.

        `last` is what was last applied, to put back where nothing else works.
        """
        kind = KINDS[change.kind]
        if change.action == "delete":
            self._npm.delete(kind, self._look(kind, change).npm_id)
            return None
        assert change.target is not None
        protected = self._check_access_list(change.target)
        if change.action == "create":
            return self._create(kind, change, change.target, protected=protected)
        return self._update(kind, change, change.target, last, protected=protected)

    def release(self, change: Change, keep: frozenset[str]) -> None:
        """Leaves the change's host only these names, so that other hosts can take the rest."""
        kind = KINDS[change.kind]
        before = self._look(kind, change)
        fields = kind.with_claims(before.fields, keep)
        self._released[before.npm_id] = self._npm.update(kind, before, fields, before.marker)

    def _create(self, kind: Kind, change: Change, target: Fields, *, protected: bool) -> Live:
        live = self._npm.create(kind, target, self._marker(change))
        trouble = _trouble(live, target) or self._visitor.trouble(
            target, answered=False, protected=protected
        )
        if trouble is None:
            return live
        self._npm.delete(kind, live.npm_id)
        raise Refusal(trouble, _hint("the new host was removed again"), retry=False)

    def _update(
        self, kind: Kind, change: Change, target: Fields, last: Applied | None, *, protected: bool
    ) -> Live:
        before = self._look(kind, change)
        if target.get("enabled") is False and last is not None and _may_be_served(before, last):
            return self._disable_anew(kind, change, before, target)
        answered = self._visitor.answers(before.fields) and bool(before.fields.get("enabled"))
        if before.fields.get("enabled") and target.get("enabled") is False:
            before = self._npm.disable(kind, before.npm_id)
        live = self._npm.update(kind, before, target, self._marker(change))
        trouble = _trouble(live, target) or self._visitor.trouble(
            target, answered=answered, protected=protected
        )
        if trouble is None:
            return live
        raise self._undone(kind, change, live, before, last, trouble)

    def _disable_anew(self, kind: Kind, change: Change, before: Live, target: Fields) -> Live:
        """Disables a host that NPM may call disabled already while nginx still serves it.

        NPM refuses to disable it twice, so that it is enabled first, with nothing in it that
        nginx could refuse.
        """
        plain = {**kind.without_free_text(before.fields), "enabled": True}
        self._npm.update(kind, before, plain, before.marker)
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
        name = f"canary-{secrets.token_hex(4)}{CANARY_SUFFIX}"
        fields = kind.with_claims(target, frozenset({name}))
        marker = Marker(change.name, self._instance, canary=True)
        try:
            canary = self._npm.create(kind, fields, marker)
            self._npm.delete(kind, canary.npm_id)
        except NpmUnconfirmedError as error:
            if error.live is not None:
                # What cannot be removed now is removed at the start of the next run.
                with suppress(NpmError):
                    self._npm.delete(kind, error.live.npm_id)
            # The host itself was not written to, so there is nothing to confirm about it.
            raise NpmError(error.message, hint=error.hint, code=error.code) from error
        if canary.online is not False:
            return
        reason = f"nginx refuses it: {_first_line(canary.nginx_error)}"
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
            assert change.target is not None
            fields = kind.with_claims(change.live.fields, kind.claims(change.target))
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

    def _check_access_list(self, target: Fields) -> bool:
        """Whether nobody gets in without a password; raises Refusal if the list is gone."""
        npm_id = target.get("access_list_id")
        if not npm_id:
            return False
        access_list = self._npm.access_list(npm_id)
        if access_list is None:
            raise Refusal(
                f"access list #{npm_id} is gone from NPM, and without it the site would be open",
                "Make the access list again in NPM, or name another one.",
                retry=True,
            )
        return access_list.asks_everybody

    def _marker(self, change: Change) -> Marker:
        return Marker(change.name, self._instance)


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


def _trouble(live: Live, target: Fields) -> str | None:
    """Why a written host is not as it should be, though NPM answered that all is well."""
    wrong = sorted(name for name, value in target.items() if live.fields.get(name) != value)
    if wrong:
        return f"NPM did not store {', '.join(wrong)} as sent"
    if live.fields.get("enabled") and live.online is False:
        return f"nginx refuses it: {_first_line(live.nginx_error)}"
    return None


def _first_line(text: str | None) -> str:
    lines = [line.strip() for line in (text or "").splitlines() if line.strip()]
    telling = [line for line in lines if "[emerg]" in line] or lines
    return telling[0] if telling else "NPM gives no reason"


def _hint(what: str) -> str:
    return f"Mend the entry in the file; {what}."
