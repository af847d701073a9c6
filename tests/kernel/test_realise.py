"""A kernel that refuses, or does not answer: what is right stays, the rest heals."""

from __future__ import annotations

import ctypes
import errno
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

import pytest
from test_nftables_netlink import _worker, isolated

from ringfence.adapters.kernel.nftables import Nftables, Refused
from ringfence.agent.enforcing.degrade import subject, without
from ringfence.agent.enforcing.realise import Realiser
from ringfence.agent.metrics import Metrics
from ringfence.engine.compiler import compile_cluster
from ringfence.errors import KernelError
from ringfence.ruleset.changes.delta import delta, load
from ringfence.ruleset.changes.transaction import (
    AddCounter,
    AddElements,
    AddRule,
    AddSet,
    FlushChain,
    Operation,
    Transaction,
)
from ringfence.ruleset.ir import Table
from ringfence.ruleset.lowering.lower import TABLE_NAME, lower
from ringfence.ruleset.wire.normal import normal
from strategies import make_world, seeded

__all__ = ["_worker"]

pytestmark = pytest.mark.kernel

RICH, OTHER = 2, 4
"""Seeds of tables that have policy chains, and sets that these look into."""

TOO_LONG = AddCounter("x" * 300)
"""What every kernel refuses: the longest name has 255 letters."""


class Choosy(Nftables):
    """A kernel that will not take some sets, and rules that match in some chains.

    The refusal is the kernel's own: it is sent one that it cannot take instead.
    ``code`` is what it gives for a reason, where not its own.
    """

    refuses: frozenset[str] = frozenset()
    code = 0

    def commit(self, transaction: Transaction) -> None:
        sent = tuple(map(self._choose, transaction.operations))
        try:
            super().commit(replace(transaction, operations=sent))
        except Refused as refusal:
            if refusal.index is None:
                raise
            at = refusal.index, transaction.operations[refusal.index]
            code = self.code or refusal.errno
            raise Refused(at, code, refusal.words) from refusal

    def _choose(self, operation: Operation) -> Operation:
        matter = isinstance(operation, AddSet | AddElements)
        if isinstance(operation, AddRule):
            matter = bool(operation.rule.matches)
        return TOO_LONG if matter and subject(operation) in self.refuses else operation


@dataclass
class Wanted:
    """A desired table that a test changes."""

    now: Table = field(default_factory=lambda: table_of(RICH))

    def table(self) -> Table:
        return self.now

    def become(self, table: Table) -> Transaction:
        """Return the change that leads there."""
        before, self.now = self.now, table
        return delta(before, table)


def table_of(seed: int) -> Table:
    compiled = compile_cluster(make_world(seeded(seed), decided=True).cluster)
    return lower(compiled, "n1").table


def allowing(table: Table) -> str:
    """Return the name of a policy chain that some packets pass."""
    return next(
        chain.name
        for chain in table.chains
        if chain.priority is None and any(rule.matches for rule in chain.rules)
    )


def peers(table: Table) -> list[str]:
    return [of.name for of in table.sets if of.name.startswith("p4/")]


@contextmanager
def choosy(*refused: str) -> Iterator[Choosy]:
    with Choosy() as kernel:
        kernel.refuses = frozenset(refused)
        yield kernel


def made(kernel: Nftables, wanted: Wanted) -> Realiser:
    return Realiser(kernel, wanted, Metrics())


@isolated
def test_only_the_refused_parts_are_left_out() -> None:
    wanted = Wanted()
    refused = allowing(wanted.now), peers(wanted.now)[0]
    with choosy(*refused) as kernel:
        realiser = made(kernel, wanted)
        assert not realiser.take_over()
        assert {part.name for part in realiser.trouble} == {*refused}
        left = normal(without(wanted.now, frozenset(refused)))
        assert kernel.table(TABLE_NAME) == left
        assert left != normal(wanted.now)
        assert left == realiser.attainable()
        assert realiser.drift(left) == 0
        assert realiser.retry_in_s is not None


@isolated
def test_a_part_that_is_taken_at_last_is_there() -> None:
    wanted = Wanted()
    with choosy(allowing(wanted.now)) as kernel:
        realiser = made(kernel, wanted)
        realiser.take_over()
        kernel.refuses = frozenset()
        assert realiser.retry()
        assert realiser.retry_in_s is None
        assert realiser.trouble == ()
        assert kernel.table(TABLE_NAME) == normal(wanted.now)


