"""Keys for tests, most of which are about proxies."""

from proxysync.model import Key


def key(name: str, kind: str = "proxy") -> Key:
    return Key(kind, name)
