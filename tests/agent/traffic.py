"""Connections that never cease, and what became of them: a program in one pod.

    python traffic.py serve PORT            echo over TCP and UDP; how much came
    python traffic.py flips ADDRESS PORT    a datagram a millisecond, each a new flow
    python traffic.py calls ADDRESS PORT    new TCP connections, one after the other
    python traffic.py knocks ADDRESS PORT   new flows, which nobody should hear
    python traffic.py pour PORT             one TCP connection, on which only it speaks
    python traffic.py drink ADDRESS PORT    one TCP connection, on which it only listens
    python traffic.py held ADDRESS PORT     one TCP connection, used all the time
    python traffic.py try ADDRESS PORT      one TCP connection, and at its end at once

The last three may be told how many seconds without an answer are its end.

It says ``ready``, goes on until its input ends, calls and knocks at least a hundred
times on however busy a machine, and then prints what it saw as one JSON document.
Times are CLOCK_MONOTONIC, which all programs of a machine share.
"""

from __future__ import annotations

import contextlib
import json
import select
import socket
import struct
import sys
import time
from collections.abc import Callable
from ipaddress import ip_address
from typing import Any

_PERIOD_S = 0.001
_KNOCK_S = 0.002
_TURN_S = 0.01
_LINGER_S = 0.1
_CALL_S = 30.0
_REMEMBERED = 256
_LEAST = 100
_NO_LINGER = struct.pack("ii", 1, 0)
_IPV4 = 4


def over() -> bool:
    """Whether the input has come to its end."""
    return bool(select.select([sys.stdin], [], [], 0)[0])


def family(address: str) -> socket.AddressFamily:
    four = ip_address(address).version == _IPV4
    return socket.AF_INET if four else socket.AF_INET6


def serve(port: int) -> Any:
    """Echo everything; return how many datagrams and connections came."""
    listener = socket.create_server(
        ("::", port), family=socket.AF_INET6, dualstack_ipv6=True, backlog=4096
    )
    datagrams = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    datagrams.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    datagrams.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
    datagrams.bind(("::", port))
    poll, open_, came = select.epoll(), {}, {"datagrams": 0, "connections": 0}
    for sock in (listener, datagrams, sys.stdin):
        poll.register(sock, select.EPOLLIN)
    ready()
    while True:
        for number, _ in poll.poll():
            if number == sys.stdin.fileno():
                return came
            if number == datagrams.fileno():
                data, sender = datagrams.recvfrom(2048)
                came["datagrams"] += 1
                with contextlib.suppress(OSError):  # an answer to an older one
                    datagrams.sendto(data, sender)
            elif number == listener.fileno():
                connection, _ = listener.accept()
                came["connections"] += 1
                open_[connection.fileno()] = connection
                poll.register(connection, select.EPOLLIN)
            else:
                echo(open_, number)


def echo(open_: dict[int, socket.socket], number: int) -> None:
    """Answer on one connection, or let go of it."""
    with contextlib.suppress(OSError):
        data = open_[number].recv(2048)
        if data:
            open_[number].sendall(data)
            return
    open_.pop(number).close()


