"""One setting of the environment: what is wrong with it, and how a secret of it is kept."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from proxysync.model.errors import ProxysyncError

MAX_SECRET_BYTES = 64 * 1024

TAGS = "--tags or PROXYSYNC_TAGS"
"""How messages call that setting: it is not known which of them was given."""

CREDENTIALS = ("npm_secret", "npm-secret")
"""Names that the password for NPM may have as a systemd credential."""

TOKEN_CREDENTIALS = ("api_token", "api-token")
"""The same for the token of the API."""


class Secret:
    """A text that shows itself only when it is asked for."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        return self._text

    def __repr__(self) -> str:
        return "Secret(…)"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._text == self._text

    def __hash__(self) -> int:
        return hash(self._text)


class SettingError(ProxysyncError):
    """A setting that is missing or makes no sense."""

    code = "environment.invalid"


def read_secret_file(path: Path, what: str, hint: str) -> str:
    """The text of a small file, without the line end after it; `what` is how messages call it.

    Raises SettingError with `hint` if it cannot be read, is empty or too large, or no text.
    """
    try:
        # Without O_NONBLOCK, opening a FIFO would wait for a writer.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as file:
            content = file.read(MAX_SECRET_BYTES + 1) or b""
    except (OSError, ValueError) as error:
        reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
        raise SettingError(
            f"{what} {path} cannot be read: {reason}",
            hint="Name a file that proxysync's user can read.",
        ) from error
    try:
        text = content.decode().removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError:
        text = ""
    if not text or len(content) > MAX_SECRET_BYTES:
        raise SettingError(
            f"{what} {path} is {'empty' if not content.strip() else 'no text of up to 64 KiB'}",
            hint=hint,
        )
    return text


def read_credential(given: Mapping[str, str], names: Sequence[str], hint: str) -> str | None:
    """The text of the first systemd credential of these names that there is.

    Raises SettingError with `hint` where it cannot be meant.
    """
    folder = given.get("CREDENTIALS_DIRECTORY")
    paths = (Path(folder) / name for name in names) if folder else ()
    for path in paths:
        if path.exists():
            return read_secret_file(path, "the systemd credential", hint)
    return None
