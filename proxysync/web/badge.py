"""A badge: a small picture of two words, as an SVG that needs nothing else."""

from html import escape

GREEN, AMBER, RED, GREY = "#2e7d32", "#b26a00", "#c62828", "#5f6368"
"""Dark enough for white text upon them."""

HEIGHT = 20
PAD = 6
"""Pixels to the left and right of each text."""

_NARROW, _WIDE = frozenset("iljtfrI.,:;|!'()[]-/ "), frozenset("mwMWO%@")


def badge(label: str, value: str, color: str) -> str:
    """The SVG. It has the texts as its title, for those who cannot see it.

    Whatever font a browser takes, `textLength` makes a text as wide as it has room.
    """
    left, right = _width(label) + 2 * PAD, _width(value) + 2 * PAD
    title = escape(f"{label}: {value}")
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{left + right}" height="{HEIGHT}"'
        f' role="img" aria-label="{title}"><title>{title}</title>'
        f'<rect width="{left}" height="{HEIGHT}" fill="#3c4043"/>'
        f'<rect x="{left}" width="{right}" height="{HEIGHT}" fill="{color}"/>'
        '<g fill="#fff" font-family="Verdana,DejaVu Sans,sans-serif" font-size="11">'
        f"{_text(label, PAD)}{_text(value, left + PAD)}</g></svg>\n"
    )


def _text(text: str, x: int) -> str:
    return (
        f'<text x="{x}" y="14" textLength="{_width(text)}" lengthAdjust="spacingAndGlyphs">'
        f"{escape(text)}</text>"
    )


def _width(text: str) -> int:
    """Pixels that a text takes in Verdana at 11, about."""
    return sum(4 if char in _NARROW else 10 if char in _WIDE else 7 for char in text)
