"""When a whole plan is refused: the mistakes that would take down many sites at once."""

from collections.abc import Sequence

from proxysync.kinds import KINDS, is_enabled
from proxysync.model import Applied, Key, Live
from proxysync.plan.match import Matching, same_host
from proxysync.plan.model import Change
from proxysync.plan.policy import Policy
from proxysync.values.limits import DeleteLimit


def refusal(
    matching: Matching,
    changes: Sequence[Change],
    applied: Sequence[Applied],
    objects: Sequence[Live],
    policy: Policy,
) -> str | None:
    """Why nothing of this plan may be made, with the command that lets it pass; else None.

    The cause comes before the symptom: an account that sees no hosts before a limit, and a
    file that was cut short before what is missing from it.
    """
    down = [change for change in changes if change.is_open and _takes_down(change)]
    hosts = [change for change in down if KINDS[change.kind].is_host]
    deletes = [change.name for change in down if change.action == "delete"]
    lost = [change.name for change in down]
    orphans = 0 if policy.delete_orphans else sum(owned.row is None for owned in matching.left)
    managed = [owned for owned in matching.owned if KINDS[owned.kind].is_host]
    total = sum(1 + len(owned.duplicates) for owned in managed) - orphans
    return (
        _hosts_are_missing(matching, applied, objects, policy)
        or _file_was_cut([*lost, *_loosened(changes)], policy)
        or _nothing_is_tagged(deletes, policy)
        or _file_is_empty(matching, deletes, policy)
        or _too_many([change.name for change in hosts], total, policy, _verb(hosts))
    )


def _takes_down(change: Change) -> bool:
    """Whether a managed host is gone, or no longer served, once this is made."""
    if change.action == "delete":
        return True
    assert change.target is not None
    was_enabled = change.live is not None and is_enabled(change.live)
    stays = KINDS[change.kind].is_enabled(change.target)
    return change.action == "update" and was_enabled and not stays


def _hosts_are_missing(
    matching: Matching, applied: Sequence[Applied], objects: Sequence[Live], policy: Policy
) -> str | None:
    seen = {owned.key for owned in matching.owned}
    there = {(live.kind, live.npm_id): live for live in objects}
    gone = [row.name for row in applied if not _is_there(row, seen, there)]
    if policy.recreate or not _exceeds(len(gone), max(1, len(applied) // 2), len(applied)):
        return None
    return (
        f"NPM shows {len(applied) - len(gone)} of the {len(applied)} hosts that proxysync has "
        f"written; missing: {_some(gone)}. Either the account has lost its rights to see them, or "
        "NPM's database was emptied or restored: check the account and its permissions in NPM. "
        "If the hosts are really gone, `proxysync apply --recreate` goes on without them and "
        "creates those that the file asks for"
    )


def _is_there(row: Applied, seen: set[Key], there: dict[tuple[str, int], Live]) -> bool:
    if row.key in seen:
        return True
    live = there.get((row.kind, row.npm_id))
    # Without a date on both sides nothing speaks against its being the same host.
    return live is not None and (
        same_host(row, live) or row.created_on is None or live.created_on is None
    )


def _loosened(changes: Sequence[Change]) -> list[str]:
    """Entries that lose a certificate or an access list, or are enabled."""
    return [
        change.name
        for change in changes
        if change.is_open and change.action == "update" and _loosens(change)
    ]


def _loosens(change: Change) -> bool:
    kind = KINDS[change.kind]
    if not kind.is_host:
        return True  # who may come in, say
    enabled = change.fields.get(kind.switch)
    lost = (change.fields.get(name) for name in kind.refers_to)
    return any(f is not None and f.old and not f.new for f in lost) or (
        enabled is not None and bool(enabled.new)
    )


def _file_was_cut(names: Sequence[str], policy: Policy) -> str | None:
    if not names or not policy.maybe_truncated or policy.max_delete_override is not None:
        return None
    return (
        "the file does not end with a newline, so it may have been cut short while it was being "
        f"written, and this plan would delete, disable or open up {_some(names)}; end the file "
        "with a newline, or let it pass once with `proxysync apply --max-delete 100%`"
    )


def _file_is_empty(matching: Matching, deletes: Sequence[str], policy: Policy) -> str | None:
    override = policy.max_delete_override
    if matching.matches or (override is not None and (override.share or 0) >= 1):
        return None
    if policy.back_to is not None:
        return None  # there may have been nothing before the first run
    effect = f", which would delete {_some(deletes)}" if deletes else ""
    return (
        f"the file has no proxies at all{effect}; if that is meant, let it pass once with "
        "`proxysync apply --max-delete 100%`"
    )


def _nothing_is_tagged(deletes: Sequence[str], policy: Policy) -> str | None:
    override = policy.max_delete_override
    if not policy.unknown_tags or (override is not None and (override.share or 0) >= 1):
        return None
    effect = f", and this plan would delete {_some(deletes)}" if deletes else ""
    tags = " or ".join(policy.unknown_tags)
    return (
        f"no entry of the file has the tag {tags}, which --tags or PROXYSYNC_TAGS "
        f"names{effect}; correct one of them, or if that is meant, let it pass once with "
        "`proxysync apply --max-delete 100%`"
    )


def _too_many(names: Sequence[str], managed: int, policy: Policy, verb: str) -> str | None:
    override = policy.max_delete_override
    limit = override or policy.max_delete
    allowed = limit.of(managed)
    if override is not None and len(names) <= allowed:
        return None
    if not _exceeds(len(names), allowed, managed):
        return None
    why = (
        f"at most {allowed} may go at once (max_delete is {limit})"
        if len(names) > allowed
        else "all of them never go without a word"
    )
    return (
        f"this plan would {verb} {len(names)} of the {managed} managed hosts "
        f"({_some(names)}), and {why}; if that is meant, let it pass once with "
        f"`proxysync {policy.command} --max-delete 100%`"
    )


def _verb(changes: Sequence[Change]) -> str:
    deletes = sum(change.action == "delete" for change in changes)
    if deletes == len(changes):
        return "delete"
    return "delete or disable" if deletes else "disable"


def is_too_much(number: int, managed: int, limit: DeleteLimit) -> bool:
    """Whether so many of the managed hosts may not go at once without a person's word."""
    return _exceeds(number, limit.of(managed), managed)


def _exceeds(number: int, allowed: int, total: int) -> bool:
    return number > allowed or (number == total and total >= 2)


def _some(names: Sequence[str], most: int = 5) -> str:
    shown = ", ".join(sorted(names)[:most])
    return shown + (f" and {len(names) - most} more" if len(names) > most else "")
