"""How wide a text will be, without a font to measure: Arial's widths and some room."""

from __future__ import annotations

from unicodedata import east_asian_width

_NARROW = {
    **dict.fromkeys("ijl'|", 0.24),
    **dict.fromkeys("fIt.,:;!/\\ []()-*`", 0.34),
    **dict.fromkeys('r{}"°', 0.4),
    **dict.fromkeys("ckszvxyJ^", 0.52),
    **dict.fromkeys("mMW%@", 0.92),
    **dict.fromkeys("wCDGHNOQRUAKPSEBVXY&", 0.73),
    **dict.fromkeys("+<>=~\N{MULTIPLICATION SIGN}→", 0.62),
}
_OTHER = 0.58
_WIDE = 1.05
_BOLD = 1.07
_ROOM = 1.04
_SLACK = 0.01
"""Room that was made for a text is the same number but for rounding."""
ELLIPSIS = "…"


def width(text: str, size: float, *, bold: bool = False) -> float:
    """Return the width of a text in a sans-serif font of this size, generously."""
    ems = sum(
        _WIDE if east_asian_width(c) in "WF" else _NARROW.get(c, _OTHER) for c in text
    )
    return ems * size * _ROOM * (_BOLD if bold else 1)


def fitted(text: str, size: float, room: float, *, bold: bool = False) -> str:
    """Return the text, cut with an ellipsis where it is wider than the room."""
    if width(text, size, bold=bold) <= room + _SLACK:
        return text
    while text and width(text + ELLIPSIS, size, bold=bold) > room:
        text = text[:-1]
    return text.rstrip(" ,") + ELLIPSIS


def wrapped(text: str, size: float, room: float, *, bold: bool = False) -> list[str]:
    """Return the text in lines that fit, parted between words."""
    lines: list[str] = []
    for word in text.split():
        longer = f"{lines[-1]} {word}" if lines else ""
        if longer and width(longer, size, bold=bold) <= room:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines
