"""What stands in the file for each entry, variables and all, for whoever is to edit it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from proxysync.app.placing import UTF8_MARK
from proxysync.config import edit as text_edit
from proxysync.config import source
from proxysync.config.environment import Environment
from proxysync.config.errors import ConfigError
from proxysync.kinds import KINDS
from proxysync.model import Key


@dataclass(frozen=True)
class Definition:
    """The fields of an entry as they are written, None where there is none; `fingerprint` is that
    of the file, empty where nothing can be read.
    """

    fingerprint: str
    fields: Mapping[str, Any] | None


class Definitions:
    """Reads the file anew only where it has changed."""

    def __init__(self, env: Environment) -> None:
        self._env = env
        self._kept: tuple[str, list[Mapping[str, Any]]] = ("", [])

    def read(self, key: Key) -> Definition:
        """What is written of an entry now."""
        try:
            sources = source.read(*self._env.located)
        except ConfigError:
            return Definition("", None)
        fingerprint = source.digest(sources)
        kept = self._kept
        if kept[0] != fingerprint:
            texts = (each.content.decode(errors="replace") for each in sources)
            roots: list[Mapping[str, Any]] = [
                text_edit.read_all(text.removeprefix(UTF8_MARK)) for text in texts
            ]
            self._kept = kept = (fingerprint, roots)
        for root in kept[1]:
            entries = root.get(KINDS[key.kind].section)
            found = entries.get(key.name) if isinstance(entries, dict) else None
            if isinstance(found, dict):
                return Definition(fingerprint, found)
        return Definition(fingerprint, None)
