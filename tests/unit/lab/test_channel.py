"""Values arrive whole, and a closed end is noticed."""

from __future__ import annotations

import socket
from threading import Thread

import pytest

from ringfence.lab.channel import Channel


def test_a_value_larger_than_any_buffer_arrives_whole() -> None:
    here, there = map(Channel, socket.socketpair())
    value = {"text": "x" * 5_000_000}
    sender = Thread(target=here.send, args=(value,))
    sender.start()
    assert there.receive() == value
    sender.join()
    here.close()
    there.close()


def test_the_end_of_the_other_side_is_an_end_of_file() -> None:
    here, there = map(Channel, socket.socketpair())
    here.close()
    with pytest.raises(EOFError):
        there.receive()
    there.close()
