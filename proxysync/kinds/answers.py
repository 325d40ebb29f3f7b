"""What a kind answers when it is asked of its entries and definitions."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from proxysync.model import Upstream
from proxysync.probe.model import Probe


@dataclass(frozen=True)
class Flaw:
    """What is wrong with an entry though each of its fields is good; `path` leads to the place."""

    path: tuple[str | int, ...]
    message: str
    hint: str | None = None


@dataclass(frozen=True)
class UpstreamProbe:
    """One upstream of an entry, and how its failing counts.

    `label` is None for the entry's main upstream. A failing step of `fatal` keeps the entry out
    of NPM in every mode, for nginx would not start; one of `forgiven` does not count.
    """

    label: str | None
    upstream: Upstream
    probe: Probe
    fatal: frozenset[str] = frozenset()
    forgiven: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Served:
    """What visitors get from nginx for a definition that is live.

    `https` and `forced` tell whether it has a certificate, and sends visitors there.
    `upstream` is None where nothing is forwarded; with `is_not_found` visitors are told so, just
    as they may be for names that nginx does not know. With `is_peculiar` its own configuration may
    answer at its root, in whatever way; `is_plain` tells that at the path that is checked
    nothing but the upstream answers.
    """

    names: frozenset[str]
    upstream: Upstream | None
    https: bool
    forced: bool
    is_peculiar: bool
    is_plain: bool
    is_not_found: bool = False


@dataclass(frozen=True)
class AsEntry:
    """An object of NPM as an entry of the file says it.

    `fields` are the file's, without those that have their default; `ineffective` are those that
    change nothing while the others are as they are. `problems` say what the file cannot express.
    """

    fields: Mapping[str, Any]
    ineffective: frozenset[str] = frozenset()
    problems: tuple[str, ...] = ()
