"""Which certificates in use need a word now. Pure."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime

from proxysync.kinds import is_enabled
from proxysync.kinds.covering import expires_at
from proxysync.kinds.references import certificates_in_use
from proxysync.model import Certificate, Snapshot
from proxysync.model.event import NewEvent, Severity

PREFIX = "certificate "
"""How the keys of the alerts of a certificate begin."""

STAGES: tuple[tuple[int, Severity], ...] = ((0, "error"), (7, "error"), (21, "warn"))
"""Days that are left when something is said, and how loud; the most urgent one first."""


@dataclass(frozen=True)
class ExpiryWarning:
    """The event of a certificate that expires, and the `keys` of the alerts that it fires."""

    keys: tuple[str, ...]
    event: NewEvent


def in_use(snapshot: Snapshot) -> tuple[Certificate, ...]:
    """The certificates with which something is served, by hosts that are not ours, too."""
    used = certificates_in_use(live.fields for live in snapshot.objects if is_enabled(live))
    return tuple(one for one in snapshot.certificates if one.npm_id in used)


def expiry_warnings(
    certificates: Iterable[Certificate], said: Collection[str], now: datetime
) -> list[ExpiryWarning]:
    """One warning for each certificate that has come to a new stage.

    `said` are the keys of what was said before. A renewed certificate begins anew.
    """
    found = (_warning(certificate, said, now) for certificate in certificates)
    return [warning for warning in found if warning is not None]


def call(certificate: Certificate) -> str:
    """What people call it."""
    return certificate.nice_name or ", ".join(certificate.domains)


def keys_of(certificate: Certificate) -> tuple[str, ...]:
    """What may have been said of the certificate as it is now."""
    return tuple(_key(certificate, days) for days, _ in STAGES)


def _warning(
    certificate: Certificate, said: Collection[str], now: datetime
) -> ExpiryWarning | None:
    moment = expires_at(certificate)
    if moment is None:
        return None
    left = (moment - now).total_seconds() / 86400
    reached = [(days, severity) for days, severity in STAGES if left <= days]
    if not reached or _key(certificate, reached[0][0]) in said:
        return None
    expired = left <= 0
    days_left = max(0, int(left))
    when = "expired" if expired else f"expires in {_days(days_left)},"
    event = NewEvent(
        "npm.certificate_expired" if expired else "npm.certificate_expiring",
        f"certificate {call(certificate)} (#{certificate.npm_id}) {when} on {moment:%Y-%m-%d}; "
        "live hosts use it",
        data={
            "hint": "Renew it in NPM under Certificates, or see there why renewing fails; one of "
            "the file is renewed in the files that its entry names.",
            "days_left": days_left,
        },
        severity=reached[0][1],
    )
    return ExpiryWarning(tuple(_key(certificate, days) for days, _ in reached), event)


def _key(certificate: Certificate, days: int) -> str:
    return f"{PREFIX}{certificate.npm_id} {certificate.expires_on} {days}"


def _days(count: int) -> str:
    return {0: "less than a day", 1: "1 day"}.get(count, f"{count} days")
