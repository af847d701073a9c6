"""Transactions reach the kernel as nft would have put them there, and come back."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import wraps
from multiprocessing import get_context
from pathlib import Path
from typing import ParamSpec

import pytest

from ringfence.adapters.kernel.netns import NetworkNamespace, isolate
from ringfence.adapters.kernel.nftables import Nftables, Refused
from ringfence.engine.compiler import compile_cluster
from ringfence.errors import KernelError
from ringfence.model.flow import Protocol
from ringfence.ruleset.changes.delta import delta, load
from ringfence.ruleset.changes.transaction import (
    AddChain,
    AddElements,
    AddRule,
    AddVerdicts,
    DeleteChain,
    DeleteCounter,
    DeleteElements,
    DeleteMap,
    DeleteSet,
    DeleteVerdicts,
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
    FamilyIs,
    Field,
    Final,
    Foreign,
    FromThisNode,
    HashSet,
    Hook,
    IntervalSet,
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
from ringfence.ruleset.lowering.basechains import CUT_KEYS
from ringfence.ruleset.lowering.lower import TABLE_COMMENT, lower
from ringfence.ruleset.render import render
from ringfence.ruleset.wire.normal import normal, same
from ringfence.sets.interval import Interval
from strategies import make_world, seeded

pytestmark = pytest.mark.kernel

P = ParamSpec("P")
POOL: list[ProcessPoolExecutor] = []
INSIDE: list[NetworkNamespace] = []
INIT: list[subprocess.Popen[bytes]] = []


@pytest.fixture(scope="module", autouse=True)
def _worker() -> Iterator[None]:
    """Have a process with namespaces of its own, which an ordinary user gets too."""
    with ProcessPoolExecutor(1, get_context("spawn"), initializer=enter) as pool:
        POOL.append(pool)
        yield
        POOL.clear()


def enter() -> None:
    isolate()
    # A PID namespace lasts as long as its first process: this one ends with ours.
    INIT.append(subprocess.Popen(["cat"], stdin=subprocess.PIPE))
    INSIDE.append(NetworkNamespace.current())


def isolated(test: Callable[P, None]) -> Callable[P, None]:
    """Run the test in that process, each time in a new network namespace."""

    @wraps(test)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        if not INSIDE:
            POOL[0].submit(run, *args, **kwargs).result(timeout=120)
            return
        namespace = NetworkNamespace.create()
        try:
            test(*args, **kwargs)
        finally:
            namespace.close()

    return run


def nft(*arguments: str, text: str = "") -> str:
    return subprocess.run(
        ("nft", *arguments), input=text, text=True, capture_output=True, check=True
    ).stdout


def listing() -> list[str]:
    """Return nft's lines; the order of chains and sets is nobody's business."""
    return sorted(line.strip() for line in nft("list", "ruleset").splitlines())


def tables(seed: int) -> list[Table]:
    compiled = compile_cluster(make_world(seeded(seed), decided=True).cluster)
    return [lower(compiled, node).table for node in compiled.cluster.nodes]


PEERS = SetType("peers", (Datatype.IPV4,), interval=False)
BLOCKS = SetType("blocks", (Datatype.IPV4,), interval=True)
PORTS = SetType("ports", (Datatype.PROTOCOL, Datatype.PORT), interval=True)
ALLOW = NftRule((Lookup((Field.SOURCE4,), "peers"),), (Count("in"), Final.ACCEPT))
SMALL = Table(
    "ringfence",
    TABLE_COMMENT,
    (
        IntervalSet("blocks", BLOCKS.key, ((Interval(5, 9),),)),
        HashSet("peers", PEERS.key, frozenset({(1,), (2,)}), "shop/web"),
        IntervalSet("ports", PORTS.key, ((Interval(6, 6), Interval(80, 90)),)),
    ),
    (VerdictMap("in4", Datatype.IPV4, {7: "web"}),),
    ("in",),
    (
        Chain("ingress", (NftRule((), (Dispatch(Field.DESTINATION4, "in4"),)),), -4),
        Chain("web", (ALLOW, NftRule((), (Final.DROP,)))),
    ),
    {},
)


def operate(*operations: Operation) -> Table:
    """Return what the small table becomes."""
    with Nftables() as kernel:
        kernel.commit(load(SMALL))
        kernel.commit(Transaction("ringfence", operations))
        found = kernel.table("ringfence")
    assert found is not None
    return found


def replaced(table: Table, *sets: NftSet) -> Table:
    new = {of.name: of for of in sets}
    return replace(table, sets=tuple(new.get(of.name, of) for of in table.sets))


@pytest.mark.parametrize("seed", range(12))
@isolated
def test_nft_lists_what_it_would_have_loaded_itself(seed: int) -> None:
    for table in tables(seed):
        with Nftables() as kernel:
            kernel.commit(load(table))
            ours = listing()
            kernel.drop(table.name)
        nft("-f", "-", text=render(table))
        assert ours == listing()
        nft("delete", "table", "inet", table.name)


@pytest.mark.parametrize("seed", range(12, 24))
@isolated
def test_a_table_comes_back_as_it_was_meant(seed: int) -> None:
    with Nftables() as kernel:
        for table in tables(seed):
            kernel.commit(load(table))
            assert kernel.table(table.name) == normal(table)


@pytest.mark.parametrize("seed", range(24, 36))
@isolated
def test_a_table_that_nft_loaded_comes_back_the_same(seed: int) -> None:
    with Nftables() as kernel:
        for table in tables(seed):
            nft("-f", "-", text=render(table))
            assert kernel.table(table.name) == normal(table)


@isolated
def test_one_world_becomes_the_next_by_what_differs() -> None:
    with Nftables() as kernel:
        for seed in range(36, 72):
            for table in tables(seed):
                wanted = normal(table)
                kernel.commit(delta(kernel.table(table.name), wanted))
                assert kernel.table(table.name) == wanted


@isolated
def test_what_is_foreign_is_mended_by_the_difference() -> None:
    wanted = normal(SMALL)
    with Nftables() as kernel:
        kernel.commit(load(SMALL))
        nft("insert", "rule", "inet", "ringfence", "ingress", "accept")
        kernel.commit(delta(kernel.table("ringfence"), wanted))
        assert kernel.table("ringfence") == wanted
        nft("add", "quota", "inet", "ringfence", "odd", "{ over 1 mbytes }")
        kernel.commit(delta(kernel.table("ringfence"), wanted))
        assert kernel.table("ringfence") == wanted


ENDS = (Field.SOURCE6, Field.DESTINATION6, Field.SOURCE_PORT, Field.PORT)
PAIRS = HashSet("ends", CUT_KEYS[6], frozenset({(1, 2, 5432, 40_000)}))
EVERYTHING = (
    NftRule((StateIs((State.NEW,)), FromThisNode()), (Final.ACCEPT,)),
    NftRule((Lookup((Field.SOURCE4,), "blocks", absent=True),), (Final.DROP,)),
    NftRule((FamilyIs(6), PortIs(Protocol.UDP, Interval(0, 53))), (Final.ACCEPT,)),
    NftRule((PortIs(Protocol.SCTP, Interval(80, 65535)),), (Final.ACCEPT,)),
    NftRule((), (Final.RESET,), "x" * 120),
    NftRule((Lookup((Field.PROTOCOL, Field.PORT), "ports"),), (Final.ACCEPT,)),
    NftRule(
        (NotOpening(), StateIs((State.INVALID, State.NEW)), Lookup(ENDS, "ends")),
        (Final.DROP,),
    ),
)


@isolated
def test_rules_that_the_agent_alone_makes_are_those_of_nft() -> None:
    base = Chain("late", EVERYTHING, 7, "audited", Hook.POSTROUTING)
    # A reject is not legal behind routing, so the rules stand in a plain chain too.
    base = replace(base, rules=tuple(r for r in EVERYTHING if r != EVERYTHING[4]))
    chains = *SMALL.chains, Chain("plain", EVERYTHING), base
    table = replace(SMALL, sets=(*SMALL.sets, PAIRS), chains=chains)
    with Nftables() as kernel:
        kernel.commit(load(table))
        ours = listing()
        assert kernel.table("ringfence") == normal(table)
    nft("-f", "-", text=render(table))
    assert ours == listing()


@isolated
def test_elements_come_and_go() -> None:
    found = operate(
        AddElements(PEERS, ((3,), (0xFFFFFFFF,))),
        DeleteElements(PEERS, ((1,),)),
    )
    peers = HashSet("peers", PEERS.key, frozenset({(2,), (3,), (2**32 - 1,)}))
    assert found == normal(replaced(SMALL, replace(peers, comment="shop/web")))


@isolated
def test_a_range_is_replaced_by_a_wider_one_and_by_the_last() -> None:
    ranges = ((Interval(0, 3),), (Interval(4, 20),), (Interval(99, 2**32 - 1),))
    found = operate(
        DeleteElements(BLOCKS, ((Interval(5, 9),),)), AddElements(BLOCKS, ranges)
    )
    assert found == normal(replaced(SMALL, IntervalSet("blocks", BLOCKS.key, ranges)))
    last = ((Interval(99, 2**32 - 1),),)
    with Nftables() as kernel:
        kernel.commit(Transaction("ringfence", (DeleteElements(BLOCKS, last),)))
        table = kernel.table("ringfence")
    wanted = IntervalSet("blocks", BLOCKS.key, ranges[:2])
    assert table == normal(replaced(SMALL, wanted))


@isolated
def test_a_range_of_ports_is_replaced() -> None:
    wider = ((Interval(6, 6), Interval(80, 99)), (Interval(17, 17), Interval(53, 53)))
    found = operate(
        DeleteElements(PORTS, ((Interval(6, 6), Interval(80, 90)),)),
        AddElements(PORTS, wider),
    )
    assert found == normal(replaced(SMALL, IntervalSet("ports", PORTS.key, wider)))


@isolated
def test_an_address_goes_to_another_chain_in_one_transaction() -> None:
    found = operate(
        AddChain("db", Hook.FORWARD, None),
        AddRule("db", NftRule((), (Final.DROP,))),
        DeleteVerdicts("in4", Datatype.IPV4, {7: "web"}),
        AddVerdicts("in4", Datatype.IPV4, {7: "db", 8: "web"}),
    )
    (verdicts,) = found.maps
    assert verdicts.elements == {7: "db", 8: "web"}


@isolated
def test_a_chain_is_rewritten() -> None:
    found = operate(FlushChain("web"), AddRule("web", NftRule((), (Final.DROP,))))
    (web,) = (chain for chain in found.chains if chain.name == "web")
    assert web.rules == (NftRule((), (Final.DROP,)),)


@isolated
def test_everything_goes_in_the_order_of_references() -> None:
    found = operate(
        DeleteVerdicts("in4", Datatype.IPV4, {7: "web"}),
        FlushChain("ingress"),
        DeleteMap("in4"),
        FlushChain("web"),
        DeleteChain("web"),
        DeleteChain("ingress"),
        *(DeleteSet(of.name) for of in SMALL.sets),
        DeleteCounter("in"),
    )
    assert found == Table("ringfence", TABLE_COMMENT, (), (), (), (), {})


@isolated
def test_a_failing_operation_is_named_and_nothing_is_changed() -> None:
    with Nftables() as kernel:
        kernel.commit(load(SMALL))
        before = kernel.generation()
        wrong = DeleteElements(PEERS, ((9,),))
        operations = (AddElements(PEERS, ((3,),)), wrong, DeleteChain("web"))
        with pytest.raises(Refused) as refused:
            kernel.commit(Transaction("ringfence", operations))
        assert (refused.value.index, refused.value.operation) == (1, wrong)
        assert refused.value.errno == errno.ENOENT
        assert "operation 1, DeleteElements peers: No such" in str(refused.value)
        assert kernel.generation() == before
        assert same(kernel.table("ringfence") or SMALL, SMALL)
        kernel.commit(Transaction("ringfence", (AddElements(PEERS, ((3,),)),)))


@isolated
def test_a_rule_that_makes_a_loop_is_refused() -> None:
    with Nftables() as kernel:
        kernel.commit(load(SMALL))
        loop = NftRule((), (Dispatch(Field.DESTINATION4, "in4"),))
        with pytest.raises(Refused) as refused:
            kernel.commit(Transaction("ringfence", (AddRule("web", loop),)))
        assert refused.value.errno == errno.EMLINK
        assert same(kernel.table("ringfence") or SMALL, SMALL)


@isolated
def test_more_failures_than_a_buffer_holds_still_name_the_first() -> None:
    with Nftables() as kernel:
        kernel.commit(load(SMALL))
        with pytest.raises(Refused) as refused:
            kernel.commit(Transaction("ringfence", (DeleteSet("no"),) * 20_000))
        assert refused.value.index == 0
        kernel.commit(Transaction("ringfence", (AddElements(PEERS, ((3,),)),)))


@pytest.mark.parametrize(
    "rule",
    [
        "counter accept",
        "meta mark 1 accept",
        "ip saddr 10.0.0.1 accept",
        "tcp sport 80 accept",
        "icmpv6 type 1 accept",
        "ct direction original accept",
        "limit rate over 10/second drop",
        "ip saddr @peers jump web",
        "counter name in ip saddr @peers accept",
        "meta l4proto icmpv6 accept",
        "log prefix x level debug",
        "meta mark set 1",
    ],
)
@isolated
def test_a_foreign_rule_is_noticed(rule: str) -> None:
    with Nftables() as kernel:
        kernel.commit(load(SMALL))
        nft("insert", "rule", "inet", "ringfence", "ingress", rule)
        found = kernel.table("ringfence")
    assert found is not None
    (ingress,) = (chain for chain in found.chains if chain.name == "ingress")
    assert isinstance(ingress.rules[0].matches[0], Foreign)
    assert not same(found, SMALL)


@pytest.mark.parametrize(
    ("added", "said"),
    [
        ("set odd { typeof meta mark; }", "set odd: a key of another type"),
        (
            "set odd { type ipv4_addr; flags timeout; }",
            "set odd: a set of another kind",
        ),
        ("quota odd { over 1 mbytes }", "object odd of type 2"),
        ("map odd { type ipv4_addr : mark; }", "set odd: a set of another kind"),
        ("chain odd { type filter hook input priority 0; }", "base chain odd"),
        ("chain odd { type filter hook forward priority 0; policy drop; }", "base "),
    ],
)
@isolated
def test_foreign_things_are_noticed(added: str, said: str) -> None:
    with Nftables() as kernel:
        kernel.commit(load(SMALL))
        nft("-f", "-", text=f"table inet ringfence {{\n{added}\n}}\n")
        found = kernel.table("ringfence")
    assert found is not None
    (foreign,) = found.foreign
    assert foreign.startswith(said)
    assert not same(found, SMALL)


@pytest.mark.parametrize("comment", ["", 'comment "owner=ringfencer"'])
@isolated
def test_a_table_of_somebody_else_is_left_alone(comment: str) -> None:
    nft("-f", "-", text=f"table inet ringfence {{\n{comment}\nchain x {{ }}\n}}\n")
    before = listing()
    with Nftables() as kernel:
        with pytest.raises(KernelError, match="is somebody else's"):
            kernel.commit(load(SMALL))
        with pytest.raises(KernelError, match="is somebody else's"):
            kernel.table("ringfence")
        with pytest.raises(KernelError, match="is somebody else's"):
            kernel.drop("ringfence")
    assert listing() == before


@isolated
def test_dropping_what_is_not_there_is_no_fault() -> None:
    with Nftables() as kernel:
        assert kernel.table("ringfence") is None
        kernel.drop("ringfence")
        kernel.commit(load(SMALL))
        kernel.drop("ringfence")
        assert kernel.table("ringfence") is None
        assert kernel.counters("ringfence") == {}


@isolated
def test_a_socket_that_breaks_is_replaced() -> None:
    before = set(descriptors())
    with Nftables() as kernel:
        kernel.commit(load(SMALL))
        (mine,) = (of for of in set(descriptors()) - before)
        with Path(os.devnull).open() as nothing:
            os.dup2(nothing.fileno(), mine)
        with pytest.raises(KernelError, match="non-socket"):
            kernel.table("ringfence")
        assert kernel.table("ringfence") == normal(SMALL)
    assert set(descriptors()) == before


def descriptors() -> list[int]:
    """Return what is open but for the look itself."""
    return [int(of.name) for of in Path("/proc/self/fd").iterdir() if of.exists()]


@isolated
def test_counters_are_read_without_the_rules() -> None:
    with Nftables() as kernel:
        kernel.commit(load(SMALL))
        assert kernel.counters("ringfence") == {"in": (0, 0)}


@isolated
def test_a_listing_is_of_one_moment_while_others_write() -> None:
    rows = frozenset((number,) for number in range(20_000))
    table = replaced(SMALL, HashSet("peers", PEERS.key, rows))

    turns = "nft add table inet other; nft delete table inet other;"
    with Nftables() as kernel:
        kernel.commit(load(table))
        with subprocess.Popen(["sh", "-c", turns * 50]) as writer:
            while writer.poll() is None:
                assert kernel.table("ringfence") == normal(table)


def test_who_lacks_the_capability_is_told_which() -> None:
    without = ["--bounding-set=-all", "--inh-caps=-all", "--ambient-caps=-all"]
    prefix = ["setpriv", *without] if os.geteuid() == 0 else []
    program = (
        "from ringfence.adapters.kernel.nftables import Nftables\n"
        "Nftables().table('ringfence')"
    )
    ended = subprocess.run(
        [*prefix, sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=False,
    )
    assert "KernelError: nf_tables refused to answer" in ended.stderr
    assert "it takes CAP_NET_ADMIN" in ended.stderr


@isolated
def test_a_large_set_is_one_transaction() -> None:
    rows = tuple((number,) for number in range(100_000))
    with Nftables() as kernel:
        kernel.commit(load(replaced(SMALL, HashSet("peers", PEERS.key, frozenset()))))
        before = kernel.generation()
        kernel.commit(Transaction("ringfence", (AddElements(PEERS, rows),)))
        assert kernel.generation() == before + 1
        found = kernel.table("ringfence")
        kernel.commit(Transaction("ringfence", (DeleteElements(PEERS, rows),)))
    assert found is not None
    (peers,) = (of for of in found.sets if of.name == "peers")
    assert peers.elements == frozenset(rows)
