"""A certificate, its chain and its key, read from PEM and checked as far as they tell.

What NPM does not look at, or only when it is too late, is refused here: NPM takes a key that is
another certificate's, and then no write succeeds any more; a passphrase ends its backend; and
nginx starts with no key that OpenSSL finds too small.

Import it only where there is a certificate to be read: `cryptography` takes its time.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
)
from cryptography.x509 import (
    BasicConstraints,
    Certificate,
    DNSName,
    ExtensionNotFound,
    IPAddress,
    SubjectAlternativeName,
    load_der_x509_certificate,
)

from proxysync.values import pem
from proxysync.values.invalid import InvalidValue

MAX_CHAIN = 10
"""Certificates in one chain, the leaf among them: OpenSSL's clients go no deeper."""

RSA_BITS = range(2048, 8193)
"""What both OpenSSL, at the level that distributions choose, and browsers take."""

CURVES = ("secp256r1", "secp384r1", "secp521r1")
HASHES = ("sha256", "sha384", "sha512")

CLOCKS_DIFFER = timedelta(minutes=5)
"""So much later than ours may be the moment from which a certificate is valid."""

_PEM = "give the file that begins with -----BEGIN CERTIFICATE-----"
_KEY = "give the file that begins with -----BEGIN PRIVATE KEY-----"


@dataclass(frozen=True)
class Chain:
    """A certificate for these `names`, and those that vouch for it; nothing in here is secret."""

    leaf: str
    rest: str
    names: tuple[str, ...]
    expires: datetime
    public_key: bytes = field(repr=False)


def certificates_in(text: bytes) -> list[pem.Block]:
    """All certificates of a file; one at least. Raises InvalidValue."""
    found = [block for block in _blocks(text, _PEM) if block.is_certificate]
    if not found:
        raise InvalidValue("holds no certificate in PEM", None, hint=_PEM)
    return found


def read_chain(blocks: Sequence[pem.Block], now: datetime) -> Chain:
    """The first certificate, with the rest as its chain. Raises InvalidValue."""
    first, *rest = blocks
    rest = [block for block in dict.fromkeys(rest) if block != first]
    if len(rest) >= MAX_CHAIN:
        raise InvalidValue(f"has a chain of more than {MAX_CHAIN} certificates", None)
    leaf, *above = [_parsed(block) for block in (first, *rest)]
    _require_valid(leaf, now)
    _require_order(leaf, above)
    _require_strong(leaf)
    for link in above:
        _require_strong(link, signed=link.issuer != link.subject)
    return Chain(
        leaf=first.text,
        rest="".join(block.text for block in rest),
        names=_names(leaf),
        expires=leaf.not_valid_after_utc,
        public_key=_public(leaf.public_key()),
    )


