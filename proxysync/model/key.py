"""What identifies an entry everywhere: in the file, in NPM's marker, in the state, in events."""

from collections import Counter
from collections.abc import Callable, Iterable
from typing import NamedTuple


class Key(NamedTuple):
    """A kind and the name of an entry in that kind's section of the file.

    As text it is the bare name, as in messages; `qualified` is unique over all kinds. A plan looks
    up each host's some forty times, which is what tuples are fast at.
    """

    kind: str
    name: str

    def __str__(self) -> str:
        return self.name

    @property
    def qualified(self) -> str:
        """`proxy/media`."""
        return f"{self.kind}/{self.name}"

    @classmethod
    def parse(cls, qualified: str) -> "Key":
        """The key that `qualified` makes this text of. No kind has a slash in it, a name may."""
        kind, _, name = qualified.partition("/")
        return cls(kind, name)


class Keyed:
    """What is of one entry, by its key: it has its kind and its name, too."""

    key: Key

    @property
    def kind(self) -> str:
        return self.key.kind

    @property
    def name(self) -> str:
        return self.key.name


def label_among(keys: Iterable[Key]) -> Callable[[Key], str]:
    """How texts that tell of all these call each: by its name, or `kind/name` if two have that."""
    times = Counter(key.name for key in set(keys))
    return lambda key: key.qualified if times[key.name] > 1 else key.name
