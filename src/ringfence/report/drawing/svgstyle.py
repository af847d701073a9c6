"""Colours and strokes of the diagram, for light and dark pages.

Hues tell neighbouring lines apart, nothing depends on them: they are of the
Okabe-Ito kind, readable on both pages, and differ in lightness for grey prints.
"""

from __future__ import annotations

LIGHT = {
    "paper": "#ffffff",
    "ink": "#1a2230",
    "soft": "#56606f",
    "frame": "#f2f5f9",
    "edge": "#b6c0cd",
    "card": "#ffffff",
    "rim": "#7d8998",
    "wall": "#1a2230",
    "pill": "#e7f3ec",
    "pillrim": "#3a8a5f",
    "pillink": "#14532d",
    "h0": "#0b6fb8",
    "h1": "#b4480a",
    "h2": "#0c7c5d",
    "h3": "#a13a78",
    "h4": "#7a6300",
    "h5": "#4b4fb0",
}
DARK = {
    "paper": "#10151c", "ink": "#e8edf3", "soft": "#a3afbe", "frame": "#19212b",
    "edge": "#3b4958", "card": "#222c38", "rim": "#76859a", "wall": "#e8edf3",
    "pill": "#173526", "pillrim": "#5fb98a", "pillink": "#bdeed2",
    "h0": "#5bb0ee", "h1": "#f08c4a", "h2": "#45c79d", "h3": "#e58ac0",
    "h4": "#d8bf4a", "h5": "#a3a6ff",
}  # fmt: skip

STYLE = (
    "text{font-family:'Helvetica Neue',Arial,'Liberation Sans',sans-serif;"
    "font-size:11.5px;fill:var(--soft)}"
    ".name,.title{font-size:14px;font-weight:700;fill:var(--ink)}"
    ".port{fill:var(--ink)}.note{fill:var(--ink);font-weight:700}"
    ".frame rect,.sample{fill:var(--frame);stroke:var(--edge)}"
    ".card .body{fill:var(--card);stroke:var(--rim)}"
    ".actor .body{stroke-dasharray:none;stroke-width:1.4}"
    ".wall{stroke:var(--wall);stroke-width:4;stroke-linecap:round}"
    "rect.badge,.frame rect.badge{fill:var(--pill);stroke:var(--pillrim)}"
    ".badge-text{fill:var(--pillink)}"
    ".pin{fill:var(--ink)}.pin.unsure{fill:var(--card);stroke:var(--ink)}"
    ".wire{fill:none;stroke-width:1.7}.unsure{stroke-dasharray:5 4}"
    ".pin.unsure{stroke-dasharray:none}"
    ".wire.kept{stroke:var(--rim);stroke-width:1;opacity:.75}"
    ".pin.kept{fill:var(--rim)}.port.kept{fill:var(--soft)}circle.dot.kept{fill:var(--rim);"
    "stroke:none}"
    ".wire.added{stroke-width:4}.port.added{font-weight:700}"
    ".wire.removed{stroke-width:2.4;stroke-dasharray:1 5;stroke-linecap:round}"
    ".wire.unsure.added{stroke-width:2.4;stroke-dasharray:9 5}"
    ".wire.unsure.removed{stroke-dasharray:9 5 1 5}"
    ".cross{fill:none;stroke:var(--ink);stroke-width:2.2}"
    ".card.added .body{stroke:var(--ink);stroke-width:3}"
    ".card.removed .body{stroke:var(--ink);stroke-dasharray:5 4;fill:none}"
    ".hit{fill:none;stroke:transparent;stroke-width:9;pointer-events:stroke}"
    ".hit:hover,.hit.on{stroke:var(--ink);stroke-width:3.2}"
    + "".join(
        f".h{n}{{stroke:var(--h{n})}}.dot.h{n}{{fill:var(--h{n})}}" for n in range(6)
    )
)


def theme_style(theme: str) -> str:
    """Return the colours of a theme; ``auto`` follows the reader's own."""
    light, dark = _variables(LIGHT), _variables(DARK)
    match theme:
        case "light":
            return f"svg{{{light}}}.paper{{fill:var(--paper)}}"
        case "dark":
            return f"svg{{{dark}}}.paper{{fill:var(--paper)}}"
        case _:
            return (
                f"svg{{{light}}}@media(prefers-color-scheme:dark){{svg{{{dark}}}}}"
                ".paper{fill:none}"
            )


def _variables(colours: dict[str, str]) -> str:
    return "".join(f"--{name}:{value};" for name, value in colours.items())


def page_colours(theme: str) -> str:
    """Return the same colours for a page around the diagram."""
    light, dark = _variables(LIGHT), _variables(DARK)
    match theme:
        case "light":
            return f":root{{color-scheme:light;{light}}}"
        case "dark":
            return f":root{{color-scheme:dark;{dark}}}"
        case _:
            return (
                f":root{{color-scheme:light dark;{light}}}"
                f"@media(prefers-color-scheme:dark){{:root{{{dark}}}}}"
            )
