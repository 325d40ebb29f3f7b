"""The colours of a terminal, by name."""

import re

CODES = {
    "bold": "1",
    "dim": "2",
    "red": "31",
    "green": "32",
    "yellow": "33",
    "magenta": "35",
    "cyan": "36",
    "bold red": "1;31",
}
SEVERITIES = {"info": "green", "warn": "yellow", "error": "red"}

PAINTED = re.compile(f"(\033\\[(?:0|{'|'.join(CODES.values())})m)")
"""The escape sequences that `paint` makes; nobody else's reach a terminal."""


def paint(text: str, colour: str | None, *, on: bool) -> str:
    """The text in this colour, unless colours are off or it is to have none."""
    return f"\033[{CODES[colour]}m{text}\033[0m" if on and colour else text
