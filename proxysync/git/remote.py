"""Which repository is followed, and as whom."""

import hashlib
from base64 import b64encode
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

SHOWN = "${PROXYSYNC_GIT_TOKEN_FILE}"
"""Stands for the token wherever it would be shown."""


@dataclass(frozen=True)
class Remote:
    """A branch of a repository and what is taken from it.

    `path` is the file or folder within it, `branch` None for the one that the repository's HEAD
    is. `protocol` is the only one that git may speak. `token` is known to whoever fetches. With
    `allowed_signers`, the commit must have a signature of one of these.
    """

    url: str
    protocol: str
    path: PurePosixPath
    branch: str | None = None
    interval: float = 60.0
    key_file: Path | None = None
    token_file: Path | None = None
    token: str | None = field(default=None, repr=False)
    allowed_signers: Path | None = None

    def __str__(self) -> str:
        """As messages call it."""
        branch = f"branch {self.branch}" if self.branch else "the default branch"
        return f"{self.path} in {branch} of {self.url}"

    @property
    def ref(self) -> str:
        """What is asked for at the repository."""
        return f"refs/heads/{self.branch}" if self.branch else "HEAD"

    @property
    def identity(self) -> str:
        """Tells what was taken for these settings from what was taken for others."""
        parts = (self.url, self.ref, str(self.path), str(self.allowed_signers or ""))
        return hashlib.sha256("\0".join(parts).encode(errors="surrogateescape")).hexdigest()

    @property
    def login(self) -> str | None:
        """The token as HTTP sends it, which takes any user's name; one may stand before it."""
        if self.token is None:
            return None
        pair = self.token if ":" in self.token else f"x-access-token:{self.token}"
        return b64encode(pair.encode()).decode()

    @property
    def secrets(self) -> dict[str, str]:
        """What must not be shown, and what is shown instead."""
        found = (self.token, self.token and self.token.partition(":")[2], self.login)
        return {text: SHOWN for text in found if text}
