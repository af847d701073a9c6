"""UDP datagrams that each begin a flow, sent by one call."""

from __future__ import annotations

import ctypes
import socket
import struct
import time
from ipaddress import IPv4Address

MOST = 64
UDP_BYTES = 8
SOURCE_PORT_AT = 20
IP_UDP = struct.Struct("!BBHHHBBH4s4sHHHH")
LIBC = ctypes.CDLL(None, use_errno=True)


class Buffer(ctypes.Structure):
    """One part of a message: struct iovec of readv(2)."""

    _fields_ = (("start", ctypes.c_void_p), ("length", ctypes.c_size_t))


class Message(ctypes.Structure):
    """Where a message's parts are: struct msghdr of sendmsg(2)."""

    _fields_ = (
        ("name", ctypes.c_void_p),
        ("name_length", ctypes.c_uint),
        ("buffers", ctypes.POINTER(Buffer)),
        ("buffer_count", ctypes.c_size_t),
        ("control", ctypes.c_void_p),
        ("control_length", ctypes.c_size_t),
        ("flags", ctypes.c_int),
    )


class Outgoing(ctypes.Structure):
    """One of many messages: struct mmsghdr of sendmmsg(2)."""

    _fields_ = (("message", Message), ("sent", ctypes.c_uint))


class Packets:
    """UDP datagrams from ports of their own, so that each begins a flow."""

    def __init__(
        self, source: IPv4Address, destination: IPv4Address, port: int
    ) -> None:
        """Write the packets; the kernel fills in what is 0 here: raw(7)."""
        packet = IP_UDP.pack(
            *(0x45, 0, IP_UDP.size, 0, 0, 64, socket.IPPROTO_UDP, 0),
            *(source.packed, destination.packed, 0, port, UDP_BYTES, 0),
        )
        self._bytes = ctypes.create_string_buffer(packet * MOST)
        start = ctypes.addressof(self._bytes)
        at = range(start, start + MOST * IP_UDP.size, IP_UDP.size)
        self._buffers = [Buffer(each, IP_UDP.size) for each in at]
        self._messages = (Outgoing * MOST)(
            *(
                Outgoing(Message(None, 0, ctypes.pointer(part), 1))
                for part in self._buffers
            )
        )

    def number(self, first: int) -> None:
        """Let the source ports be these, one after the other."""
        for index in range(MOST):
            at = index * IP_UDP.size + SOURCE_PORT_AT
            struct.pack_into("!H", self._bytes, at, first + index)

    def send(self, sender: socket.socket, count: int) -> int:
        """Send the first few and return the processor time that it took: ns."""
        before = time.thread_time_ns()
        sent = LIBC.sendmmsg(sender.fileno(), self._messages, count, 0)
        took = time.thread_time_ns() - before
        if sent != count:
            raise OSError(ctypes.get_errno(), f"sent {sent} of {count}")
        return took
