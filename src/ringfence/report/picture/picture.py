"""What a network diagram shows: cards, frames and the lines between them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple


class Mark(StrEnum):
    """What a card or a line is in the picture of a difference; its sign.

    ``PLAIN``: the picture is of no difference. ``KEPT``: in both clusters.
    """

    PLAIN = ""
    KEPT = "="
    ADDED = "+"
    REMOVED = "\N{MINUS SIGN}"


@dataclass(frozen=True, slots=True)
class Card:
    """A box: pods that are drawn as one, or outside addresses.

    ``frame`` is the namespace it stands in, empty for the outside. ``badges_in``
    and ``badges_out`` say what everybody may do, ``walled_in`` and ``walled_out``
    whether a policy isolates it; ``among``: ports between its own pods, those of
    several namespaces on one card; ``inside``: ports between pods of one of these.
    ``members`` are the ids of the matrix's endpoints that it stands for.
    """

    id: str
    title: str
    details: tuple[str, ...] = ()
    count: str = ""
    frame: str = ""
    badges_in: tuple[str, ...] = ()
    badges_out: tuple[str, ...] = ()
    walled_in: bool = False
    walled_out: bool = False
    among: str = ""
    inside: str = ""
    members: tuple[str, ...] = ()
    mark: Mark = Mark.PLAIN


@dataclass(frozen=True, slots=True)
class Frame:
    """A namespace around its cards; ``among``: ports between any two of them."""

    id: str
    title: str
    cards: tuple[Card, ...]
    among: str = ""


class Pin(NamedTuple):
    """A place on a card's left side where lines enter: the ports, and of what kind."""

    ports: str
    certain: bool
    mark: Mark


@dataclass(frozen=True, slots=True, order=True)
class Line:
    """What may pass from one card or frame to another, named by ids.

    A frame stands for each of its cards. ``certain=False``: undecided.
    """

    source: str
    target: str
    ports: str
    certain: bool = True
    mark: Mark = Mark.PLAIN

    @property
    def pin(self) -> Pin:
        """Where it enters; lines of one target with the same pin enter together."""
        return Pin(self.ports, self.certain, self.mark)


@dataclass(frozen=True, slots=True)
class Picture:
    """A whole diagram: callers from outside, frames, callees outside, in order.

    What reaches and is reached from outside is there twice, so that lines run one
    way. ``notes`` are sentences to stand below.
    """

    title: str
    callers: tuple[Card, ...]
    frames: tuple[Frame, ...]
    callees: tuple[Card, ...]
    lines: tuple[Line, ...]
    notes: tuple[str, ...] = ()

    def cards(self) -> tuple[Card, ...]:
        """Return every card, callers first."""
        framed = tuple(card for frame in self.frames for card in frame.cards)
        return (*self.callers, *framed, *self.callees)
