"""Secrets that NPM takes and never shows: known again by a keyed digest, never by themselves.

The key is made at random with the state, so that a digest means nothing to anybody else. Where
the state was lost, what NPM tells of a secret (its first letter and its length) has to do.
"""

import hmac
from collections.abc import Mapping
from dataclasses import replace

from proxysync.kinds import KINDS
from proxysync.model import Applied, Desired, Live
from proxysync.plan.contested import hold_of
from proxysync.plan.draft import REPORTED, Draft
from proxysync.plan.model import PASSWORDS, Hold
from proxysync.plan.policy import Policy


def digests_of(entry: Desired, key: bytes) -> dict[str, str]:
    """A digest of each secret that NPM does not show, which says nothing without the key."""
    return {} if KINDS[entry.kind].derived else digests(key, entry.secrets)


def digests(key: bytes, secrets: Mapping[str, str]) -> dict[str, str]:
    """A digest of each secret, which says nothing without the key."""
    return {
        name: hmac.new(key, f"{name}\0{secret}".encode(), "sha256").hexdigest()
        for name, secret in sorted(secrets.items())
    }


def differing(entry: Desired, row: Applied | None, live: Live, key: bytes) -> list[str]:
    """Whose secret has to be written, given what was last applied and what NPM tells."""
    known, now = row.digests if row else {}, digests_of(entry, key)
    hint_of = KINDS[entry.kind].hint_of
    return [
        name
        for name, secret in sorted(entry.secrets.items())
        if name in now
        if known.get(name, now[name]) != now[name] or live.hints.get(name) != hint_of(secret)
    ]


def with_secrets(
    draft: Draft, entry: Desired, row: Applied | None, live: Live, policy: Policy
) -> Draft:
    """The draft with what has to be written though nothing that NPM shows differs.

    A secret that NPM has no more, though it was last applied, is drift like a field's.
    """
    users = differing(entry, row, live, policy.secret_key) if entry.secrets else []
    if not users:
        return draft
    why = f"the password of {' and '.join(users)} is another one"
    known = row.digests if row else {}
    undone = {user for user in users if known.get(user) == draft.digests[user]}
    if undone:
        draft = replace(draft, drift=True, undoes=draft.undoes | {PASSWORDS})
    left = _left_alone(draft, policy) if undone and draft.stop is None else None
    if left is not None:
        kept = {user: word for user, word in draft.secrets.items() if user not in undone}
        draft = replace(draft, secrets=kept)
        if undone == set(users):
            told = replace(draft, notes=(*draft.notes, f"{why}: {left.reason}"))
            return told if draft.writes else replace(draft, reason=why, stop=left)
    return replace(draft, resend=True, reason=f"{draft.reason}; {why}" if draft.writes else why)


def _left_alone(draft: Draft, policy: Policy) -> Hold | None:
    """Why a secret that somebody changed in NPM is not put right."""
    if draft.action != "update":
        return None
    if PASSWORDS in policy.contested.get(draft.key, frozenset()):
        return hold_of("a password")
    return REPORTED if policy.drift == "report" else None
