"""Text as a terminal or a log may show it: nothing in it moves the cursor or hides a word."""

import re
from collections.abc import Mapping

_INVISIBLE = (
    "\x7f-\x9f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\ud800-\udfff\U000e0000-\U000e007f"
)
_UNSAFE = re.compile(f"[\x00-\x1f{_INVISIBLE}]")
_UNSAFE_IN_LINES = re.compile(f"[\x00-\x09\x0b-\x1f{_INVISIBLE}]")
_COMMAND = re.compile(r"^([ ]*):(?=:)|##(?=\[)", re.MULTILINE)
"""How a line begins, or what stands anywhere in it, that a CI server takes for an order."""


def one_line(text: str) -> str:
    """The text with its line ends, too, as escapes: for words that others wrote."""
    return _UNSAFE.sub(_escaped, text)


def clean(text: str) -> str:
    """The text with control and invisible characters as escapes, but for its line ends."""
    return _UNSAFE_IN_LINES.sub(_escaped, text)


def without_commands(text: str) -> str:
    """The text with nothing in it that a CI server (GitHub's) would carry out."""
    return _COMMAND.sub(
        lambda match: r"\u0023#" if match[1] is None else rf"{match[1]}\u003a", text
    )


def github_command(name: str, properties: Mapping[str, str], message: str) -> str:
    """An order to GitHub, in one line whatever is in it."""
    given = ",".join(
        f"{key}={_github_data(value).replace(':', '%3A').replace(',', '%2C')}"
        for key, value in properties.items()
    )
    return f"::{name}{f' {given}' if given else ''}::{_github_data(message)}"


def _github_data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def visible(text: str) -> str:
    """As `one_line`, with all white space but blanks as escapes, too: it may be what is wrong."""
    return "".join(c if c.isprintable() else _escape(c) for c in text)


def _escaped(match: re.Match[str]) -> str:
    return _escape(match[0])


def _escape(character: str) -> str:
    number = ord(character)
    known = {9: r"\t", 10: r"\n", 13: r"\r"}
    if number < 0x20:
        return known.get(number, f"\\x{number:02x}")
    # This form can stand in JSON, too, which escapes those below 0x20 itself.
    if number > 0xFFFF:
        return "".join(f"\\u{unit:04x}" for unit in _units(number))
    return f"\\u{number:04x}"


def _units(number: int) -> tuple[int, int]:
    """The surrogate pair of a character beyond the first 65,536."""
    return 0xD800 + ((number - 0x10000) >> 10), 0xDC00 + ((number - 0x10000) & 0x3FF)


def entries(number: int) -> str:
    """So many entries of the file, in words."""
    return f"{number} entr{'y' if number == 1 else 'ies'}"
