"""The kinds of objects that proxysync manages: a new one is one file, and one line here."""

from proxysync.kinds.access_list import ACCESS_LIST
from proxysync.kinds.base import RESERVED_SUFFIX, Kind
from proxysync.kinds.certificate import CERTIFICATE
from proxysync.kinds.not_found_host import NOT_FOUND_HOST
from proxysync.kinds.proxy import PROXY
from proxysync.kinds.redirection import REDIRECTION
from proxysync.kinds.stream import STREAM
from proxysync.model import Applied, Live

_ALL: tuple[Kind, ...] = (PROXY, REDIRECTION, NOT_FOUND_HOST, STREAM, ACCESS_LIST, CERTIFICATE)
KINDS: dict[str, Kind] = {kind.name: kind for kind in _ALL}

RELOADER: Kind = PROXY
"""The kind of which a throwaway host makes nginx load what is on disk."""


GATE: Kind = ACCESS_LIST
"""The kind that keeps visitors out of the hosts that refer to it."""


CERTIFICATES: Kind = CERTIFICATE
"""The kind that visitors are shown by the hosts that refer to it."""


def is_enabled(thing: Live | Applied) -> bool:
    """Whether NPM serves it; a row of the state that was never confirmed counts as off."""
    return bool(thing.fields) and KINDS[thing.kind].is_enabled(thing.fields)


__all__ = ["CERTIFICATES", "GATE", "KINDS", "RELOADER", "RESERVED_SUFFIX", "Kind", "is_enabled"]
