"""Certificates from files: what is right is read, all that NPM would fall over is refused."""

import datetime as dt

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from cryptography.x509.oid import NameOID

from proxysync.values import pem
from proxysync.values.certificates import Chain, certificates_in, names_in, read_chain, read_key
from proxysync.values.invalid import InvalidValue

NOW = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
EC = ec.generate_private_key(ec.SECP256R1())
OTHER = ec.generate_private_key(ec.SECP256R1())


def issue(
    name: str = "leaf",
    *sans: str,
    key: object = EC,
    issuer: str | None = None,
    by: object = None,
    starts: int = 2020,
    ends: int = 2030,
    ca: bool = False,
    signed: hashes.HashAlgorithm | None = hashes.SHA256(),  # noqa: B008
) -> bytes:
    """A certificate in PEM."""
    subject, above = (
        x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])
        for text in (name, issuer or name)
    )
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(above)
        .public_key(key.public_key())  # type: ignore[attr-defined]
        .serial_number(7)
        .not_valid_before(dt.datetime(starts, 1, 1, tzinfo=dt.UTC))
        .not_valid_after(dt.datetime(ends, 1, 1, tzinfo=dt.UTC))
    )
    if sans:
        names = x509.SubjectAlternativeName([x509.DNSName(san) for san in sans])
        builder = builder.add_extension(names, critical=False)
    if ca:
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), True)
    made = builder.sign(by or key, signed)  # type: ignore[arg-type]
    return made.public_bytes(Encoding.PEM)


def key_of(
    key: object, shape: PrivateFormat = PrivateFormat.PKCS8, passphrase: bytes = b""
) -> bytes:
    how = BestAvailableEncryption(passphrase) if passphrase else NoEncryption()
    return bytes(key.private_bytes(Encoding.PEM, shape, how))  # type: ignore[attr-defined]


def only_text(value: bytes | str) -> str:
    return value if isinstance(value, str) else "of"  # keys differ from worker to worker


ROOT = issue("root", key=OTHER, ca=True)
MIDDLE = issue("middle", key=OTHER, issuer="root", ca=True)
LEAF = issue("leaf", "A.example.com", "*.example.com", issuer="middle", by=OTHER)


def read(certificate: bytes, chain: bytes | None = None) -> Chain:
    more = [] if chain is None else certificates_in(chain)
    return read_chain([*certificates_in(certificate), *more], NOW)


def refusal(certificate: bytes, key: bytes | None = None, chain: bytes | None = None) -> str:
    """Message and hint."""
    try:
        read_key(key or b"", read(certificate, chain))
    except InvalidValue as error:
        return f"{error.message} ({error.hint})"
    raise AssertionError("it was read")


def test_what_is_read_of_a_good_one() -> None:
    found = read(LEAF + MIDDLE + ROOT)

    assert found.names == names_in(LEAF.decode()) == ("a.example.com", "*.example.com")
    assert found.leaf.encode() == LEAF
    assert found.rest.encode() == MIDDLE + ROOT
    assert found.expires == dt.datetime(2030, 1, 1, tzinfo=dt.UTC)
    assert read_key(key_of(EC), found).encode() == key_of(EC)


def test_the_chain_may_stand_in_a_file_of_its_own() -> None:
    assert read(LEAF, MIDDLE) == read(LEAF + MIDDLE)
    assert read(LEAF + MIDDLE, MIDDLE) == read(LEAF + MIDDLE)


@pytest.mark.parametrize("shape", [PrivateFormat.PKCS8, PrivateFormat.TraditionalOpenSSL])
def test_a_key_may_have_any_shape_that_openssl_writes(shape: PrivateFormat) -> None:
    params = b"-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n"
    text = b"\xef\xbb\xbfKey:\r\n" + params + key_of(EC, shape).replace(b"\n", b"\r\n")

    assert read_key(text, read(LEAF)).encode() == key_of(EC, shape)


@pytest.mark.parametrize(
    ("certificate", "message"),
    [
        (b"", "holds no certificate in PEM"),
        (b"\xff\xfe", "is no PEM text"),
        (key_of(EC), "holds no certificate in PEM"),
        (LEAF.replace(b"MII", b"AAA"), "cannot be read"),
        (b"\n".join(LEAF.split(b"\n")[:3] + LEAF.split(b"\n")[4:]), "cannot be read"),
        (issue(ends=2025), "expired on 2025-01-01 (renew it)"),
        (issue(starts=2029), "valid only from 2029-01-01 00:00 UTC on"),
        (MIDDLE + LEAF, "has the certificate of an authority first"),
        (LEAF + ROOT, "not issued by the next"),
        (LEAF + MIDDLE * 2 + b"".join(issue(str(n)) for n in range(10)), "more than 10"),
        (issue(key=ed25519.Ed25519PrivateKey.generate(), signed=None), "browsers do not know"),
        (issue(key=ec.generate_private_key(ec.SECP256K1())), "browsers do not know"),
        (issue(signed=hashes.SHA224()), "signed with SHA224"),
        (issue(key=rsa.generate_private_key(65537, 1024)), "an RSA key of 1024 bits"),
    ],
    ids=only_text,
)
def test_a_certificate_that_would_not_work_is_refused(certificate: bytes, message: str) -> None:
    assert message in refusal(certificate)


def test_a_root_may_be_as_old_as_it_is() -> None:
    old = issue("middle", key=OTHER, signed=hashes.SHA224(), ca=True)

    assert read(LEAF, old).rest.encode() == old


@pytest.mark.parametrize(
    ("key", "message"),
    [
        (b"", "holds no private key in PEM"),
        (LEAF, "holds no private key in PEM"),
        (key_of(OTHER), "holds the key of another certificate"),
        (key_of(EC) + key_of(OTHER), "more than one private key"),
        (key_of(EC).replace(b"MIG", b"AAA"), "cannot be read"),
        (key_of(EC, passphrase=b"open sesame"), "passphrase"),
        (key_of(EC, PrivateFormat.TraditionalOpenSSL, b"open sesame"), "passphrase"),
    ],
    ids=only_text,
)
def test_a_key_that_would_not_work_is_refused_and_never_shown(key: bytes, message: str) -> None:
    told = refusal(LEAF, key)

    assert message in told
    lines = [line for line in key.decode().splitlines() if len(line) > 20 and "-----" not in line]
    assert not any(line in told for line in lines)


def test_digests_are_the_same_however_the_text_is_spelt() -> None:
    one = pem.digests((LEAF + MIDDLE).decode(), "", key_of(EC).decode())
    other = pem.digests(
        f"Bag Attributes\r\n{LEAF.decode()}".replace("\n", "\r\n"),
        f"\n# the authority\n{MIDDLE.decode()}\n{LEAF.decode()}",
        f"\n{key_of(EC).decode().strip()}",
    )

    assert one == other
    assert all(len(digest) == 64 for digest in one.values())
    assert pem.digests(LEAF.decode(), "", "")["leaf"] == one["leaf"]


def test_what_is_not_there_has_no_digest_and_what_is_no_pem_has_one_of_its_own() -> None:
    assert set(pem.digests("", "", "").values()) == {""}
    assert pem.digests("x", "", "y") != pem.digests("x", "", "z")
    assert pem.digests(LEAF.decode(), "", "") != pem.digests(LEAF.decode(), MIDDLE.decode(), "")
