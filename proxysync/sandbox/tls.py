"""Certificates and keys: what they say, and how they are served."""

import re
import ssl
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any


class BadPemError(Exception):
    """What OpenSSL says about a text that it cannot use."""


@dataclass(frozen=True)
class Facts:
    """What a certificate says: `subject` and `issuer` as OpenSSL prints them, times in seconds."""

    subject: str
    issuer: str
    starts: int
    ends: int

    @property
    def name(self) -> str:
        """What NPM takes for the common name: the first word of the first part of the subject."""
        found = re.search(r"= ?(\S+)", self.subject)
        return found[1] if found else ""


_SHORT = {
    "commonName": "CN",
    "countryName": "C",
    "emailAddress": "emailAddress",
    "localityName": "L",
    "organizationName": "O",
    "organizationalUnitName": "OU",
    "stateOrProvinceName": "ST",
}


def facts(certificate: str) -> Facts:
    """Reads a certificate. Raises BadPemError if it is none."""
    with tempfile.NamedTemporaryFile("w", suffix=".pem") as file:
        file.write(certificate)
        file.flush()
        try:
            # The only way of the standard library to read a certificate that nobody presented.
            found: dict[str, Any] = ssl._ssl._test_decode_cert(file.name)  # type: ignore[attr-defined]  # noqa: SLF001
        except ssl.SSLError:
            text = f"Could not read certificate from {file.name}\nUnable to load certificate\n"
            raise BadPemError(text) from None
    return Facts(
        _printed(found["subject"]),
        _printed(found["issuer"]),
        int(ssl.cert_time_to_seconds(found["notBefore"])),
        int(ssl.cert_time_to_seconds(found["notAfter"])),
    )


def local_time(seconds: int) -> str:
    """A time as NPM on SQLite writes it."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(seconds))


def server_context(chain: str, key: str) -> ssl.SSLContext:
    """What serves this pair. Raises BadPemError if it is none."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with tempfile.TemporaryDirectory() as folder:
        chain_file, key_file = Path(folder, "fullchain.pem"), Path(folder, "privkey.pem")
        chain_file.write_text(chain)
        key_file.touch(0o600)
        key_file.write_text(key)
        try:
            context.load_cert_chain(chain_file, key_file)
        except ssl.SSLError as error:
            raise BadPemError(str(error.reason).lower().replace("_", " ")) from None
    return context


def choosing_context(choose: Callable[[str], ssl.SSLContext | None]) -> ssl.SSLContext:
    """What serves by the name that a visitor asks for, and refuses names without a context."""

    def chosen(connection: ssl.SSLObject, name: str | None, _: ssl.SSLContext) -> int | None:
        context = choose((name or "").lower())
        if context is None:
            return ssl.ALERT_DESCRIPTION_UNRECOGNIZED_NAME
        connection.context = context
        return None

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.sni_callback = chosen
    return context


def looks_like_key(text: str) -> bool:
    """Whether this is the text of a private key without a passphrase."""
    return bool(re.search(r"-----BEGIN (?:\w+ )?PRIVATE KEY-----\s", text))


def _printed(name: tuple[tuple[tuple[str, str], ...], ...]) -> str:
    parts = [part for group in name for part in group]
    return ", ".join(f"{_SHORT.get(label, label)} = {value}" for label, value in parts)
