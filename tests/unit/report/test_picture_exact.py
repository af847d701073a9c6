"""No flow is drawn that is not there, none is there that is not drawn."""

from __future__ import annotations

from random import Random

from hypothesis import Phase, given, settings

from ringfence.analysis.matrix import By, Cell, matrix
from ringfence.engine.compiler import compile_cluster
from ringfence.model.cluster import Cluster
from ringfence.report.matrixtext import conns_words
from ringfence.report.picture.openness import doors, told, within
from ringfence.report.picture.picture import Card, Picture
from ringfence.report.picture.picturing import CALLEE, CALLER, picture
from ringfence.sets.conns import NOTHING
from strategies import make_world, randoms
from worlds import block, cluster, ingress, peer, pod, rule, tcp

EMPTY = Cell(NOTHING, NOTHING)


class Reader:
    """Reads a picture as its legend says."""

    def __init__(self, found: Picture) -> None:
        self._cards = {id_: card for card in found.cards() for id_ in card.members}
        self._among = {frame.id: frame.among for frame in found.frames}
        self._lines: dict[tuple[str, str], set[tuple[str, bool]]] = {}
        for line in found.lines:
            key = line.source, line.target
            self._lines.setdefault(key, set()).add((line.ports, line.certain))

    def said(self, source: str, target: str) -> set[tuple[str, bool]]:
        """Return what lines and badges of groups say of two ends: ports, certainty."""
        one, other = self._cards.get(source), self._cards.get(target)
        words: set[tuple[str, bool]] = set()
        if one is not None and one is other:
            words |= _split(one.among)
        if one is not None and other is not None and one.frame == other.frame != "":
            words |= _split(self._among[f"ns/{one.frame}"])
        for start in self._names(source, one, CALLER):
            for end in self._names(target, other, CALLEE):
                words |= self._lines.get((start, end), set())
        return words

    def _names(self, end: str, card: Card | None, role: str) -> set[str]:
        if card is None:
            return {end}
        if card.frame:
            return {card.id, f"ns/{card.frame}"}
        return {role + card.id.removeprefix(CALLER).removeprefix(CALLEE)}


def _split(words: str) -> set[tuple[str, bool]]:
    parts = words.split(", ") if words else []
    return {(part.removesuffix(" ?"), not part.endswith(" ?")) for part in parts}


def disagreements(world: Cluster) -> list[str]:
    compiled = compile_cluster(world)
    table = matrix(compiled, By.CLASS)
    cells = {(row, column): cell for row, column, cell in table.cells()}
    gates = [doors(compiled, end) for end in table.endpoints]
    reader = Reader(picture(compiled, table))
    meaning = {conns_words(c): c for cell in cells.values() for c in cell[:2]}
    wrong = []
    for row, one in enumerate(table.endpoints):
        for column, other in enumerate(table.endpoints):
            if row == column or not (one.pods or other.pods):
                continue
            cell = cells.get((row, column), EMPTY)
            outside = not (one.pods and other.pods)
            sure, perhaps = told(gates[row], gates[column], outside=outside)
            said = reader.said(one.id, other.id)
            for conns, badge, certain in (
                (cell.allowed, sure, True),
                (cell.undecided, perhaps, False),
            ):
                drawn = (conns_words(conns), certain) in said
                if conns and not drawn and not within(conns, badge):
                    wrong.append(f"{one.id} -> {other.id} lacks {conns_words(conns)}")
            wrong += [
                f"{one.id} -> {other.id} has {words}"
                for words, certain in said
                if not within(
                    meaning[words],
                    cell.allowed if certain else cell.allowed | cell.undecided,
                )
            ]
    return wrong


def test_a_world_of_groups_and_blocks_is_drawn_exactly() -> None:
    world = cluster(
        *(pod(f"{ns}/{name}", f"app={name}") for ns in "xyz" for name in "abcd"),
        *(ingress(f"{ns}/in", "", rule([peer("")], [tcp(80)])) for ns in "xy"),
        ingress("x/more", "app=a", rule([peer("app=b", "")], [tcp(443)])),
        ingress("y/out", "app=c", rule([block("192.0.2.0/24")], [tcp(22)])),
    )
    assert disagreements(world) == []


@settings(max_examples=60, deadline=None, phases=[Phase.generate])
@given(randoms())
def test_any_world_is_drawn_exactly(random: Random) -> None:
    assert disagreements(make_world(random).cluster) == []
