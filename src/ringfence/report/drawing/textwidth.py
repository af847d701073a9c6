"""How wide a text will be, without a font to measure: as wide as it may become.

The widths are those of DejaVu Sans, which stands in where Helvetica and Arial are
missing, as on most Linux machines, and is wider than either: in ems, rounded up.
"""

from __future__ import annotations

from unicodedata import east_asian_width

_EMS = {
    **dict.fromkeys("'ijl", 0.28),
    **dict.fromkeys(" ,./:;IJ\\|\N{MIDDLE DOT}", 0.34),
    **dict.fromkeys("!()-[]frt", 0.4),
    **dict.fromkeys('"*?_`sz\N{DEGREE SIGN}', 0.52),
    **dict.fromkeys("FLPTYcekovxya", 0.61),
    **dict.fromkeys("AKV", 0.68),
    **dict.fromkeys("BCHNRUXZ", 0.74),
    **dict.fromkeys("#&+<=>DGOQ^w~\N{MULTIPLICATION SIGN}→", 0.82),
    **dict.fromkeys("%@MWm…", 0.98),
}
_OTHER = 0.64
_WIDE = 1.05
_BOLD = 1.14
_SLACK = 0.01
"""Room that was made for a text is the same number but for rounding."""
ELLIPSIS = "…"


def width(text: str, size: float, *, bold: bool = False) -> float:
    """Return the width of a text in a sans-serif font of this size, generously."""
    ems = sum(
        _WIDE if east_asian_width(c) in "WF" else _EMS.get(c, _OTHER) for c in text
    )
    return ems * size * (_BOLD if bold else 1)


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
