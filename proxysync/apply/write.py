"""One change of one host, from the last look before it to the look after it."""

from proxysync.errors import ProxysyncError
from proxysync.kinds import KINDS, Kind
from proxysync.model import Fields, Live, Marker
from proxysync.npm.client import NpmClient
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

    def __init__(self, npm: NpmClient, instance: str) -> None:
        self._npm = npm
        self._instance = instance
        self._released: dict[int, Fields] = {}

    def write(self, change: Change) -> Live | None:
        """Carries the change out and returns what NPM then has; None after a deletion."""
        kind = KINDS[change.kind]
        if change.action == "delete":
            self._delete(kind, change)
            return None
        assert change.target is not None
        self._check_access_list(change.target)
        if change.action == "create":
            return self._create(kind, change, change.target)
        return self._update(kind, change, change.target)

    def release(self, change: Change, keep: frozenset[str]) -> None:
        """Leaves the change's host only these names, so that other hosts can take the rest."""
        kind = KINDS[change.kind]
        before = self._look(kind, change)
        fields = kind.with_claims(before.fields, keep)
        after = self._npm.update(kind, before, fields, before.marker)
        self._released[after.npm_id] = after.fields

    def _create(self, kind: Kind, change: Change, target: Fields) -> Live:
        live = self._npm.create(kind, target, self._marker(change))
        trouble = _trouble(live, target)
        if trouble is None:
            return live
        self._npm.delete(kind, live.npm_id)
        raise Refusal(trouble, _hint(live, "the new host was removed again"), retry=False)

    def _update(self, kind: Kind, change: Change, target: Fields) -> Live:
        before = self._look(kind, change)
        if before.fields.get("enabled") and target.get("enabled") is False:
            before = self._npm.disable(kind, before.npm_id)
        live = self._npm.update(kind, before, target, self._marker(change))
        trouble = _trouble(live, target)
        if trouble is None:
            return live
        if before.online is False:
            raise Refusal(trouble, _hint(live, "it was offline before"), live=live, retry=False)
        restored = self._restore(kind, live, before)
        what = "what was there before is back"
        if restored.online is False:
            what = "and nginx now refuses what was there before too; the site is down"
        raise Refusal(trouble, _hint(live, what), live=restored, retry=False)

    def _restore(self, kind: Kind, live: Live, before: Live) -> Live:
        restored = self._npm.update(kind, live, before.fields, before.marker)
        if restored.fields.get("enabled") and before.fields.get("enabled") is False:
            restored = self._npm.disable(kind, before.npm_id)
        return restored

    def _delete(self, kind: Kind, change: Change) -> None:
        live = self._look(kind, change)
        self._npm.delete(kind, live.npm_id)

    def _look(self, kind: Kind, change: Change) -> Live:
        """The host as it is now; raises Refusal if it is no longer the one that was planned for."""
        planned = change.live
        assert planned is not None
        live = self._npm.get(kind, planned.npm_id)
        expected = self._released.get(planned.npm_id, planned.fields)
        same = (
            live is not None
            and live.fields == expected
            and live.marker == planned.marker
            and live.created_on == planned.created_on
        )
        if live is None or not same:
            raise Refusal(
                f"host #{planned.npm_id} was changed in NPM after the plan was made",
                "Run it again: the next plan takes that into account.",
                live=live,
                retry=True,
            )
        return live

    def _check_access_list(self, target: Fields) -> None:
        npm_id = target.get("access_list_id")
        if npm_id and not self._npm.has_access_list(npm_id):
            raise Refusal(
                f"access list #{npm_id} is gone from NPM, and without it the site would be open",
                "Make the access list again in NPM, or name another one.",
                retry=True,
            )

    def _marker(self, change: Change) -> Marker:
        return Marker(change.name, self._instance)


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


def _hint(live: Live, what: str) -> str:
    return f"Mend the entry in the file (host #{live.npm_id}: {what})."
