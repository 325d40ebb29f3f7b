"""The file as it was read last, for those who show it again and again."""

import threading
from collections.abc import Mapping
from contextlib import suppress

from proxysync.app.access import load_config
from proxysync.config import attachments
from proxysync.config.environment import Environment
from proxysync.config.load import fingerprint
from proxysync.config.models import Config
from proxysync.config.variables import have_changed
from proxysync.model.errors import ProxysyncError


class KeptFile:
    """Reads the file only where it, what it names, or a variable in it has changed.

    For any thread: who asks while it is read gets what is read then.
    """

    def __init__(self, env: Environment, environ: Mapping[str, str]) -> None:
        self._env = env
        self._environ = environ
        self._lock = threading.Lock()
        self._version: tuple[str | None, str | None] | None = None
        self._kept: Config | None = None

    def load(self) -> Config:
        """The file as it is now; the same value as before where nothing has changed.

        Raises ConfigError with everything that is wrong with it.
        """
        with self._lock:
            version, kept = self._current(), self._kept
            if kept is None or version != self._version or self._beside_changed(kept):
                # What an invalid file reads besides is not known; it is read again each time.
                self._version = None
                self._kept = kept = load_config(self._env, self._environ)
                self._version = version
            return kept

    def last_valid(self) -> Config | None:
        """The file as it was when it was last valid; None if it never was in here."""
        with suppress(ProxysyncError):
            self.load()
        return self._kept

    def _current(self) -> tuple[str | None, str | None]:
        place = self._env.place
        return fingerprint(self._env.file), place.commit if place else None

    def _beside_changed(self, kept: Config) -> bool:
        return attachments.have_changed(kept.attachments) or have_changed(
            kept.variables, self._environ
        )
