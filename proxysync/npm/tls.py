"""What a failure of TLS means: a certificate that is not trusted is only one cause of many."""

import os
import socket
import ssl
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

from requests.utils import DEFAULT_CA_BUNDLE_PATH

from proxysync.npm.errors import NpmAddressError, NpmError, NpmUnavailableError, address_hint
from proxysync.values.upstreams import port_of

NOT_TLS = ("WRONG_VERSION_NUMBER", "HTTP_REQUEST", "RECORD_LAYER_FAILURE")
NOTHING_IN_COMMON = ("HANDSHAKE_FAILURE", "PROTOCOL_VERSION", "UNSUPPORTED_PROTOCOL", "NO_SHARED")
"""Parts of OpenSSL's names of reasons, which differ from version to version."""


def trusted(ca_file: Path | None) -> str | None:
    """The CAs that are trusted, a file or a folder; None for those that requests brings."""
    bundle = os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE")
    return str(ca_file) if ca_file else bundle


def handshake(url: str, ca_file: Path | None, seconds: float) -> datetime:
    """When the certificate that is shown at this address expires. Raises NpmError."""
    host, found = urlsplit(url).hostname or "", trusted(ca_file) or DEFAULT_CA_BUNDLE_PATH
    try:
        folder = Path(found).is_dir()
        context = ssl.create_default_context(
            cafile=None if folder else found, capath=found if folder else None
        )
        with (
            socket.create_connection((host, port_of(url)), seconds) as plain,
            context.wrap_socket(plain, server_hostname=host) as wrapped,
        ):
            shown = wrapped.getpeercert() or {}
    except OSError as error:
        if isinstance(error, ssl.SSLError):
            raise explain(error, url, ca_file) from error
        raise NpmUnavailableError(
            f"no TLS connection to {url}: {error.strerror or error}",
            hint="Check what serves https at this address, and that PROXYSYNC_NPM_URL names it.",
        ) from error
    return datetime.fromtimestamp(ssl.cert_time_to_seconds(str(shown["notAfter"])), UTC)


def explain(error: BaseException, url: str, ca_file: Path | None) -> NpmError:
    """The error for a person, from what OpenSSL says in the depth of `error`."""
    cause = _cause(error)
    if isinstance(cause, ssl.SSLCertVerificationError):
        return NpmAddressError(
            f"the certificate of {url} is not trusted: {_distrust(cause.verify_message)}",
            hint="Set PROXYSYNC_NPM_CA_FILE to a PEM file with its CA (or with the certificate "
            "itself if it is self-signed); proxysync never turns verification off.",
        )
    if cause is not None and cause.library == "X509":
        named = ca_file or "that REQUESTS_CA_BUNDLE or CURL_CA_BUNDLE names"
        return NpmAddressError(
            f"the CA file {named} holds no certificate that can be read",
            hint="PROXYSYNC_NPM_CA_FILE must name a PEM file with the CA of NPM's certificate.",
        )
    reason = (cause and cause.reason) or "no reason given"
    words = reason.lower().replace("_", " ")
    if any(part in reason for part in NOT_TLS):
        return NpmAddressError(
            f"{url} does not speak TLS ({words})",
            hint=f"Set PROXYSYNC_NPM_URL to {url.replace('https:', 'http:', 1)} if it is NPM's "
            "admin port, which speaks plain HTTP.",
        )
    if "UNRECOGNIZED_NAME" in reason:
        return NpmAddressError(
            f"what answers at {url} has no https site of that name ({words})",
            hint=address_hint(url),
        )
    if any(part in reason for part in NOTHING_IN_COMMON):
        return NpmAddressError(
            f"{url} and proxysync have no version or cipher of TLS in common ({words})",
            hint="Let what serves https there allow TLS 1.2 or 1.3.",
        )
    # The connection may have been cut with a request already on its way.
    return NpmUnavailableError(
        f"the TLS connection to {url} failed ({words})",
        hint="Check what serves https at this address, and that PROXYSYNC_NPM_URL names it.",
    )


def _cause(error: BaseException) -> ssl.SSLError | None:
    """OpenSSL's own error, which requests and urllib3 wrap several times."""
    inner: BaseException | None = error
    while inner is not None and not isinstance(inner, ssl.SSLError):
        wrapped = (getattr(inner, "reason", None), *inner.args)
        inner = next((one for one in wrapped if isinstance(one, BaseException)), None)
    return inner


def _distrust(words: str) -> str:
    if "self-signed" in words or "self signed" in words:
        return "it is self-signed"
    if "mismatch" in words:
        return "it is for another name"
    if "expired" in words:
        return "it has expired"
    if "unable to get local issuer" in words:
        return "its issuer is not known here"
    return words