@isolated
def test_waits_grow_with_each_retry_in_vain() -> None:
    wanted, waits = Wanted(), []
    with choosy(allowing(wanted.now)) as kernel:
        realiser = made(kernel, wanted)
        realiser.take_over()
        for _ in range(9):
            waits.append(realiser.retry_in_s or 0)
            realiser.retry()
    assert all(wait_s <= 0.5 * 2**number for number, wait_s in enumerate(waits))
    assert 30 < waits[-1] <= 60


@isolated
def test_what_happens_meanwhile_is_applied_and_puts_no_retry_off() -> None:
    wanted, other = Wanted(), table_of(OTHER)
    one = wanted.now
    with choosy(allowing(one)) as kernel:
        realiser = made(kernel, wanted)
        realiser.take_over()
        wait_s = realiser.retry_in_s or 0
        for number in range(9):
            table = replace(one, counters=(*one.counters, f"c{number}"))
            assert not realiser.realise(wanted.become(table))
            there = kernel.table(TABLE_NAME)
            assert there is not None
            assert f"c{number}" in there.counters
        assert (realiser.retry_in_s or 0) <= wait_s
        assert realiser.realise(wanted.become(other))
        assert realiser.trouble == ()


@isolated
def test_a_retry_that_is_due_is_not_put_off_by_what_happens_before_it() -> None:
    wanted = Wanted()
    one = wanted.now
    with choosy(allowing(one)) as kernel:
        realiser = made(kernel, wanted)
        realiser.take_over()
        time.sleep(realiser.retry_in_s or 0)
        more = replace(one, counters=(*one.counters, "more"))
        assert not realiser.realise(wanted.become(more))
        assert realiser.retry_in_s == 0


@isolated
def test_no_part_is_blamed_for_want_of_memory() -> None:
    wanted = Wanted()
    with choosy(allowing(wanted.now)) as kernel:
        kernel.code = errno.ENOMEM
        realiser = made(kernel, wanted)
        assert not realiser.take_over()
        assert realiser.trouble == ()
        assert "Cannot allocate memory" in realiser.complaint
        assert kernel.table(TABLE_NAME) is None


@isolated
def test_a_kernel_that_fails_as_a_whole_is_left_alone_until_a_retry_is_due() -> None:
    wanted = Wanted()
    with Nftables() as kernel:
        realiser, other = made(kernel, wanted), made(kernel, wanted)
        with powerless():
            assert not realiser.take_over()
            for _ in range(8):
                assert not realiser.retry()
            assert not other.take_over()
        # It waits for a minute by now.
        assert not realiser.realise(wanted.become(table_of(OTHER)))
        assert kernel.table(TABLE_NAME) is None
        time.sleep(other.retry_in_s or 0)
        assert other.realise(wanted.become(table_of(RICH)))
        assert kernel.table(TABLE_NAME) == normal(wanted.now)


@isolated
def test_without_what_it_cannot_spare_the_old_table_stays() -> None:
    wanted = Wanted()
    with choosy() as kernel:
        realiser = made(kernel, wanted)
        assert realiser.take_over()
        before = kernel.table(TABLE_NAME)
        kernel.refuses = frozenset({"ingress"})
        assert not realiser.realise(wanted.become(changed_ingress(wanted.now)))
        assert kernel.table(TABLE_NAME) == before
        assert "operation" in realiser.complaint
        assert realiser.retry_in_s is not None
        kernel.refuses = frozenset()
        assert realiser.retry()
        assert kernel.table(TABLE_NAME) == normal(wanted.now)


def changed_ingress(table: Table) -> Table:
    """Return the table with one rule less in its ingress base chain."""
    return replace(
        table,
        chains=tuple(
            replace(chain, rules=chain.rules[1:]) if chain.name == "ingress" else chain
            for chain in table.chains
        ),
    )


@isolated
def test_what_a_stranger_holds_on_to_is_removed_all_the_same() -> None:
    wanted = Wanted()
    held = peers(wanted.now)[0]
    with Nftables() as kernel:
        realiser = made(kernel, wanted)
        realiser.take_over()
        nft(
            f"add chain inet ringfence theirs; "
            f"add rule inet ringfence theirs ip saddr @{held}"
        )
        gone = without(wanted.now, frozenset({held}))
        assert realiser.realise(wanted.become(gone))
        assert kernel.table(TABLE_NAME) == normal(gone)


