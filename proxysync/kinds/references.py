"""Certificates and access lists by name: NPM's ids never appear in the file."""

import json
from collections.abc import Mapping, Sequence

from proxysync.model import AccessList, Certificate, Fields, Snapshot


class UnknownReferenceError(LookupError):
    """A name that NPM does not have, or has more than once; the text lists what there is."""


def find_certificate(name: str, certificates: Sequence[Certificate]) -> int:
    """The id of the certificate with this nice name, or covering this domain.

    A nice name wins over a domain that is listed, and that over one a wildcard covers.
    Raises UnknownReferenceError where the best of these is missing or ambiguous.
    """
    wanted = name.lower()
    rules = (
        [c for c in certificates if c.nice_name == name],
        [c for c in certificates if c.nice_name.lower() == wanted],
        [c for c in certificates if wanted in c.domains],
        [c for c in certificates if _wildcard(wanted) in c.domains],
    )
    found = next((matches for matches in rules if matches), [])
    known = {certificate.npm_id: _describe(certificate) for certificate in certificates}
    advice = "give a nice name or a domain that only one of them has"
    return _only("certificate", name, [c.npm_id for c in found], known, advice)


def find_access_list(name: str, access_lists: Sequence[AccessList]) -> int:
    """The id of the access list with this name.

    Raises UnknownReferenceError where there is none, or more than one.
    """
    found = [a.npm_id for a in access_lists if a.name == name]
    known = {a.npm_id: f'"{a.name}"' for a in access_lists}
    return _only("access list", name, found, known, "give each its own name in NPM")


def surroundings(fields: Fields, snapshot: Snapshot) -> str:
    """What a definition refers to, as NPM has it: another text means that it may fare otherwise."""
    certificates = [c for c in snapshot.certificates if c.npm_id == fields.get("certificate_id")]
    lists = [a for a in snapshot.access_lists if a.npm_id == fields.get("access_list_id")]
    parts = [[c.domains, c.expires_on] for c in certificates], [a.clients for a in lists]
    return json.dumps(parts)


def _only(what: str, name: str, ids: Sequence[int], known: Mapping[int, str], advice: str) -> int:
    if len(ids) == 1:
        return ids[0]
    others = ", ".join(dict.fromkeys(text for key, text in known.items() if key not in ids))
    if not ids:
        there_are = others or "none (or this account may not see them)"
        raise UnknownReferenceError(f'NPM has no {what} "{name}"; it has: {there_are}')
    alike = " and ".join(f"#{npm_id} {known[npm_id]}" for npm_id in ids)
    raise UnknownReferenceError(
        f'{what} "{name}" is ambiguous, for NPM has {alike}; {advice}'
        + (f"; it also has: {others}" if others else "")
    )


def _wildcard(domain: str) -> str:
    return "*." + domain.partition(".")[2]


def _describe(certificate: Certificate) -> str:
    others = [domain for domain in certificate.domains if domain != certificate.nice_name]
    return f'"{certificate.nice_name}"' + (f" (covers {', '.join(others)})" if others else "")
