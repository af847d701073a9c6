"""Text for an XML document, which takes no control characters, escaped or not."""

from __future__ import annotations

from xml.sax import saxutils

from ringfence.report.plain import printable


def xml_text(text: str) -> str:
    """Return the text as the content of an element; its lines stay lines."""
    return saxutils.escape("\n".join(map(printable, text.split("\n"))))


def xml_value(text: str) -> str:
    """Return the text, on one line, as a quoted attribute."""
    return saxutils.quoteattr(printable(text))
