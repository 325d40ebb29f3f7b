"""Which certificate is for which names: `certificate: auto`, and what a named one leaves out."""

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from proxysync.model import Certificate


@dataclass(frozen=True)
class Candidate:
    """A certificate that a host could have, and by what it is referred to.

    `is_own` says that it is the file's, `label` what messages call it; two with one `content`
    are the same. `expires` is None where it is not known.
    """

    target: int
    label: str
    names: tuple[str, ...]
    expires: datetime | None
    content: str = ""
    is_own: bool = False


class NoChoiceError(LookupError):
    """None of the certificates, or more than one, is the one for these names."""


def choose(domains: Sequence[str], candidates: Iterable[Candidate], now: datetime) -> Candidate:
    """The certificate for all of these names.

    The file's own come first; of these, or else of NPM's, the one that has most of the names as
    they are, without a wildcard; of several of them the one that expires last. Without names,
    as a stream is, there must be one to choose only. Raises NoChoiceError.
    """
    everything = list(candidates)
    usable = [one for one in everything if one.expires is None or one.expires > now]
    fitting = [one for one in usable if one.names and not uncovered(domains, one.names)]
    own = [one for one in fitting if one.is_own] or fitting
    found = own
    if domains:
        found = _best(found, lambda one: sum(name in one.names for name in domains))
        found = _best(found, _expiry)
    if not found:
        raise NoChoiceError(_none_fits(domains, everything))
    if len(found) > 1 and not _all_alike(found):
        labels = " and ".join(one.label for one in found)
        raise NoChoiceError(f"certificate auto is ambiguous: {labels} would do; name one of them")
    return found[0]


def uncovered(domains: Iterable[str], names: Collection[str]) -> list[str]:
    """Which of these domains a certificate for these names leaves out, as browsers see it."""
    return [
        domain
        for domain in domains
        if domain not in names and f"*.{domain.partition('.')[2]}" not in names
    ]


def expires_at(certificate: Certificate) -> datetime | None:
    """The moment it expires. NPM writes local time without a zone, or ISO with Z."""
    try:
        return datetime.fromisoformat(certificate.expires_on or "").astimezone()
    except (ValueError, OverflowError, OSError):
        # Year 9999 has an end, too: east of UTC it comes before that of datetime.
        return None


def _best(found: Sequence[Candidate], rank: Callable[[Candidate], Any]) -> list[Candidate]:
    most = max(map(rank, found), default=None)
    return [one for one in found if rank(one) == most]


def _expiry(candidate: Candidate) -> float:
    return candidate.expires.timestamp() if candidate.expires else 0.0


def _all_alike(found: Sequence[Candidate]) -> bool:
    return bool(found[0].content) and len({one.content for one in found}) == 1


def _none_fits(domains: Sequence[str], candidates: Sequence[Candidate]) -> str:
    there = ", ".join(dict.fromkeys(one.label for one in candidates)) or "none"
    what = f"all of {', '.join(domains)}" if domains else "anything"
    return f"certificate auto finds none that is valid and covers {what}; there is: {there}"
