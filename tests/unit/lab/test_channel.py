"""Values arrive whole, and a closed end is noticed."""

from __future__ import annotations

import socket
from threading import Lock, Thread

import pytest

from ringfence.errors import KernelError
from ringfence.lab.inside.channel import Channel


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
    with pytest.raises(EOFError):
        there.send(None)
    there.close()


def test_what_the_other_side_left_unread_is_an_end_of_file_too() -> None:
    here, there = map(Channel, socket.socketpair())
    there.send(None)
    here.close()
    with pytest.raises(EOFError):
        there.receive()
    there.close()


class WithALockError(KernelError):
    def __init__(self, what: str, code: int) -> None:
        super().__init__(f"{what}: {code}")
        self.held = Lock()


def test_an_error_of_any_kind_arrives_as_its_words() -> None:
    here, there = map(Channel, socket.socketpair())
    here.send(WithALockError("the kernel refused", 16))
    arrived = there.receive()
    assert type(arrived) is KernelError
    assert str(arrived) == "the kernel refused: 16"
    here.close()
    there.close()
