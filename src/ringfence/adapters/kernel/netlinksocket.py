"""A raw netlink socket, as everything that speaks to the kernel begins."""

from __future__ import annotations

import socket
from typing import Final, Self

from ringfence.errors import KernelError

NETLINK_NETFILTER: Final = 12
"""linux/netlink.h; the socket module does not name it."""

_SOL_NETLINK = 270
_CAP_ACK, _EXT_ACK = 10, 11  # linux/netlink.h
_FORCED = {socket.SO_SNDBUF: 32, socket.SO_RCVBUF: 33}  # asm-generic/socket.h


class NetlinkSocket:
    """A netlink socket of the network namespace that its thread was in; a context.

    Errors come with the kernel's words and without the request. Raises KernelError
    where the kernel does not know the protocol.
    """

    __slots__ = ("_socket",)

    def __init__(self, protocol: int) -> None:
        kind = socket.SOCK_RAW | socket.SOCK_CLOEXEC
        try:
            self._socket = socket.socket(socket.AF_NETLINK, kind, protocol)
        except OSError as error:
            reason = f"no netlink protocol {protocol} to talk to: {error.strerror}"
            raise KernelError(reason) from error
        self._socket.setsockopt(_SOL_NETLINK, _CAP_ACK, 1)
        self._socket.setsockopt(_SOL_NETLINK, _EXT_ACK, 1)

    def __enter__(self) -> Self:
        """Hold the socket for a block."""
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the socket; the kernel drops what hangs on it."""
        self._socket.close()

    def _enlarge(self, buffer: int, size: int) -> None:
        """Enlarge SO_SNDBUF or SO_RCVBUF, beyond what is allowed to all if it may be.

        Root of a user namespace is held to net.core.wmem_max and rmem_max.
        """
        try:
            self._socket.setsockopt(socket.SOL_SOCKET, _FORCED[buffer], size)
        except PermissionError:
            self._socket.setsockopt(socket.SOL_SOCKET, buffer, size)
