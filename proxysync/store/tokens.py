"""NPM's answer to a login, kept for the next run: to check a password costs NPM half a second.

The file is its owner's alone, and made for one address, one identity and one secret: with any other
there is none. That it cannot be kept or read is no error, for a login does as well.
"""

import hashlib
import hmac
import json
import math
import secrets
from contextlib import suppress
from pathlib import Path
from typing import Any

from proxysync.model import clock
from proxysync.store.private import read_private, replace_private

NAME = "npm-token"

LARGEST = 16 * 1024
"""Bytes of the file."""

USED_SHARE = 0.9
"""Of its life a token is used for this share."""

LONGEST, SHORTEST = 86_400.0, 600.0
"""Seconds for which a token is kept at most, and that it must live to be worth it."""

ROUNDS = 20_000
"""They take some 10 ms, so that who gets at the file does not guess the password by it."""


class TokenFile:
    """The token in a state folder, for those who ask this NPM as this user with this secret."""

    def __init__(self, folder: Path, url: str, identity: str, secret: str) -> None:
        self._path = folder / NAME
        self._asks = json.dumps([url, identity, secret])

    def load(self) -> tuple[str, float] | None:
        """The token, and for how many seconds it is good; None where there is none for us."""
        values = self._read()
        try:
            token, salt, binding = (values[name] for name in ("token", "salt", "binding"))
            age = clock.now().timestamp() - float(values["kept_at"])
            left = min(float(values["seconds"]), LONGEST) * USED_SHARE - age
            is_ours = hmac.compare_digest(binding, self._binding(bytes.fromhex(salt)))
        except (KeyError, TypeError, ValueError, OverflowError):
            return None
        usable = is_ours and isinstance(token, str) and token.isascii() and token.isprintable()
        return (token, left) if usable and age >= 0 and math.isfinite(left) and left > 0 else None

    def keep(self, token: str, seconds: float) -> None:
        """Keeps a token that lives so long, in the place of any other."""
        if seconds < SHORTEST:
            return
        salt = secrets.token_bytes(16)
        values = {
            "binding": self._binding(salt),
            "salt": salt.hex(),
            "token": token,
            "kept_at": clock.now().timestamp(),
            "seconds": seconds,
        }
        with suppress(OSError, RuntimeError):  # the latter of links that lead in a circle
            if not _is_in_repository(self._path.parent):
                replace_private(self._path, json.dumps(values))

    def forget(self, token: str) -> None:
        """Removes this token, which NPM has refused; one that another run has kept since stays."""
        if self._read().get("token") == token:
            with suppress(OSError):
                self._path.unlink()

    def _read(self) -> dict[str, Any]:
        try:
            values = json.loads(read_private(self._path, LARGEST) or "{}")
        except (OSError, ValueError, RecursionError):
            return {}
        return values if isinstance(values, dict) else {}

    def _binding(self, salt: bytes) -> str:
        return hashlib.pbkdf2_hmac("sha256", self._asks.encode(), salt, ROUNDS).hex()


def _is_in_repository(folder: Path) -> bool:
    """Whether a `git add` could take in what is in the folder."""
    whole = folder.resolve()
    return any((above / ".git").exists() for above in (whole, *whole.parents))
