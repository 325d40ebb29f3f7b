"""What visitors must find once nginx has loaded a host that was written, and what they found."""

import time
from dataclasses import dataclass, field

from proxysync.apply.order import NO_NAMES


@dataclass(frozen=True)
class Before:
    """Which names nginx had a site for before a write, and which of those were responding well."""

    served: frozenset[str] = NO_NAMES
    responding: frozenset[str] = NO_NAMES


@dataclass(frozen=True)
class Promise:
    """What visitors must find once nginx has loaded a host that was `written` (monotonic time).

    `names` are those by which only this host answers, and `elsewhere` those that it gave to
    other hosts, which are to be served, too. `protected` tells that nobody may get in
    without a password, `https` that there is a certificate, and `leaf` the fingerprint of that,
    empty where it is not known. A `peculiar` host may answer just
    as nginx answers for unknown names, by configuration of its own, and one that is `not_found`
    if that is with HTTP 404.
    """

    names: frozenset[str]
    elsewhere: frozenset[str] = NO_NAMES
    before: Before = Before()
    protected: bool = False
    https: bool = False
    leaf: str = ""
    peculiar: bool = False
    not_found: bool = False
    written: float = field(default_factory=time.monotonic)

    @property
    def is_visible(self) -> bool:
        return bool(self.names or self.elsewhere)

    def was_there(self, name: str) -> bool:
        """Whether nginx served the name before the write, so that the old site looks like it."""
        return name in self.before.served | self.elsewhere


NOTHING_PROMISED = Promise(NO_NAMES, written=0.0)


@dataclass(frozen=True)
class Trouble:
    """What is wrong with a written site; `undo` says that what was there before did better.

    `absent_over` is the scheme over which nginx does not have the site at all.
    """

    message: str
    undo: bool = True
    absent_over: str | None = None


@dataclass(frozen=True)
class Findings:
    """The trouble with each promise, None where it is kept.

    `unseen` is why nothing could be seen from here; then NPM's word is all there is. `proven`
    are the schemes over which some site was seen, so that this is NPM's nginx indeed.
    """

    troubles: tuple[Trouble | None, ...]
    unseen: str | None = None
    proven: frozenset[str] = NO_NAMES
