"""The chains of a node and the names that they use, kept as long as somebody does."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from ringfence.errors import RingfenceBug
from ringfence.ruleset.ir import Chain
from ringfence.ruleset.naming import ChainId, Identity


@dataclass(slots=True)
class _Held:
    """A chain, the names in it, and how many local pods or addresses it has."""

    chain: Chain
    names: Mapping[str, Identity]
    uses: int = 0


class Written(NamedTuple):
    """A chain as it was made, with the names that it uses."""

    chain: Chain
    names: Mapping[str, Identity]


class Difference(NamedTuple):
    """Chains before and after, None: not there; and names that came and went."""

    chains: tuple[tuple[Chain | None, Chain | None], ...]
    come: dict[str, Identity]
    gone: dict[str, Identity]


class Chains:
    """Chains by what they decide for, and each name's identity.

    Nothing goes before ``settle``: what one pod leaves and another one takes up in
    the same batch has never been away.
    """

    def __init__(self) -> None:
        self._held: dict[ChainId, _Held] = {}
        self._names: dict[str, tuple[Identity, int]] = {}
        self._before: dict[ChainId, Chain | None] = {}
        self._names_before: dict[str, Identity | None] = {}

    def __contains__(self, of: ChainId) -> bool:
        return of in self._held

    def name(self, of: ChainId) -> str:
        """Return the name of a chain that is there."""
        return self._held[of].chain.name

    @property
    def index(self) -> dict[str, Identity]:
        """What each name stands for."""
        return {name: of for name, (of, _) in self._names.items()}

    @property
    def chains(self) -> Iterator[Chain]:
        """The chains, in no order that means anything."""
        return (held.chain for held in self._held.values())

    def write(self, of: ChainId, written: Written) -> None:
        """Put a chain in, or give it other rules."""
        held = self._held.get(of)
        self._before.setdefault(of, held.chain if held else None)
        self.enter(written.names)
        if held is None:
            self._held[of] = _Held(*written)
        else:
            self.leave(held.names)
            held.chain, held.names = written

    def use(self, of: ChainId) -> None:
        """Count one more pod or address of a chain that is there."""
        self._held[of].uses += 1

    def release(self, of: ChainId) -> None:
        """Count one less."""
        held = self._held[of]
        held.uses -= 1
        if not held.uses:
            self._before.setdefault(of, held.chain)

    def enter(self, names: Mapping[str, Identity]) -> None:
        """Count one more user of names. Raises RingfenceBug on a collision."""
        for name, of in names.items():
            known, uses = self._names.get(name, (None, 0))
            if known is None:
                self._names_before.setdefault(name, None)
            elif known != of:
                raise RingfenceBug(f"{name!r} would name both {known} and {of}")
            self._names[name] = (of, uses + 1)

    def leave(self, names: Mapping[str, Identity]) -> None:
        """Count one less."""
        for name in names:
            of, uses = self._names[name]
            if uses > 1:
                self._names[name] = (of, uses - 1)
            else:
                self._names_before.setdefault(name, of)
                del self._names[name]

    def settle(self) -> Difference:
        """Drop what nobody uses; return what is different since the last time."""
        for of in self._before:
            held = self._held.get(of)
            if held is not None and not held.uses:
                self.leave(held.names)
                del self._held[of]
        chains = tuple(
            (before, held.chain if (held := self._held.get(of)) else None)
            for of, before in self._before.items()
        )
        come = {
            name: self._names[name][0]
            for name, before in self._names_before.items()
            if before is None and name in self._names
        }
        gone = {
            name: before
            for name, before in self._names_before.items()
            if before is not None and name not in self._names
        }
        self._before, self._names_before = {}, {}
        return Difference(chains, come, gone)
