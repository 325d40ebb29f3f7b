"""What can go wrong with an NPM server; each error names the request and NPM's own words."""

from enum import StrEnum
from urllib.parse import urlsplit

from proxysync.model import Live
from proxysync.model.errors import ProxysyncError


class Fate(StrEnum):
    """What has become of a request that failed.

    ENDED: it was answered, or never sent. GIVEN_UP: a proxy before NPM said that it got no
    answer. UNKNOWN: it may be on its way even now.
    """

    ENDED = "ended"
    GIVEN_UP = "given up"
    UNKNOWN = "unknown"


class NpmError(ProxysyncError):
    """Root of all errors of an NPM server."""

    code = "npm.error"


class NpmUnavailableError(NpmError):
    """The server is away or not able to answer now; the same request may work later."""

    code = "npm.unavailable"

    def __init__(self, message: str, *, hint: str | None = None, fate: Fate = Fate.UNKNOWN) -> None:
        super().__init__(message, hint=hint)
        self.fate = fate


class NpmSilentError(NpmUnavailableError):
    """Whoever asks has waited long enough for any answer."""


class NpmStoppedError(NpmError):
    """This process was told to end while it waited for an answer to a reading."""

    code = "npm.stopped"


class NpmAnswerError(NpmError):
    """NPM's answer is none that can be understood."""

    code = "npm.answer"


class NpmAddressError(NpmError):
    """What answers is not NPM's API, or its certificate is not trusted."""

    code = "npm.address"


def address_hint(url: str) -> str:
    """What to do about an address that is not that of NPM's API."""
    parts = urlsplit(url)
    if parts.path:
        return (
            f"Set PROXYSYNC_NPM_URL to NPM's admin address; without its path this one is "
            f"{parts.scheme}://{parts.netloc}."
        )
    return (
        "Set PROXYSYNC_NPM_URL to NPM's admin address (usually port 81), such as "
        "http://10.0.0.2:81, not to one of its sites or to its backend."
    )


class NpmLoginError(NpmError):
    """NPM does not let this identity in (wrong secret, disabled, two-factor)."""

    code = "npm.login"


class NpmRightsError(NpmError):
    """The account may not do this."""

    code = "npm.rights"


class NpmNotFoundError(NpmError):
    """This one object is not there, or not visible to the account."""

    code = "npm.not_found"


class NpmRejectedError(NpmError):
    """NPM refused what was asked (a 4xx); nothing was changed."""

    code = "npm.rejected"


class NpmUnconfirmedError(NpmError):
    """A write whose effect is not known: a 5xx, or the answer was lost.

    NPM changes its row before it tests nginx, so the row may have changed all the same.
    `live` is what a reading straight afterwards showed; None if nothing or unreadable.
    `flight` is what its sender's recorder calls it, if there is one.
    """

    code = "npm.unconfirmed"

    def __init__(
        self,
        message: str,
        *,
        hint: str | None = None,
        live: Live | None = None,
        fate: Fate = Fate.ENDED,
    ) -> None:
        super().__init__(message, hint=hint)
        self.live = live
        self.fate = fate
        self.flight: int | None = None
