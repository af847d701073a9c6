"""Change a table in the kernel over raw netlink, in a network namespace of its own.

    python -m bench.nftables

Medians and 99th percentiles in milliseconds, for a node with 10, 100 and 1,000 chains;
at last what nft(8) takes for the text of the same table. Needs root.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterable

from ringfence.adapters.kernel.netns import NetworkNamespace
from ringfence.adapters.kernel.nftables import Nftables, Refused
from ringfence.model.flow import Protocol
from ringfence.ruleset.changes.delta import load
from ringfence.ruleset.changes.transaction import (
    AddElements,
    AddRule,
    AddVerdicts,
    DeleteSet,
    FlushChain,
    Operation,
    SetType,
    Transaction,
)
from ringfence.ruleset.ir import (
    Chain,
    Count,
    Datatype,
    Dispatch,
    Field,
    Final,
    HashSet,
    IntervalSet,
    Limit,
    Log,
    Lookup,
    NftRule,
    NftSet,
    NotOpening,
    PortIs,
    State,
    StateIs,
    Table,
    VerdictMap,
)
from ringfence.ruleset.lowering.lower import TABLE_COMMENT
from ringfence.ruleset.render import render
from ringfence.ruleset.wire.encode import encode
from ringfence.ruleset.wire.normal import same
from ringfence.sets.interval import Interval

SIZES = ((10, 1_000), (100, 1_000), (1_000, 10_000))
PEERS_OF_A_POD = 4
FIRST_POD, FIRST_BLOCK, SPARE = 0x0A000000, 0xC0000000, 0x0B000000
PORTS = SetType("ports", (Datatype.PROTOCOL, Datatype.PORT), interval=True)
OPEN = NftRule(
    (StateIs((State.ESTABLISHED, State.RELATED)),),
    (Final.ACCEPT,),
)


def main() -> int:
    """Print a line for each sort of change; exit code 1 if a listing differs."""
    NetworkNamespace.create()
    good = [measured(*size) for size in SIZES]
    return 0 if all(good) else 1


def measured(policies: int, pods: int) -> bool:
    """Measure one size; tell whether the kernel held what it was given."""
    table = node(policies, pods)
    transaction = load(table)
    elements = pods + sum(len(of.elements) for of in table.sets)
    print(f"{policies} chains, {pods} pods, {elements} elements")
    with Nftables() as kernel:
        show("encode", lambda _: encode(transaction), 5)
        show("load", lambda _: kernel.commit(transaction), 5)
        show("list and read", lambda _: kernel.table(table.name), 5)
        listed = kernel.table(table.name)
        show("counters", lambda _: kernel.counters(table.name), 5)
        changes(kernel, table, SPARE)
        refuse(kernel, table.name)
        print("  after a refusal")
        changes(kernel, table, SPARE + 1000)
        kernel.drop(table.name)
    text = render(table)
    show("nft -f", lambda _: nft(text), 3)
    return listed is not None and same(listed, table)


def changes(kernel: Nftables, table: Table, spare: int) -> None:
    """Measure what the life of pods and policies makes of a table."""
    peers = SetType(table.sets[-1].name, (Datatype.IPV4,), interval=False)
    chain = table.chains[-1]

    def commit(*operations: Operation) -> None:
        kernel.commit(Transaction(table.name, operations))

    def element(turn: int) -> None:
        commit(AddElements(peers, ((spare + turn,),)))

    def verdict(turn: int) -> None:
        commit(AddVerdicts("in4", Datatype.IPV4, {spare + turn: chain.name}))

    def rewrite(_: int) -> None:
        commit(
            FlushChain(chain.name), *(AddRule(chain.name, rule) for rule in chain.rules)
        )

    show("one element", element, 500)
    show("one verdict", verdict, 200)
    show("one chain anew", rewrite, 200)


def refuse(kernel: Nftables, table: str) -> None:
    """Have the kernel refuse a transaction."""
    try:
        kernel.commit(Transaction(table, (DeleteSet("none"),)))
    except Refused:
        return
    sys.exit("the kernel did not refuse to delete what is not there")


def show(name: str, work: Callable[[int], object], turns: int) -> None:
    """Print the median and the 99th percentile of some turns of work."""
    found = []
    for turn in range(turns):
        started = time.perf_counter()
        work(turn)
        found.append((time.perf_counter() - started) * 1000)
    high = sorted(found)[int(turns * 0.99) - 1]
    print(f"  {name:16}{statistics.median(found):10.3f} ms {high:10.3f} ms")


def nft(text: str) -> None:
    """Load a table with the program."""
    subprocess.run(("nft", "-f", "-"), input=text, text=True, check=True)


def node(policies: int, pods: int) -> Table:
    """Return a node's table: each policy with its peers, blocks, ports and counters."""
    verdicts = {FIRST_POD + n: f"in/team/{n % policies}" for n in range(pods)}
    base = NftRule((), (Dispatch(Field.DESTINATION4, "in4"),))
    ports = tuple((Interval(6, 6), Interval(n, n + 3)) for n in range(80, 400, 10))
    sets = [of for n in range(policies) for of in sets_of(n, pods, policies)]
    return Table(
        "ringfence",
        TABLE_COMMENT,
        (IntervalSet(PORTS.name, PORTS.key, ports), *sets),
        (VerdictMap("in4", Datatype.IPV4, verdicts),),
        tuple(f"{what}/{n}" for n in range(policies) for what in ("allow", "deny")),
        (Chain("ingress", (OPEN, base), -4), *map(chain_of, range(policies))),
        {},
    )


def sets_of(number: int, pods: int, policies: int) -> Iterable[NftSet]:
    """Return the blocks and the peers of one policy."""
    starts = range(FIRST_BLOCK, FIRST_BLOCK + 3 * 512, 512)
    blocks = tuple((Interval(start, start + 255),) for start in starts)
    yield IntervalSet(f"b4/{number}", (Datatype.IPV4,), blocks)
    several = range(PEERS_OF_A_POD * pods // policies)
    rows = {(FIRST_POD + (number * 7 + n * 13) % 65_000,) for n in several}
    yield HashSet(f"p4/{number}", (Datatype.IPV4,), frozenset(rows), "app=web")


def chain_of(number: int) -> Chain:
    """Return the chain of one policy: two rules and the denial."""
    allow = Count(f"allow/{number}"), Final.ACCEPT
    deny = Count(f"deny/{number}")
    peers = Lookup((Field.SOURCE4,), f"p4/{number}")
    blocks = Lookup((Field.SOURCE4,), f"b4/{number}")
    ports = Lookup((Field.PROTOCOL, Field.PORT), PORTS.name)
    cut = NotOpening(), StateIs((State.INVALID, State.NEW))
    rules = (
        NftRule((peers, PortIs(Protocol.TCP, Interval(80, 80))), allow, "ingress[0]"),
        NftRule((blocks, ports), allow, "ingress[1]"),
        NftRule(cut, (deny, Final.RESET)),
        NftRule((), (deny,)),
        NftRule((), (Limit(10, 20), Log(f"rf:D:in:team/{number}", 100, 64))),
        NftRule((), (Final.DROP,)),
    )
    return Chain(f"in/team/{number}", rules, comment=f"team/{number}")


if __name__ == "__main__":
    sys.exit(main())