def read_key(text: bytes, chain: Chain) -> str:
    """The key of this chain's certificate, as one block of PEM. Raises InvalidValue."""
    keys = [block for block in _blocks(text, _KEY) if block.is_key]
    if not keys:
        raise InvalidValue("holds no private key in PEM", None, hint=_KEY)
    if len(keys) > 1:
        raise InvalidValue("holds more than one private key", None, hint="keep one of them")
    block = keys[0]
    if block.label == "ENCRYPTED PRIVATE KEY" or "ENCRYPTED" in block.text.partition("\n\n")[0]:
        raise InvalidValue(
            "holds a key with a passphrase, which would end NPM's backend",
            None,
            hint="`openssl pkey -in KEY -out NEW` writes it without",
        )
    try:
        key = load_pem_private_key(block.text.encode(), None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise InvalidValue("holds a private key that cannot be read", None, hint=_KEY) from None
    if _public(key.public_key()) != chain.public_key:
        raise InvalidValue(
            "holds the key of another certificate",
            None,
            hint="give the key that the certificate was made with; if both are just being "
            "renewed, it is read again once both are there",
        )
    return block.text


def names_in(certificate: str) -> tuple[str, ...]:
    """The names that the first certificate of a PEM text is for; none where it is none."""
    try:
        return _names(_parsed(certificates_in(certificate.encode())[0]))
    except InvalidValue:
        return ()


def _blocks(text: bytes, hint: str) -> list[pem.Block]:
    try:
        return pem.blocks(text.decode("utf-8-sig"))
    except ValueError:
        raise InvalidValue("is no PEM text", None, hint=hint) from None


def _parsed(block: pem.Block) -> Certificate:
    try:
        parsed = load_der_x509_certificate(block.der)
        parsed.extensions, parsed.public_key()
    except Exception:  # noqa: BLE001 - what the library raises for broken ones is no closed set
        raise InvalidValue("holds a certificate that cannot be read", None, hint=_PEM) from None
    return parsed


def _require_valid(leaf: Certificate, now: datetime) -> None:
    if leaf.not_valid_after_utc <= now:
        raise InvalidValue(
            f"holds a certificate that expired on {leaf.not_valid_after_utc:%Y-%m-%d}",
            None,
            hint="renew it",
        )
    if leaf.not_valid_before_utc > now + CLOCKS_DIFFER:
        raise InvalidValue(
            "holds a certificate that is valid only from "
            f"{leaf.not_valid_before_utc:%Y-%m-%d %H:%M} UTC on",
            None,
            hint="wait until then, or set this machine's clock",
        )


def _require_order(leaf: Certificate, above: Sequence[Certificate]) -> None:
    """nginx takes the first one for the server's, and sends the rest as they stand."""
    try:
        is_authority = leaf.extensions.get_extension_for_class(BasicConstraints).value.ca
    except ExtensionNotFound:
        is_authority = False
    if is_authority and above:
        raise InvalidValue(
            "has the certificate of an authority first",
            None,
            hint="put the server's own first, then those that vouch for it, each after the one "
            "that it vouches for",
        )
    for lower, upper in zip((leaf, *above), above, strict=False):
        if lower.issuer != upper.subject:
            raise InvalidValue(
                "has a chain in which one certificate was not issued by the next",
                None,
                hint="put the server's own first, then those that vouch for it, each after the "
                "one that it vouches for",
            )


def _require_strong(certificate: Certificate, *, signed: bool = True) -> None:
    """Refuses what nginx or browsers would. Who trusts a root asks for no signature of it."""
    key = certificate.public_key()
    if isinstance(key, rsa.RSAPublicKey):
        if key.key_size not in RSA_BITS:
            raise InvalidValue(
                f"holds an RSA key of {key.key_size} bits, and nginx takes {RSA_BITS[0]} to "
                f"{RSA_BITS[-1]}",
                None,
                hint="make a new key of 2048 bits, and a certificate for it",
            )
    elif not isinstance(key, ec.EllipticCurvePublicKey) or key.curve.name not in CURVES:
        raise InvalidValue(
            "holds a key of a kind that browsers do not know",
            None,
            hint="they know RSA, and ECDSA on P-256, P-384 and P-521",
        )
    used = certificate.signature_hash_algorithm
    if signed and (used is None or used.name not in HASHES):
        raise InvalidValue(
            f"is signed with {used.name.upper() if used else 'an unknown algorithm'}, which "
            "browsers do not take any more",
            None,
            hint="have it issued anew, with SHA-256",
        )


def _names(leaf: Certificate) -> tuple[str, ...]:
    """As browsers do, the subject is not looked at."""
    try:
        listed = leaf.extensions.get_extension_for_class(SubjectAlternativeName).value
    except ExtensionNotFound:
        return ()
    domains = [name.lower().removesuffix(".") for name in listed.get_values_for_type(DNSName)]
    addresses = [str(address) for address in listed.get_values_for_type(IPAddress)]
    return tuple(dict.fromkeys((*domains, *addresses)))


def _public(key: Any) -> bytes:
    return bytes(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))
