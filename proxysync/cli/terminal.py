"""Text out: colours, tables and progress, quiet where nobody watches."""

import json
import os
import shutil
import sys
import time
from collections.abc import Callable, Sequence
from typing import IO, Any

CODES = {"green": 32, "yellow": 33, "red": 31, "cyan": 36, "dim": 2, "bold": 1}
REFRESH = 0.1
"""Seconds between two drawings of a progress bar."""


def colours(stream: IO[str]) -> bool:
    """Whether to colour what goes to `stream` (see no-color.org)."""
    if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return False
    return bool(os.environ.get("FORCE_COLOR")) or stream.isatty()


def paint(text: str, colour: str, *, on: bool) -> str:
    return f"\033[{CODES[colour]}m{text}\033[0m" if on else text


def note(text: str) -> None:
    """To a person, beside the output proper."""
    print(text, file=sys.stderr)


def print_json(value: Any) -> None:
    print(json.dumps(value, indent=2, ensure_ascii=False))


def safe(text: str) -> str:
    """The text without control characters, which could make a terminal lie."""
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Columns as wide as their widest cell, two blanks apart."""
    lines = [list(heads), *[[safe(cell) for cell in row] for row in rows]]
    widths = [max(len(line[i]) for line in lines) for i in range(len(heads))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


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
            print(f"\r{label} {bar} {done}/{total}", end=end, file=sys.stderr, flush=True)

        return advance

    return start


def confirm(question: str) -> bool:
    """Asks a person; no, where there is none."""
    if not sys.stdin.isatty():
        return False
    print(f"{question} [y/N] ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")
