"""PEM texts: their blocks, and digests by which two spellings of one thing are the same."""

import binascii
import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

CERTIFICATE = "CERTIFICATE"

_BLOCK = re.compile(
    r"-----BEGIN (?P<label>[A-Z0-9 ]{1,60})-----\s*(?P<body>.*?)\s*-----END (?P=label)-----",
    re.DOTALL,
)
_HEADERS = re.compile(r"[A-Za-z-]{1,40}: [^\n]*\n(?: [^\n]*\n)*\s*")


@dataclass(frozen=True)
class Block:
    """One block: what it says it is, and its content without the spelling of the text.

    `text` is the block alone, as it is to be uploaded.
    """

    label: str
    der: bytes
    text: str

    def __repr__(self) -> str:  # it may be a key
        return f"Block({self.label!r})"

    @property
    def is_certificate(self) -> bool:
        return self.label == CERTIFICATE

    @property
    def is_key(self) -> bool:
        return self.label.endswith("PRIVATE KEY")


def blocks(text: str) -> list[Block]:
    """All blocks of a text, in its order; what stands between them means nothing.

    Raises ValueError where one of them holds no Base64.
    """
    return [_block(found) for found in _BLOCK.finditer(text.replace("\r\n", "\n"))]


def digests(certificate: str, chain: str, key: str) -> Mapping[str, str]:
    """SHA-256 of the `leaf`, of the `chain` after it and of the `key`; empty for what is not there.

    A chain may follow its leaf in one text, or stand by itself: that makes no difference, nor
    do line ends and comments. What is no PEM text has a digest of its own, too.
    """
    leaf, *rest = [*_of_certificates(certificate), *_of_certificates(chain)] or [b""]
    # NPM forgets no chain that it once had: where there is to be none, the leaf stands for it.
    links = [der for der in dict.fromkeys(rest) if der != leaf]
    return {"leaf": _digest([leaf]), "chain": _digest(links), "key": _digest(_of_keys(key))}


def fingerprint(der: bytes) -> str:
    """What a certificate is known by, as browsers and openssl show it, without the colons."""
    return hashlib.sha256(der).hexdigest()


def _of_certificates(text: str) -> list[bytes]:
    try:
        found = [block.der for block in blocks(text) if block.is_certificate]
    except ValueError:
        found = []
    return found or ([text.encode()] if text.strip() else [])


def _of_keys(text: str) -> list[bytes]:
    try:
        found = [b.label.encode() + b"\0" + b.der for b in blocks(text) if b.is_key][:1]
    except ValueError:
        found = []
    return found or ([text.encode()] if text.strip() else [])


def _digest(parts: Sequence[bytes]) -> str:
    whole = b"".join(parts)
    return fingerprint(whole) if whole else ""


def _block(found: re.Match[str]) -> Block:
    body = _HEADERS.sub("", found["body"]) if ":" in found["body"] else found["body"]
    der = binascii.a2b_base64(body.encode("ascii", "strict"))
    return Block(found["label"], der, f"{found[0].strip()}\n")
