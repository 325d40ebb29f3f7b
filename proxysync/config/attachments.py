"""Files that entries name, such as certificates: read with the file, and watched like it."""

import hashlib
from collections.abc import Mapping
from pathlib import Path

from proxysync.config.source import UnreadableError, beginning
from proxysync.values.invalid import InvalidValue

MAX_BYTES = 64 * 1024
"""Of one file. A chain of four certificates with RSA keys of 4096 bits has 9 KiB."""

Digests = Mapping[Path, str]
"""What tells the content of each file from any other, or why it could not be read."""


class Attachments:
    """Reads files below `root`, and remembers how each of them was."""

    def __init__(self, root: Path = Path()) -> None:
        self._root = root
        self._digests: dict[Path, str] = {}

    @property
    def digests(self) -> Digests:
        """The files that were asked for so far, as they were then."""
        return dict(self._digests)

    def read(self, path: Path) -> bytes:
        """All that is in the file. Raises InvalidValue where that cannot be had."""
        path = self._root / path
        try:
            content = beginning(path, MAX_BYTES + 1)
        except UnreadableError as error:
            self._digests[path] = error.message
            raise InvalidValue(error.message, None, hint=error.hint) from error
        self._digests[path] = hashlib.sha256(content).hexdigest()
        if len(content) > MAX_BYTES:
            raise InvalidValue(
                f"is too large: it has more than {MAX_BYTES // 1024} KiB",
                None,
                hint="is it the right file?",
            )
        return content


def have_changed(digests: Digests) -> bool:
    """Whether a look now finds other content in these files, or none."""
    now = Attachments()
    for path in digests:
        try:
            now.read(path)
        except InvalidValue:
            continue
    return now.digests != digests
