"""The kinds of NPM objects that the file can describe: a new kind is one new file, listed here."""

from proxysync.kinds.base import RESERVED_SUFFIX, Kind
from proxysync.kinds.proxy import PROXY

KINDS = {kind.name: kind for kind in (PROXY,)}

__all__ = ["KINDS", "PROXY", "RESERVED_SUFFIX", "Kind"]
