"""No host goes live without the access list that its definition names."""

from proxysync.apply.outcome import ApplyError
from proxysync.kinds import GATE, Kind
from proxysync.kinds.references import access_list_in
from proxysync.model import Fields, Live
from proxysync.npm.client import NpmClient


def check_protection(npm: NpmClient, kind: Kind, target: Fields, now: Live | None) -> bool:
    """Whether nobody gets in without a password; raises ApplyError if the list is gone or empty.

    What is off, and has that list already, may be taken down though the list is not seen.
    """
    npm_id, enabled = access_list_in(target), kind.is_enabled(target)
    stays = now is not None and access_list_in(now.fields) == npm_id
    if not npm_id or (stays and not enabled):
        return False
    access_list = npm.get(GATE, npm_id)
    if access_list is None:
        raise ApplyError(
            f"access list #{npm_id} is gone from NPM, and without it the site would be open",
            "Make the access list again in NPM, or name another one.",
            retry=True,
        )
    if GATE.lets_everybody_in(access_list.fields) and enabled:
        raise ApplyError(
            f'access list "{GATE.title(access_list.fields)}" has neither users nor clients '
            "any more, and without them the site would be open",
            "Give it some in NPM, or name another one.",
            retry=True,
        )
    return GATE.asks_everybody(access_list.fields)


def asks_strangers(npm: NpmClient, fields: Fields) -> bool:
    """Whether the access list of this definition lets nobody without a password in."""
    npm_id = access_list_in(fields)
    access_list = npm.get(GATE, npm_id) if npm_id else None
    return access_list is not None and GATE.asks_everybody(access_list.fields)
