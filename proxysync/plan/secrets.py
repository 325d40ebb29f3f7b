"""Secrets that NPM takes and never shows: known again by a keyed digest, never by themselves.

The key is made at random with the state, so that a digest means nothing to anybody else. Where
the state was lost, what NPM tells of a secret (its first letter and its length) has to do.
"""

import hmac
from collections.abc import Mapping

from proxysync.kinds import KINDS
from proxysync.model import Applied, Desired, Live


def digests_of(entry: Desired, key: bytes) -> dict[str, str]:
    """A digest of each secret that NPM does not show, which says nothing without the key."""
    return {} if KINDS[entry.kind].shows_secrets else digests(key, entry.secrets)


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