def flips(address: str, port: int) -> Any:
    """Return when the verdict changed: [time of the first such packet, passed]."""
    pending: dict[int, tuple[float, socket.socket]] = {}
    poll = select.epoll()
    fates: list[tuple[float, bool]] = []
    ready()
    due = time.monotonic()
    while not over():
        sock = socket.socket(family(address), socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        sock.connect((address, port))
        poll.register(sock, select.EPOLLIN)
        pending[sock.fileno()] = (time.monotonic(), sock)
        with contextlib.suppress(OSError):  # EPERM: dropped on the way out
            sock.send(b"f")
        due = max(due + _PERIOD_S, time.monotonic() - _TURN_S)
        answered(poll, pending, fates, max(0.0, due - time.monotonic()))
        while len(pending) > _REMEMBERED:  # a quarter of a second is no answer
            sent, oldest = pending.pop(next(iter(pending)))
            oldest.close()
            fates.append((sent, False))
    answered(poll, pending, fates, _LINGER_S)
    fates += [(sent, False) for sent, _ in pending.values()]
    return changes(sorted(fates))


def answered(
    poll: select.epoll,
    pending: dict[int, tuple[float, socket.socket]],
    fates: list[tuple[float, bool]],
    wait_s: float,
) -> None:
    """Note what is answered meanwhile."""
    end = time.monotonic() + wait_s
    while True:
        for number, _ in poll.poll(max(0.0, end - time.monotonic())):
            sent, sock = pending.pop(number)
            sock.close()
            fates.append((sent, True))
        if time.monotonic() >= end:
            return


def changes(fates: list[tuple[float, bool]]) -> list[tuple[float, bool]]:
    """Return the first packet of each stretch of equal fates."""
    return [
        fate
        for before, fate in zip([None, *fates], fates, strict=False)
        if before is None or before[1] != fate[1]
    ]


def calls(address: str, port: int) -> Any:
    """Connect, exchange a word, reset: return how often, and each failure."""
    failures: list[str] = []
    count = 0
    ready()
    while count < _LEAST or not over():
        count += 1
        started = time.monotonic()
        try:
            with socket.create_connection((address, port), _CALL_S) as sock:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
                exchange(sock)
        except OSError as error:
            failures.append(f"{started:.3f} {error}")
        took = time.monotonic() - started
        time.sleep(max(0.0, _PERIOD_S - took))
    return {"count": count, "failures": failures}


def knocks(address: str, port: int) -> Any:
    """Send datagrams from ever new ports: return how many, and answers."""
    sent = answers = 0
    ready()
    while sent < _LEAST or not over():
        with socket.socket(family(address), socket.SOCK_DGRAM) as sock:
            sock.setblocking(False)
            sock.connect((address, port))
            with contextlib.suppress(OSError):
                sock.send(b"k")
            sent += 1
            time.sleep(_KNOCK_S)
            with contextlib.suppress(OSError):
                answers += len(sock.recv(1))
    return {"count": sent, "answers": answers}


def held(address: str, port: int, patience_s: float = _CALL_S) -> Any:
    """Use one connection; return when and how it ended, if it did."""
    with socket.create_connection((address, port), _CALL_S) as sock:
        sock.settimeout(patience_s)
        ready()

        def turn() -> int:
            exchange(sock)
            time.sleep(_TURN_S)
            return 1

        return turns(turn)


def pour(port: int) -> Any:
    """Send on one connection all the time; return how many bytes it took."""
    with socket.create_server(
        ("::", port), family=socket.AF_INET6, dualstack_ipv6=True
    ) as listener:
        ready()
        sock, _ = listener.accept()
    with sock:
        sock.settimeout(_CALL_S)

        def turn() -> int:
            sent = sock.send(b"x")
            time.sleep(_PERIOD_S)
            return sent

        return turns(turn)


def drink(address: str, port: int, patience_s: float = _CALL_S) -> Any:
    """Listen on one connection and say nothing; return when and how it ended."""
    with socket.create_connection((address, port), _CALL_S) as sock:
        sock.settimeout(patience_s)
        ready()
        return turns(lambda: len(sock.recv(2048)))


def turns(turn: Callable[[], int]) -> Any:
    """Take turns until it is over, there is no more, or the connection ends."""
    count = 0
    while not over():
        try:
            more = turn()
        except OSError as error:
            ended = {"at": time.monotonic(), "error": type(error).__name__}
            return {"count": count, "ended": ended}
        if not more:
            break
        count += more
    return {"count": count, "ended": None}


def try_once(address: str, port: int, patience_s: float = _CALL_S) -> Any:
    """Return whether one connection was answered."""
    ready()
    try:
        with socket.create_connection((address, port), patience_s) as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
            exchange(sock)
    except OSError as error:
        return {"passed": False, "error": str(error)}
    return {"passed": True}


def exchange(sock: socket.socket) -> None:
    sock.sendall(b"x")
    if not sock.recv(1):
        raise ConnectionResetError("the other end hung up")


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def ready() -> None:
    say("ready")


_TRADES: dict[str, Callable[..., Any]] = {
    "flips": flips,
    "calls": calls,
    "knocks": knocks,
    "held": held,
    "drink": drink,
    "try": try_once,
}

_SERVICES = {"serve": serve, "pour": pour}

if __name__ == "__main__":
    if sys.argv[1] in _SERVICES:
        told = _SERVICES[sys.argv[1]](int(sys.argv[2]))
    else:
        trade, address, port, *patience = sys.argv[1:]
        told = _TRADES[trade](address, int(port), *map(float, patience))
    say(json.dumps(told))
