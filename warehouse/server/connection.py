# SPDX-License-Identifier: Apache-2.0
"""uvicorn's HTTP protocol, with the socket within reach of the application.

ASGI lets an application answer well or not at all.  Faults have to answer badly: half a
body, a wrong length, a reset.  So each connection is put into
``scope["state"]["connection"]`` and offers what the faults need.
"""

from __future__ import annotations

import asyncio
import itertools
import socket
import struct
from typing import Any

try:
    from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol as _Base
except ImportError:
    from uvicorn.protocols.http.h11_impl import H11Protocol as _Base  # type: ignore[assignment]

#: With this linger setting a close sends RST at once.
_LINGER_RESET = struct.pack("ii", 1, 0)

_numbers = itertools.count(1)


class Connection(_Base):  # type: ignore[misc, valid-type]
    """One TCP connection of a client."""

    def __init__(self, config: Any, server_state: Any, warehouse: Any):
        super().__init__(config, server_state, {"connection": self})
        self.warehouse = warehouse
        self.number = next(_numbers)
        self.requests = 0
        self.lost = asyncio.Event()
        #: The HTTP head of the request that is being answered, in bench mode.
        self.head = b""
        self._begun = b""

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        raw = transport.get_extra_info("socket")
        if raw is not None and raw.family in (socket.AF_INET, socket.AF_INET6):
            raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self.warehouse is not None:
            self.warehouse.connection_made(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost.set()
        if self.warehouse is not None:
            self.warehouse.connection_lost(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        bench = self.warehouse.bench if self.warehouse is not None else None
        if bench is None:
            super().data_received(data)
            return
        if self._begun:
            data, self._begun = self._begun + data, b""
        if self.cycle is None or self.cycle.response_complete:
            answer = bench.quick(self, data)
            if answer:
                self._unset_keepalive_if_required()
                self.transport.write(answer)
                self.timeout_keep_alive_task = self.loop.call_later(
                    self.timeout_keep_alive, self.timeout_keep_alive_handler
                )
                return
            if answer == b"":
                self._begun = data
                return
            self.head = data[: data.find(b"\r\n\r\n") + 4]
        super().data_received(data)

    # -- what the faults need --

    def write(self, data: bytes) -> None:
        if not self.transport.is_closing():
            self.transport.write(data)

    async def flush(self) -> None:
        """Wait until what was written is with the kernel."""
        while not self.lost.is_set() and self.transport.get_write_buffer_size():
            await asyncio.sleep(0.001)

    def close(self) -> None:
        """Close with FIN, after what was written."""
        self.transport.close()

    def reset(self) -> None:
        """Close with RST."""
        raw = self.transport.get_extra_info("socket")
        if raw is not None:
            try:
                raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_RESET)
            except OSError:
                pass
        self.transport.abort()

    def abort(self) -> None:
        self.transport.abort()


class StorageListener:
    """What ``Connection`` tells about connections to the storage."""

    bench = None

    def __init__(self, warehouse: Any):
        self.wh = warehouse
        self._open: set[Connection] = set()

    def connection_made(self, connection: Connection) -> None:
        from .faults import Event

        stats, most = self.wh.stats.storage, self.wh.options.storage_max_connections
        self._open.add(connection)
        stats.connections = len(self._open)
        stats.connections_opened += 1
        stats.max_connections = max(stats.max_connections, stats.connections)
        hit = self.wh.faults.take(Event(connection=True, storage="*"))
        if hit or (most and stats.connections > most):
            connection.reset()
        self.wh.activity.fire()

    def connection_lost(self, connection: Connection) -> None:
        self._open.discard(connection)
        self.wh.stats.storage.connections = len(self._open)
        self.wh.activity.fire()


class Listener:
    """What ``Connection`` tells about connections; the warehouse's side of it."""

    def __init__(self, warehouse: Any):
        self.wh = warehouse
        self.bench = warehouse.bench

    def connection_made(self, connection: Connection) -> None:
        from .faults import Event

        self.wh.connections.add(connection)
        self.wh.stats.connections_opened += 1
        if self.wh.faults.take(Event(connection=True)):
            connection.reset()
        self.wh.activity.fire()

    def connection_lost(self, connection: Connection) -> None:
        self.wh.connections.discard(connection)
        self.wh.activity.fire()
