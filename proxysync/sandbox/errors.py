"""The ways in which NPM turns a request down."""

from typing import Any


class ApiError(Exception):
    """An answer with an error body; `i18n` is what NPM adds as `message_i18n`."""

    def __init__(self, status: int, message: str, i18n: Any = None) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.i18n = i18n


class Denied(Exception):  # noqa: N818 - NPM's own word for it
    """No usable login, or not the right for this."""


class NeverAnswers(Exception):  # noqa: N818 - it is no error to NPM
    """NPM keeps the connection open and never writes a byte."""


class NotFoundError(ApiError):
    """A row that is not there, or not for this user; not every version answers it by a 404."""


def not_found(row_id: int | None) -> NotFoundError:
    """NPM's 404 for a row that is not there, or not for this user."""
    return NotFoundError(404, f"Not Found - {row_id}" if row_id else "Not Found")


def internal_error(status: int = 500) -> ApiError:
    """What NPM says when it will not say what went wrong."""
    return ApiError(status, "Internal Error")
