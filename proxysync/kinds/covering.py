"""Which certificate is for which names: `certificate: auto`, and what a named one leaves out."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

from proxysync.model import Certificate, Reference
from proxysync.values import pem


@dataclass(frozen=True)
class Candidate:
    """A certificate that a host could have, be it in NPM or in the file.

    `npm_id` is what stands for it among a host's fields. `expires` is None where it is not known;
    two with one `leaf` are the same.
    """

    npm_id: int | Reference
    nice_name: str
    domains: tuple[str, ...]
    expires: datetime | None = None
    leaf: str = ""

    @property
    def is_own(self) -> bool:
        """Whether it is the file's."""
        return isinstance(self.npm_id, Reference)

    def __str__(self) -> str:
        return described(self.nice_name, self.domains)


def described(nice_name: str, domains: Iterable[str]) -> str:
    """What messages call a certificate."""
    others = [domain for domain in domains if domain != nice_name]
    return f'"{nice_name}"' + (f" (covers {', '.join(others)})" if others else "")


def in_npm(certificate: Certificate) -> Candidate:
    """One of NPM's."""
    return Candidate(
        certificate.npm_id,
        certificate.nice_name,
        certificate.domains,
        expires_at(certificate),
        certificate.leaf,
    )


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
    fitting = [one for one in usable if one.domains and not uncovered(domains, one.domains)]
    own = [one for one in fitting if one.is_own] or fitting
    found = own
    if domains:
        found = _best(found, lambda one: sum(name in one.domains for name in domains))
        found = _best(found, _expiry)
    if not found:
        raise NoChoiceError(_none_fits(domains, everything))
    if len(found) > 1 and not _all_alike(found):
        labels = " and ".join(map(str, found))
        raise NoChoiceError(f"certificate auto is ambiguous: {labels} would do; name one of them")
    return found[0]


def uncovered(domains: Iterable[str], names: Collection[str]) -> list[str]:
    """Which of these domains a certificate for these names leaves out, as browsers see it."""
    return [
        domain
        for domain in domains
        if domain not in names and f"*.{domain.partition('.')[2]}" not in names
    ]


def as_certificate(npm_id: int, row: Mapping[str, Any]) -> Certificate:
    """A row of NPM as those see it that refer to it; what else is in there may be a key.

    NPM itself takes the first word of the subject of an uploaded one for its only name.
    """
    meta, listed, expires_on = row.get("meta"), row.get("domain_names"), row.get("expires_on")
    shown = meta.get("certificate") if isinstance(meta, dict) else None
    text = shown if isinstance(shown, str) else ""
    words = [n for n in listed if isinstance(n, str)] if isinstance(listed, list) else []
    names = (word.lower().strip().rstrip(",") for word in words)
    return Certificate(
        npm_id=npm_id,
        nice_name=str(row.get("nice_name") or ""),
        domains=_names_in(text) or tuple(name for name in names if name),
        expires_on=None if expires_on is None else str(expires_on),
        leaf=pem.digests(text, "", "")["leaf"],
    )


@lru_cache(maxsize=256)
def _names_in(text: str) -> tuple[str, ...]:
    if not text:
        return ()
    from proxysync.values.certificates import names_in  # noqa: PLC0415 - `cryptography` is slow

    return names_in(text)


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
    return bool(found[0].leaf) and len({one.leaf for one in found}) == 1


def _none_fits(domains: Sequence[str], candidates: Sequence[Candidate]) -> str:
    there = ", ".join(dict.fromkeys(map(str, candidates))) or "none"
    what = f"all of {', '.join(domains)}" if domains else "anything"
    return f"certificate auto finds none that is valid and covers {what}; there is: {there}"