def nft(command: str) -> None:
    subprocess.run(("nft", command), check=True)


@isolated
def test_a_lost_right_is_no_fault_of_a_part_and_heals() -> None:
    wanted = Wanted()
    with Nftables() as kernel:
        realiser = made(kernel, wanted)
        assert realiser.take_over()
        before = kernel.table(TABLE_NAME)
        with powerless():
            assert not realiser.realise(wanted.become(table_of(OTHER)))
            assert not realiser.retry()
        assert realiser.trouble == ()
        assert "Operation not permitted" in realiser.complaint
        assert kernel.table(TABLE_NAME) == before
        assert realiser.retry()
        assert kernel.table(TABLE_NAME) == normal(wanted.now)


@contextmanager
def powerless() -> Iterator[None]:
    """Have no capability in effect, in this thread, for a block (capset(2))."""
    libc = ctypes.CDLL(None, use_errno=True)
    head = (ctypes.c_uint32 * 2)(0x20080522, 0)
    had = (ctypes.c_uint32 * 6)()
    assert libc.capget(head, had) == 0
    none = (ctypes.c_uint32 * 6)(0, had[1], had[2], 0, had[4], had[5])
    assert libc.capset(head, none) == 0
    try:
        yield
    finally:
        assert libc.capset(head, had) == 0


@isolated
def test_it_tells_once_that_the_kernel_held_something_else() -> None:
    wanted = Wanted()
    with Nftables() as kernel:
        realiser = made(kernel, wanted)
        assert realiser.take_over()
        assert realiser.was_mended()
        assert not realiser.was_mended()
        assert realiser.realise(wanted.become(table_of(OTHER)))
        assert not realiser.was_mended()
        nft("flush ruleset")
        assert realiser.drift(kernel.table(TABLE_NAME))
        assert realiser.was_mended()
        nft("flush ruleset")
        assert realiser.realise(wanted.become(table_of(RICH)))
        assert realiser.was_mended()
        with powerless():
            assert not realiser.realise(wanted.become(table_of(OTHER)))
            assert not realiser.was_mended()
        assert realiser.retry()
        assert realiser.was_mended()


@isolated
def test_a_table_that_somebody_removed_or_replaced_is_missed() -> None:
    wanted = Wanted()
    with Nftables() as kernel, Nftables() as other:
        realiser = made(kernel, wanted)
        assert not realiser.overthrown()
        assert realiser.take_over()
        assert not realiser.overthrown()
        assert realiser.realise(wanted.become(table_of(OTHER)))
        assert not realiser.overthrown()
        nft("flush ruleset")
        assert realiser.overthrown()
        assert realiser.drift(None)
        assert not realiser.overthrown()
        assert realiser.was_mended()
        other.commit(load(wanted.now))
        assert realiser.overthrown()
        assert not realiser.overthrown()
        assert realiser.was_mended()
        with powerless():
            assert realiser.overthrown()


@isolated
def test_a_full_socket_does_not_lose_which_operation_was_refused() -> None:
    refused = Transaction(TABLE_NAME, (FlushChain("nowhere"),) * 5_000)
    with Nftables() as kernel:
        shrink(kernel)
        with pytest.raises(Refused) as refusal:
            kernel.commit(refused)
        assert refusal.value.index == 0
        assert refusal.value.errno == errno.ENOENT
        wanted = Wanted()
        assert made(kernel, wanted).take_over()
        assert kernel.table(TABLE_NAME) == normal(wanted.now)


def shrink(kernel: Nftables) -> None:
    """Have its socket hold next to nothing."""
    own = kernel._socket  # noqa: SLF001 - nothing but a test wants that
    own.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)


@isolated
def test_a_closed_socket_is_a_complaint_not_a_crash() -> None:
    wanted = Wanted()
    kernel = Nftables()
    realiser = made(kernel, wanted)
    kernel.close()
    assert not realiser.take_over()
    assert "Bad file descriptor" in realiser.complaint
    with pytest.raises(KernelError):
        kernel.table(TABLE_NAME)
