"""Cut connections are remembered as their servers' packets look, for a while."""

from __future__ import annotations

from ipaddress import ip_address

from ringfence.agent.enforcing.remains import LASTING_S, MOST, Remains
from ringfence.observe.tracked import Tracked, Tuple

CLIENT, SERVICE, SERVER = map(ip_address, ("10.0.0.1", "10.96.0.1", "10.0.0.2"))
ROW = (int(SERVER), int(CLIENT), 5432, 40_000)


def tracked(port: int = 40_000, protocol: int = 6) -> Tracked:
    """Return a connection to a Service, translated to the server's own address."""
    asked = Tuple(CLIENT.packed, SERVICE.packed, port, 80)
    answered = Tuple(SERVER.packed, CLIENT.packed, 5432, port)
    return Tracked(asked, answered, protocol, 1, 0, 0, 0, b"")


def test_the_servers_packets_are_remembered_not_the_clients() -> None:
    assert Remains().add([tracked()], 0.0) == ({4: {ROW}}, {})


def test_the_versions_are_told_apart() -> None:
    one, other = ip_address("fd00::1"), ip_address("fd00::2")
    asked = Tuple(one.packed, other.packed, 1, 2)
    answered = Tuple(other.packed, one.packed, 2, 1)
    moved = Remains().add([Tracked(asked, answered, 6, 1, 0, 0, 0, b"")], 0.0)
    assert moved == ({6: {(int(other), int(one), 2, 1)}}, {})


def test_what_has_no_beginning_is_not_remembered() -> None:
    datagrams = tracked(protocol=17)
    ping = datagrams._replace(
        reply=Tuple(SERVER.packed, CLIENT.packed, None, None), protocol=1
    )
    assert Remains().add([datagrams, ping], 0.0) == ({}, {})


def test_each_is_forgotten_in_time_one_cut_again_later() -> None:
    remains = Remains()
    remains.add([tracked(1), tracked(2)], 0.0)
    remains.add([tracked(1)], 10.0)
    assert remains.expire(LASTING_S - 1).gone == {}
    assert remains.expire(LASTING_S).gone == {4: {(*ROW[:3], 2)}}
    assert remains.expire(LASTING_S + 10).gone == {4: {(*ROW[:3], 1)}}
    assert remains.expire(LASTING_S * 2).gone == {}


def test_no_more_than_some_are_remembered() -> None:
    remains = Remains()
    remains.add([tracked(1)], 0.0)
    ended = [tracked(2 + number) for number in range(MOST)]
    come, gone = remains.add(ended, 1.0)
    assert len(come[4]) == MOST
    assert gone == {4: {(*ROW[:3], 1)}}
