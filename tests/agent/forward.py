"""Carry connections of other network namespaces to one port of loopback.

    python forward.py PORT DESCRIPTOR...

The descriptors are sockets that listen, wherever they were made: so programs in a
namespace without any way to the host reach its API server by the same address.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import sys
from collections.abc import Sequence

_CHUNK = 1 << 18


async def main(port: int, descriptors: Sequence[int]) -> None:
    """Serve until the process is ended."""

    async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            there = await asyncio.open_connection("127.0.0.1", port, limit=_CHUNK)
        except OSError:
            writer.transport.abort()
            return
        await asyncio.gather(pump(reader, there[1]), pump(there[0], writer))

    servers = [
        await asyncio.start_server(carry, sock=socket.socket(fileno=fd), limit=_CHUNK)
        for fd in descriptors
    ]
    await asyncio.gather(*(server.serve_forever() for server in servers))


async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Copy one direction; an end of either side ends both."""
    with contextlib.suppress(ConnectionError):
        while data := await reader.read(_CHUNK):
            writer.write(data)
            await writer.drain()
    writer.close()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), [int(word) for word in sys.argv[2:]]))
