"""`events.jsonl` and the older files beside it: `events.jsonl.1` is the newest of those."""

import fcntl
import json
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from proxysync.store.private import make_private, open_private

TAIL = 64 * 1024
"""Bytes first read back from the end of a file to find its last whole line."""


class EventFile:
    """Lines with rising ids, in files that are rotated before one grows beyond `max_bytes`.

    `kept` files stay beside the one written to. Several processes may write: all but
    `locked` is only called with the lock held, and `is_current` says whether another has
    written since.
    """

    def __init__(self, path: Path, *, max_bytes: int, kept: int) -> None:
        self.last_id = 0
        """The id of the last line as of the last `repair` or `append`; 0 if there is none."""
        self._path = path
        self._max_bytes = max_bytes
        self._kept = kept
        self._seen: tuple[int, int, int] | None = None

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Holds the lock that all writers, of whatever process, take in turn."""
        with open_private(self._path.with_suffix(".lock")) as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def is_current(self) -> bool:
        """Whether the file is as we left it, so that `last_id` holds."""
        return self._seen is not None and self._seen == self._look()

    def repair(self) -> None:
        """Cuts off a last line that is not whole and finds the last id.

        The file may be empty or missing, for a rotation makes it anew: then the last id is
        in an older one. If all are gone, what was known before holds.
        """
        self._make()
        with self._path.open("r+b") as file:
            end, last_id = _last_line(file)
            if end != file.seek(0, os.SEEK_END):
                file.truncate(end)
        for number in range(1, self._kept + 1):
            if last_id is None and self._older(number).exists():
                with self._older(number).open("rb") as file:
                    last_id = _last_line(file)[1]
        self.last_id = self.last_id if last_id is None else last_id
        self._seen = self._look()

    def append(self, lines: Iterable[tuple[int, str]]) -> None:
        """Adds lines, given with their ids and without line ends; they are on disk afterwards."""
        size = self._path.stat().st_size
        pending = bytearray()
        for number, text in lines:
            line = text.encode() + b"\n"
            if size and size + len(line) > self._max_bytes:
                self._write(pending)
                self._rotate()
                pending, size = bytearray(), 0
            pending += line
            size += len(line)
            last_id = number
        self._write(pending)
        if pending:
            self.last_id = last_id
        self._seen = self._look()

    def _write(self, content: bytearray) -> None:
        if not content:
            return
        with self._path.open("ab") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())

    def _rotate(self) -> None:
        """Moves each file on by one; the oldest goes.

        A rotation that was cut short leaves one number unused, and only the files before it
        have to move: so the next one finishes it, and no file is lost before its time.
        """
        unused = (n for n in range(1, self._kept) if not self._older(n).exists())
        for number in range(next(unused, self._kept), 1, -1):
            self._older(number - 1).replace(self._older(number))
        self._path.replace(self._older(1))
        self._make()

    def _older(self, number: int) -> Path:
        return self._path.with_name(f"{self._path.name}.{number}")

    def _make(self) -> None:
        if self._path.exists():
            return
        make_private(self._path)
        folder = os.open(self._path.parent, os.O_RDONLY)
        try:
            # Without this a power cut could undo the renames, though not what is written next.
            os.fsync(folder)
        finally:
            os.close(folder)

    def _look(self) -> tuple[int, int, int] | None:
        try:
            found = self._path.stat()
        except FileNotFoundError:
            return None
        return found.st_ino, found.st_size, found.st_mtime_ns


def _last_line(file: BinaryIO) -> tuple[int, int | None]:
    """Where the last whole line with an id ends, in bytes, and that id; (0, None) without one."""
    size = file.seek(0, os.SEEK_END)
    reach = TAIL
    while True:
        start = max(0, size - reach)
        file.seek(start)
        tail = file.read(size - start)
        end = tail.rfind(b"\n") + 1
        while end:
            begin = tail.rfind(b"\n", 0, end - 1) + 1
            if not begin and start:
                break
            last_id = _id(tail[begin:end])
            if last_id is not None:
                return start + end, last_id
            end = begin
        if not start:
            return 0, None
        reach *= 8


def _id(line: bytes) -> int | None:
    try:
        return int(json.loads(line)["id"])
    except (ValueError, KeyError, TypeError):
        return None
