"""Text on one line, whatever the names in it are made of."""

from __future__ import annotations


def printable(text: str) -> str:
    """Return the text on one line, with what could steer a terminal escaped."""
    if text.isprintable():
        return text
    return "".join(
        letter
        if letter.isprintable()
        else letter.encode("unicode_escape", "surrogatepass").decode()
        for letter in text
    )
