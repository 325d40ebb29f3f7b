"""Text out: colours and progress, quiet where nobody watches."""

import json
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import IO, Any, cast

from proxysync.model.errors import ProxysyncError
from proxysync.model.palette import PAINTED
from proxysync.model.redact import redact_text
from proxysync.model.text import clean, github_command, one_line, without_commands

REFRESH = 0.1
"""Seconds between two drawings of a progress bar."""


safe = one_line
"""Words of others on one line, which could else make a terminal lie."""


class OutputError(ProxysyncError):
    """What a command prints cannot be written: the disk is full, say."""


class Door:
    """A standard stream through which nothing passes that must not leave, whoever wrote it.

    Secrets are shown as `${NAME}`, control characters as escapes, and no line gives orders
    to a CI server.
    """

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream
        self._secrets: dict[str, str] = {}
        self._at_line_start = True

    def hide(self, secrets: Mapping[str, str]) -> None:
        """From now on these values are shown as their `${NAME}`."""
        self._secrets = {**self._secrets, **secrets}

    def write(self, text: str) -> int:
        if text:
            with _explained():
                self._stream.write(self._passable(text))
            self._at_line_start = text.endswith("\n")
        return len(text)

    def flush(self) -> None:
        with _explained():
            self._stream.flush()

    def write_order(self, name: str, properties: Mapping[str, object], message: str) -> None:
        """For an order of ours to a CI server, with words of others in it; a line of its own."""
        shown = {key: self._masked(str(value)) for key, value in properties.items()}
        line = f"{github_command(name, shown, self._masked(message))}\n"
        with _explained():
            self._stream.write(line if self._at_line_start else f"\n{line}")
        self._at_line_start = True

    def _masked(self, text: str) -> str:
        return clean(redact_text(text, self._secrets))

    def write_raw(self, text: str) -> None:
        """For what moves the cursor: a text of ours, with nothing of others in it."""
        self._stream.write(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def _passable(self, text: str) -> str:
        masked = redact_text(text, self._secrets)
        coloured = "\033" in masked and colours(self._stream)
        parts = PAINTED.split(masked) if coloured else [masked]
        passable = "".join(part if i % 2 else clean(part) for i, part in enumerate(parts))
        if self._at_line_start:
            return without_commands(passable)
        # The first line goes on where another text ended, so that it begins no line.
        return without_commands(f"\0{passable}")[1:]


@contextmanager
def _explained() -> Iterator[None]:
    try:
        yield
    except BrokenPipeError:
        raise  # that is no error: the reader has enough
    except OSError as error:
        message = f"the output cannot be written: {error.strerror or error}"
        raise OutputError(message) from error


@contextmanager
def doors() -> Iterator[None]:
    """Lets all that is written to stdout and stderr go through a Door."""
    before = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = (cast("Any", Door(stream)) for stream in before)
    try:
        yield
    finally:
        sys.stdout, sys.stderr = before


def hide(secrets: Mapping[str, str]) -> None:
    """From now on no output of this command shows these values; they map to their `${NAME}`."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, Door):
            stream.hide(secrets)


def colours(stream: IO[str]) -> bool:
    """Whether to colour what goes to `stream` (see no-color.org)."""
    if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return False
    return bool(os.environ.get("FORCE_COLOR")) or stream.isatty()


def note(text: str) -> None:
    """To a person, beside the output proper; there are no colours in it."""
    print(clean(text), file=sys.stderr)


def step(what: str) -> None:
    """Tells a person what is being done now; nobody else."""
    if sys.stderr.isatty():
        print(f"{what} …", file=sys.stderr)


def print_notes(notes: Iterable[str]) -> None:
    for text in notes:
        note(text)


def print_json(value: Any) -> None:
    print(json.dumps(value, indent=2, ensure_ascii=False))


def progress(label: str) -> Callable[[int], Callable[[], None]]:
    """Given a total, a function to call once for each that is done: a bar on a terminal only."""

    def start(total: int) -> Callable[[], None]:
        done, drawn = 0, 0.0

        def advance() -> None:
            nonlocal done, drawn
            done += 1
            now = time.monotonic()
            if not sys.stderr.isatty() or (done < total and now - drawn < REFRESH):
                return
            drawn = now
            width = min(30, max(10, shutil.get_terminal_size().columns - 40))
            full = width * done // max(total, 1)
            bar = "█" * full + "░" * (width - full)
            end = "\r\033[K" if done >= total else ""
            draw(sys.stderr, f"\r{label} {bar} {done}/{total}{end}")

        return advance

    return start


def give_order(name: str, properties: Mapping[str, object], message: str) -> None:
    """Has GitHub do something, if it reads stdout."""
    assert isinstance(sys.stdout, Door)
    sys.stdout.write_order(name, properties, message)


def draw(stream: IO[str], text: str) -> None:
    """Writes what moves the cursor: a text of ours, with nothing of others in it."""
    if isinstance(stream, Door):
        stream.write_raw(text)
    else:
        stream.write(text)
    stream.flush()


def confirm(question: str) -> bool:
    """Asks a person. Raises ProxysyncError where there is none."""
    if not sys.stdin.isatty():
        raise ProxysyncError(
            "nothing was written: nobody can be asked, for stdin is no terminal",
            hint="With --yes it is done without a question.",
        )
    print(f"{question} [y/N] ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")
