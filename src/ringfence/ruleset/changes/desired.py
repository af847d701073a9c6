"""The table that a node should have, following what changes in the cluster.

A change costs what it touches: a pod that comes or goes is elements of the sets that
mention it, a policy the chains that it is in. What an element means is asked of the
same functions that ``lower`` asks; here is only when to ask.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import replace
from itertools import product
from typing import TypeAlias

from ringfence.engine.compiled import PolicySet
from ringfence.engine.following.changes import Changes, PeerChange
from ringfence.engine.following.state import State
from ringfence.errors import RingfenceBug
from ringfence.model.flow import Direction, IPAddress
from ringfence.model.meta import ObjectKey
from ringfence.model.workload import Pod
from ringfence.ruleset.arrange import arranged
from ringfence.ruleset.changes.delta import delta
from ringfence.ruleset.changes.desired_names import Chains, Difference, Written
from ringfence.ruleset.changes.desired_sets import PodSets
from ringfence.ruleset.changes.edits import Edits, Stage
from ringfence.ruleset.changes.transaction import (
    AddMap,
    DeleteSet,
    SetType,
    Transaction,
)
from ringfence.ruleset.enforcement import ENFORCE, Enforcement
from ringfence.ruleset.ir import HashSet, NftSet, Row, Table, VerdictMap
from ringfence.ruleset.lowering.basechains import (
    ADDRESSES,
    CUT_KEYS,
    CUT_SETS,
    HOOKS,
    Ground,
    base_chains,
    constant_sets,
    map_name,
)
from ringfence.ruleset.lowering.elements import Facts, Isolating, isolating, listed_set
from ringfence.ruleset.lowering.lower import TABLE_COMMENT, TABLE_NAME, scope_of
from ringfence.ruleset.lowering.omissions import Omission, omissions
from ringfence.ruleset.lowering.owners import is_local
from ringfence.ruleset.lowering.policychain import (
    contested_chain,
    policy_chain,
    policy_set_id,
)
from ringfence.ruleset.naming import (
    BlocksId,
    ChainId,
    ContestedId,
    Identity,
    NamedPortsId,
    PodPeersId,
    PolicySetId,
    PortsId,
    Register,
    SetId,
    chain_name,
    is_counter,
)

MapId: TypeAlias = tuple[Direction, int]
"""A dispatch map by its direction and IP version."""

Cuts: TypeAlias = Mapping[int, AbstractSet[Row]]
"""Rows of the sets of cut connections, by IP version."""

CONTESTED = {
    chain_name(of): of
    for of in (ContestedId(*each) for each in product(HOOKS, (False, True)))
}


class Desired:
    """The table of one node, kept up to date by ``follow``.

    ``table()`` equals what ``lower`` makes of the state, at any time between a
    ``follow`` and the state's next ``apply``.
    """

    def __init__(
        self, state: State, node: str, enforcement: Enforcement = ENFORCE
    ) -> None:
        self._state = state
        self._node = node
        self._cuts: dict[int, set[Row]] = {version: set() for version in CUT_SETS}
        self._begin(enforcement)

    def _begin(self, enforcement: Enforcement) -> None:
        """Build everything from what the state says now."""
        compiled, claims = self._state.compiled, self._state.claims
        self._ground = Ground(compiled.families, enforcement)
        self._local: dict[ObjectKey, Isolating] = {}
        self._contested = {one for one, of in claims.items() if len(of) > 1}
        self._chains = Chains()
        self._sets = PodSets()
        self._maps: dict[MapId, dict[int, str]] = {
            of: {} for of in product(HOOKS, compiled.families)
        }
        register = Register()
        self._base = base_chains(self._ground, register)
        self._chains.enter(register.index)
        for pod in compiled.cluster.pods.values():
            if is_local(pod, self._node):
                self._place(pod.key)
        facts = self._facts()
        for own in self._ground.own_sets():
            self._sets.open(own.name, own, facts)
        addresses = {a for key in self._local for a in self._addresses_of(key)}
        self._dispatch(addresses, facts, Edits())
        self._settle(facts)

    def follow(self, changes: Changes) -> Transaction:
        """Return what leads from the table before a change to the one after it.

        Every result of the state's ``apply`` has to come by, once and in order.
        """
        if changes.families is not None:
            return self._anew(self._ground.enforcement)
        for claim in changes.claims:
            if len(claim.new) > 1:
                self._contested.add(claim.address)
            else:
                self._contested.discard(claim.address)
        for key in self._moved(changes):
            if key in self._local or is_local(
                self._state.cluster.pods.get(key), self._node
            ):
                self._place(key)
        for of in changes.policy_sets:
            if of.new is not None and policy_set_id(of.new) in self._chains:
                self._rewrite(of.new)
        facts, edits = self._facts(), Edits()
        addresses = self._touched(changes)
        self._dispatch(addresses, facts, edits)
        self._tell(self._settle(facts), edits)
        self._ask(addresses, changes, facts)
        self._sets.settle(edits)
        return edits.transaction(TABLE_NAME)

    def enforce(self, enforcement: Enforcement) -> Transaction:
        """Return what leads to the table of another choice of the operator's.

        Who is audited costs the chains of those namespaces, anything else the table.
        """
        before = self._ground.enforcement
        audit, exceptions = enforcement.audit, enforcement.exceptions
        if enforcement != replace(before, audit=audit, exceptions=exceptions):
            return self._anew(enforcement)
        self._ground = self._ground._replace(enforcement=enforcement)
        written: set[PolicySetId] = set()
        for key, isolated in self._local.items():
            if before.audits(key.namespace) == enforcement.audits(key.namespace):
                continue
            for of in isolated:
                if of not in written:
                    self._write(of, key)
                    written.add(of)
        facts, edits = self._facts(), Edits()
        self._dispatch(self._contested, facts, edits)
        self._tell(self._settle(facts), edits)
        return edits.transaction(TABLE_NAME)

    def cut(self, come: Cuts, gone: Cuts) -> Transaction:
        """Return what notes connections as cut, and what forgets others."""
        edits = Edits()
        for version, held in self._cuts.items():
            going = gone.get(version, frozenset())
            new, old = come.get(version, frozenset()) - going - held, going & held
            held.update(new)
            held.difference_update(old)
            if version in self._ground.cut:
                of = SetType(CUT_SETS[version], CUT_KEYS[version], interval=False)
                edits.elements(of, tuple(sorted(new)), tuple(sorted(old)))
        return edits.transaction(TABLE_NAME)

    def _anew(self, enforcement: Enforcement) -> Transaction:
        before = self.table()
        self._begin(enforcement)
        return delta(before, self.table())

    def table(self) -> Table:
        """Return the whole table; takes time in proportion to it."""
        index = self._chains.index
        listed = (
            listed_set(name, of)
            for name, of in index.items()
            if isinstance(of, BlocksId | PortsId)
        )
        return arranged(
            Table(
                TABLE_NAME,
                TABLE_COMMENT,
                (*self._base_sets(), *listed, *self._sets.sets()),
                tuple(self._verdict_maps()),
                tuple(filter(is_counter, index)),
                (*self._base, *self._chains.chains),
                index,
            )
        )

    def _base_sets(self) -> Iterator[NftSet]:
        """Yield the sets of base chains that no pod is in."""
        cut = {CUT_SETS[version]: rows for version, rows in self._cuts.items()}
        for of in constant_sets(self._ground):
            if isinstance(of, HashSet) and of.name in cut:
                yield replace(of, elements=frozenset(cut[of.name]))
            else:
                yield of

    @property
    def index(self) -> Mapping[str, Identity]:
        """What the names of the table stand for, now."""
        return self._chains.index

    @property
    def omissions(self) -> tuple[Omission, ...]:
        """What the table leaves out; takes time in proportion to the cluster."""
        compiled, claims = self._state.compiled, self._state.claims
        scope = scope_of(compiled, self._node)
        return omissions(compiled, claims, scope, self._chains.index.values())

    def _facts(self) -> Facts:
        compiled, claims = self._state.compiled, self._state.claims
        enforcement = self._ground.enforcement
        return Facts(compiled, claims, self._contested, self._local, enforcement)

    def _addresses_of(self, key: ObjectKey) -> tuple[IPAddress, ...]:
        pod = self._state.cluster.pods.get(key)
        return () if pod is None else pod.addresses

    def _moved(self, changes: Changes) -> set[ObjectKey]:
        """Return the pods that may have come to the node, left, or be isolated anew."""
        moved = {of.pod for of in changes.isolation}
        moved.update(pod.key for of in changes.pods for pod in (of.old, of.new) if pod)
        return moved

    def _place(self, key: ObjectKey) -> None:
        """Note whether a pod is local, and use the chains that it needs."""
        before = self._local.get(key, ())
        now: Isolating = ()
        if is_local(self._state.cluster.pods.get(key), self._node):
            now = self._local[key] = isolating(self._state.compiled, key)
        else:
            self._local.pop(key, None)
        if now == before:
            return
        for of in now:
            if of not in self._chains:
                self._write(of, key)
            self._chains.use(of)
        for of in before:
            self._chains.release(of)

    def _write(self, of: PolicySetId, pod: ObjectKey) -> None:
        """Write the chain of a policy-set that isolates a pod."""
        policy_set = self._state.compiled.policy_set(of.direction, pod)
        if policy_set is None or policy_set.policies != of.policies:
            raise RingfenceBug(f"{of} does not isolate {pod}")
        self._rewrite(policy_set)

    def _rewrite(self, policy_set: PolicySet) -> None:
        register = Register()
        families, enforcement = self._ground
        chain = policy_chain(policy_set, families, register, enforcement)
        self._chains.write(policy_set_id(policy_set), Written(chain, register.index))

    def _touched(self, changes: Changes) -> set[IPAddress]:
        """Return the addresses of which own sets, maps or named ports may differ."""
        touched = {claim.address for claim in changes.claims}
        touched.update(
            address
            for of in changes.pods
            for pod in (of.old, of.new)
            if pod
            for address in pod.addresses
        )
        # A pod's pairs depend on who else claims each of its addresses.
        paired = {one for claim in changes.claims for one in (*claim.old, *claim.new)}
        for key in paired:
            if key in self._local:
                touched.update(self._addresses_of(key))
        for isolation in changes.isolation:
            addresses = self._addresses_of(isolation.pod)
            if isolation.pod in self._local:
                touched.update(addresses)
            elif self._contested:
                touched.update(self._contested.intersection(addresses))
        return touched

    def _dispatch(
        self, addresses: Iterable[IPAddress], facts: Facts, edits: Edits
    ) -> None:
        """Send each address to the chain that it now belongs to."""
        come: defaultdict[MapId, dict[int, str]] = defaultdict(dict)
        gone: defaultdict[MapId, dict[int, str]] = defaultdict(dict)
        for address, direction in product(addresses, HOOKS):
            of: MapId = direction, address.version
            number = int(address)
            old = self._maps[of].get(number)
            new = self._chain_name(facts.chain_of(direction, address))
            if old == new:
                continue
            if old is not None:
                gone[of][number] = old
                del self._maps[of][number]
                self._contest(old, self._chains.release)
            if new is not None:
                come[of][number] = self._maps[of][number] = new
                self._contest(new, self._chains.use)
        for of in {**come, **gone}:
            make = AddMap(map_name(*of), ADDRESSES[of[1]])
            edits.verdicts(make, come[of], gone[of])

    def _chain_name(self, of: ChainId | None) -> str | None:
        if of is None:
            return None
        if isinstance(of, ContestedId) and of not in self._chains:
            register = Register()
            chain = contested_chain(of, register)
            self._chains.write(of, Written(chain, register.index))
        return self._chains.name(of)

    @staticmethod
    def _contest(name: str, count: Callable[[ChainId], None]) -> None:
        """Count an address of a chain that addresses keep, not pods."""
        of = CONTESTED.get(name)
        if of is not None:
            count(of)

    def _verdict_maps(self) -> Iterator[VerdictMap]:
        for of, elements in self._maps.items():
            yield VerdictMap(map_name(*of), ADDRESSES[of[1]], dict(elements))

    def _settle(self, facts: Facts) -> Difference:
        """Open the sets that chains use since the last time, close what none does."""
        difference = self._chains.settle()
        for name, of in difference.come.items():
            if isinstance(of, PodPeersId | NamedPortsId):
                self._sets.open(name, of, facts)
        for name, of in difference.gone.items():
            if isinstance(of, PodPeersId | NamedPortsId):
                self._sets.close(name)
        return difference

    def _tell(self, difference: Difference, edits: Edits) -> None:
        """Say what is different in chains, sets and counters."""
        chains, come, gone = difference
        for before, after in chains:
            edits.rewrite_chain(before, after)
        edits.counters(filter(is_counter, come), filter(is_counter, gone))
        for name, of in come.items():
            match of:
                case PodPeersId() | NamedPortsId():
                    edits.add_set(self._sets[name])
                case BlocksId() | PortsId():
                    edits.add_set(listed_set(name, of))
                case _:
                    pass  # chains, counters and prefixes
        for name, of in gone.items():
            if isinstance(of, SetId):
                edits.at(Stage.SET_GOES, DeleteSet(name))

    def _ask(
        self, addresses: Iterable[IPAddress], changes: Changes, facts: Facts
    ) -> None:
        """Bring the sets up to date that say something of what changed."""
        for address in addresses:
            self._sets.ask_own(address, facts)
            for claimant in facts.claims.get(address, ()):
                pod = self._state.cluster.pods.get(claimant) if claimant else None
                self._ask_ports(pod, (address,), facts)
        for of in changes.pods:
            if of.old is not None:
                self._ask_ports(of.old, of.old.addresses, facts)
        for peer in changes.peers:
            if self._sets.mentions(peer.selector):
                self._sets.ask_peers(peer.selector, self._moved_peers(peer), facts)
        for claim in changes.claims:
            if len(claim.old) > 1 or len(claim.new) > 1:
                self._sets.ask_all(claim.address, facts)

    def _ask_ports(
        self, pod: Pod | None, addresses: Iterable[IPAddress], facts: Facts
    ) -> None:
        for port in (pod.ports or ()) if pod else ():
            if port.name is not None:
                for address in addresses:
                    self._sets.ask_ports((port.name, port.protocol), address, facts)

    def _moved_peers(self, peer: PeerChange) -> set[IPAddress]:
        """Return the addresses that a peer gained, lost, or may share with another."""
        moved = {*peer.addresses_gained, *peer.addresses_lost}
        if self._contested:
            for key in peer.gained.certain | peer.lost.certain:
                moved |= self._contested.intersection(self._addresses_of(key))
        return moved
